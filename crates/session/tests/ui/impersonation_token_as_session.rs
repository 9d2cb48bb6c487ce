use stockade_session::{Auth, ImpersonationToken};

async fn use_it(auth: Auth, token: ImpersonationToken) {
    let _ = auth.resolve(&token).await;
}

fn main() {}
