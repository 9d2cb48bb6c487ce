use stockade_session::{Auth, Session};

async fn remove(auth: Auth, session: Session) {
    auth.remove_totp(&session).await.unwrap();
}

fn main() {
    let _ = remove;
}
