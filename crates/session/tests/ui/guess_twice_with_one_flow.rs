use stockade_session::{Flow, Identified};

async fn guess(flow: Flow<Identified>) {
    let _ = flow.verify_password("one".into()).await;
    let _ = flow.verify_password("two".into()).await;
}

fn main() {}
