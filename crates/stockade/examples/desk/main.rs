//! Installs a small freight desk in the database of `DATABASE_URL`, whose login may create roles, and serves it on 127.0.0.1:8080:
//! `cargo run -p stockade --example desk --features request,rls-migrations`. The application is `app.rs`.

mod app;
mod install;

use std::{env, net::SocketAddr, str::FromStr};

use axum::Router;
use sqlx::{ConnectOptions, PgPool, postgres::PgConnectOptions};
use stockade::session::{Auth, BoxError, KeyRing, postgres::PgStore};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let administrator = PgConnectOptions::from_str(&env::var("DATABASE_URL")?)?;
    install::install(&mut administrator.connect().await?, "desk").await?;
    // The server of this example trusts logins of this machine; anywhere else they have passwords.
    let login = |name: &str| PgPool::connect_lazy_with(administrator.clone().username(name));
    let (requests, gate) = (login("desk_app"), login("desk_gate"));
    let keys = || KeyRing::single(1, env::var("SESSION_KEY").as_deref().unwrap_or("thirty-two bytes of a demo's key"));
    install::people(&Auth::builder(PgStore::new(gate.clone()), keys()?).build()?, &administrator).await?;
    let router: Router = app::router(requests, gate, keys()?, &[])?;
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
