use stockade_session::{Flow, Identified};

async fn skip(flow: Flow<Identified>) {
    let _ = flow.verify_recovery_code("0000-0000-0000-0000-0000-0000").await;
}

fn main() {
    let _ = skip;
}
