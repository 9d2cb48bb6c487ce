use stockade_session::{Auth, PendingToken};

async fn resolve(auth: &Auth, token: &PendingToken) {
    let _ = auth.resolve(token).await;
}

fn main() {}
