//! PostgreSQL as WebAssembly in this process, on a loopback port.

use anyhow::{Context, Result};
use pglite_oxide::PgliteServer;
use sqlx::{ConnectOptions, postgres::PgConnectOptions};

/// A running engine. Its data is in a temporary folder that goes with it.
pub(super) struct Server {
    _engine: PgliteServer,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("embedded::Server")
    }
}

impl Server {
    /// Starts the engine; about a second.
    pub(super) async fn start() -> Result<(Self, PgConnectOptions)> {
        let engine = tokio::task::spawn_blocking(|| PgliteServer::builder().temporary().start())
            .await?
            .context("the embedded PostgreSQL did not start; set DATABASE_URL to use a server of your own")?;
        let login: PgConnectOptions = engine.database_url().parse()?;
        // A connection waits here for the one before it: that is not a slow statement worth a warning.
        let login = login.disable_statement_logging();
        Ok((Self { _engine: engine }, login))
    }
}
