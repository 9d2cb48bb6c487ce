//! A database that the tour may break: the embedded engine's, or a new one on the given server that is dropped at the end.

use anyhow::Result;
use sqlx::PgConnection;

use crate::{
    app::App,
    database::{Prefix, Server},
    evidence::Evidence,
    limits::Counting,
    secrets::Pair,
    seed,
};

/// An application on a database of its own.
pub(super) struct Scratch {
    server: Server,
    app: App,
    /// To drop the database and its roles at the end.
    outer: Option<Server>,
}

impl Scratch {
    pub(super) async fn open(database: Option<&str>) -> Result<Self> {
        let mut id = [0; 4];
        getrandom::fill(&mut id)?;
        let prefix = Prefix::scratch(u32::from_ne_bytes(id));
        let (server, outer) = match database {
            None => (Server::open(None).await?, None),
            Some(url) => {
                let server = Server::open(Some(url)).await?.on_database(prefix.as_str());
                server.create_database().await?;
                (server, Some(Server::open(Some(url)).await?))
            }
        };
        let app = match start(&server, prefix.clone()).await {
            Ok(app) => app,
            Err(error) => {
                discard(&server, outer.as_ref(), &prefix).await?;
                return Err(error);
            }
        };
        Ok(Self { server, app, outer })
    }

    pub(super) fn app(&self) -> &App {
        &self.app
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// A connection as the superuser of the server.
    pub(super) async fn superuser(&self) -> Result<PgConnection> {
        self.server.administrator().await
    }

    pub(super) async fn close(self) -> Result<()> {
        self.app.stop().await;
        discard(&self.server, self.outer.as_ref(), self.app.prefix()).await
    }
}

async fn start(server: &Server, prefix: Prefix) -> Result<App> {
    let app =
        App::start(server, prefix, Pair::generate()?.parse()?, &Counting::Memory, Evidence::temporary().await?).await?;
    seed::fill(&app).await?;
    Ok(app)
}

/// Leaves the given server as it was: without the database and without its roles.
async fn discard(server: &Server, outer: Option<&Server>, prefix: &Prefix) -> Result<()> {
    if let Some(outer) = outer {
        server.drop_database().await?;
        prefix.drop_roles(&mut outer.administrator().await?).await?;
    }
    Ok(())
}
