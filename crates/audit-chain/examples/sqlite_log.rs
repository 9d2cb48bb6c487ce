//! A log in one file: `cargo run -p stockade-audit-chain --features sqlite --example sqlite_log -- app.db`. Run it twice, change the
//! file with `sqlite3` in between, and it says what was changed.

#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use serde_json::json;
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};
use stockade_audit_chain::{Actor, Entry, TenantId, sqlite};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "app.db".to_owned());
    let mut connection = SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await?;
    sqlite::migrator().run(&mut connection).await?;

    let tenant = TenantId::from(uuid::Uuid::from_u128(7));
    let entry = Entry::new(tenant, Actor::user("user-1").named("Ana Ruiz"), "load.update")
        .entity("load", "L-1")
        .after(json!({"rate_cents": 125_000}));
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
    // The change that the entry describes belongs here.
    let receipt = sqlite::record(&mut tx, &entry).await?;
    tx.commit().await?;

    let report = sqlite::verify(&mut connection, tenant, &sqlite::VerifyOptions::new()).await?;
    println!("recorded {}; {} entries, {:?}", receipt.entry_id, report.checked(), report.conclusion());
    for verdict in report.verdicts() {
        println!("{verdict}");
    }
    for difference in sqlite::health(&mut connection).await?.differences() {
        println!("schema: {difference:?}");
    }
    Ok(())
}
