use stockade_session::{Auth, ResetToken};

async fn enter(auth: Auth, token: ResetToken) {
    let _ = auth.resolve(&token).await;
}

fn main() {
    let _ = enter;
}
