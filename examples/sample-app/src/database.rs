//! The server behind the application: the one that `DATABASE_URL` names, or one embedded in this process.
//!
//! Several logins reach it, each with no more than its work needs. The application's own is bound to a tenant
//! by row-level security; the gate reads password hashes, sessions and wrapped keys before a tenant is
//! known; the sealer links the audit log, the checkpointer signs it, the eraser and the holder each call their one function
//! of it. What an injected statement can reach through the first of them is one tenant, and no password hash of anybody.

#[cfg(feature = "embedded")]
mod embedded;
mod logins;

use std::str::FromStr;

use anyhow::{Context, Result, bail};
use sqlx::{
    ConnectOptions, PgConnection, PgPool, Postgres,
    migrate::MigrateDatabase,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub use logins::{Logins, Prefix};

/// A PostgreSQL server, and how to reach it as its administrator.
#[derive(Debug)]
pub struct Server {
    administrator: PgConnectOptions,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    External,
    /// One connection at a time: every pool gives its connection back by closing it.
    #[cfg(feature = "embedded")]
    Embedded {
        _server: Box<embedded::Server>,
    },
}

impl Server {
    /// Uses the server at `url`, or starts the embedded engine when there is none.
    ///
    /// # Errors
    /// When `url` does not parse, or the embedded engine does not start or is not part of this build.
    pub async fn open(url: Option<&str>) -> Result<Self> {
        match url {
            Some(url) => Self::external(url),
            None => Self::embedded().await,
        }
    }

    fn external(url: &str) -> Result<Self> {
        Ok(Self::at(login("DATABASE_URL", url)?))
    }

    /// The server that `administrator` connects to.
    #[must_use]
    pub fn at(administrator: PgConnectOptions) -> Self {
        Self { administrator, engine: Engine::External }
    }

    #[cfg(feature = "embedded")]
    async fn embedded() -> Result<Self> {
        let (server, administrator) = embedded::Server::start().await?;
        Ok(Self { administrator, engine: Engine::Embedded { _server: Box::new(server) } })
    }

    #[cfg(not(feature = "embedded"))]
    #[expect(clippy::unused_async, reason = "the same signature as with the embedded engine")]
    async fn embedded() -> Result<Self> {
        bail!("this build has no embedded engine: set DATABASE_URL, or build with the feature `embedded`")
    }

    /// A connection as the administrator: for installation and for showing what a superuser can do.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the login.
    pub async fn administrator(&self) -> Result<PgConnection> {
        self.administrator.connect().await.with_context(|| {
            format!(
                "no PostgreSQL answers at {}:{} as `{}`; start it, correct DATABASE_URL, or unset DATABASE_URL to use the embedded engine",
                self.administrator.get_host(),
                self.administrator.get_port(),
                self.administrator.get_username(),
            )
        })
    }

    pub(crate) fn administrator_login(&self) -> &PgConnectOptions {
        &self.administrator
    }

    /// The same server, another database on it.
    #[must_use]
    pub fn on_database(self, name: &str) -> Self {
        Self { administrator: self.administrator.database(name), ..self }
    }

    /// Creates this server's database, for one that is to be thrown away.
    ///
    /// # Errors
    /// When the administrator may not create databases, or it exists.
    pub async fn create_database(&self) -> Result<()> {
        let url = self.administrator.to_url_lossy();
        Postgres::create_database(url.as_str())
            .await
            .context("the role of DATABASE_URL may not create a database, which the tour and the restore drill need")
    }

    /// Drops this server's database, whoever is connected to it.
    ///
    /// # Errors
    /// When the administrator may not.
    pub async fn drop_database(&self) -> Result<()> {
        Postgres::force_drop_database(self.administrator.to_url_lossy().as_str())
            .await
            .context("a database that was made for a moment was not dropped")
    }

    /// Where the data is, as the name of a folder: `localhost-5432-postgres`.
    #[must_use]
    pub fn folder_name(&self) -> String {
        let login = &self.administrator;
        let name = format!("{}-{}-{}", login.get_host(), login.get_port(), login.get_database().unwrap_or("default"));
        name.replace(|character: char| !character.is_ascii_alphanumeric() && character != '.', "-")
    }

    /// `true` for a server of its own process, whose data ends with it.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        !matches!(self.engine, Engine::External)
    }

    /// What a person should know about where the data is.
    #[must_use]
    pub fn describe(&self) -> String {
        match self.engine {
            Engine::External => format!(
                "PostgreSQL at {}:{}, database {}",
                self.administrator.get_host(),
                self.administrator.get_port(),
                self.administrator.get_database().unwrap_or("(default)"),
            ),
            #[cfg(feature = "embedded")]
            Engine::Embedded { .. } => {
                "embedded PostgreSQL 17.5, in memory of this process (its data ends with it)".to_owned()
            }
        }
    }

    fn pool(&self, login: PgConnectOptions, connections: u32) -> PgPool {
        let pool = pool_options(connections);
        match self.engine {
            Engine::External => pool.connect_lazy_with(login),
            #[cfg(feature = "embedded")]
            Engine::Embedded { .. } => pool
                .max_connections(1)
                .test_before_acquire(false)
                .after_release(|_, _| Box::pin(async { Ok(false) }))
                .connect_lazy_with(login),
        }
    }
}

/// How every pool of the application begins. The task of sqlx 0.9.0 that closes aged connections may, very rarely, never end (its issue
/// 3645); where connections do not age there is none.
pub(crate) fn pool_options(connections: u32) -> PgPoolOptions {
    PgPoolOptions::new().max_connections(connections).idle_timeout(None).max_lifetime(None)
}

/// Reads the URL of a server, which the environment variable `name` holds.
///
/// # Errors
/// When it is none. The message does not repeat it: it may hold a password.
pub(crate) fn login(name: &str, url: &str) -> Result<PgConnectOptions> {
    // sqlx would take any scheme.
    let scheme = url.split("://").next().unwrap_or_default();
    let parsed = matches!(scheme, "postgres" | "postgresql").then(|| PgConnectOptions::from_str(url));
    let Some(Ok(login)) = parsed else {
        bail!("{name} is not a PostgreSQL URL; it looks like postgres://user:password@host:5432/database");
    };
    Ok(login)
}
