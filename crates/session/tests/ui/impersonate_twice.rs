use std::time::Duration;
use stockade_session::{Auth, ClientInfo, Impersonation, UserId};

async fn chain(auth: Auth, impersonation: Impersonation, target: UserId, client: ClientInfo) {
    let _ = auth.impersonations().start(&impersonation, target, "why", Duration::from_secs(60), &client).await;
}

fn main() {}
