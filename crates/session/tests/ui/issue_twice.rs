use stockade_session::{Auth, Flow, FullyVerified};

async fn two_sessions(auth: &Auth, flow: Flow<FullyVerified>) {
    let _ = auth.issue(flow).await;
    let _ = auth.issue(flow).await;
}

fn main() {}
