use stockade_session::{Flow, Identified};

async fn code_first(flow: Flow<Identified>) {
    let _ = flow.verify_totp("123456").await;
}

fn main() {}
