//! A database for one benchmark, which is dropped at the end.

use std::env;

use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

/// A database on the server of `DATABASE_URL`, for its user. All of this panics where the server refuses: a benchmark that cannot
/// run should stop.
#[derive(Debug)]
pub struct Database {
    admin: PgConnection,
    name: String,
    options: PgConnectOptions,
}

#[expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]
impl Database {
    /// Makes it. The id of this process is in its name, so that runs do not meet. Without a `DATABASE_URL` there is none, and
    /// people are told so.
    pub async fn create(what: &str) -> Option<Self> {
        let Ok(url) = env::var("DATABASE_URL") else {
            println!("{what}: no DATABASE_URL, so nothing was measured on a database; see scripts/with-servers");
            return None;
        };
        let options: PgConnectOptions = url.parse().expect("DATABASE_URL is an address");
        let mut admin = options.connect().await.expect("a server");
        let name = format!("stockade_{what}_{}", std::process::id());
        run(&mut admin, &format!("CREATE DATABASE {name}")).await;
        let options = options.database(&name);
        Some(Self { admin, name, options })
    }

    /// How to connect, for a pool.
    #[must_use]
    pub const fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// A connection with the settings that the server has.
    pub async fn open(&self) -> PgConnection {
        self.options.connect().await.expect("a connection")
    }

    /// A connection without parallel workers and without just-in-time compilation, and the id of its process, for a
    /// [`Meter`](crate::Meter): all that its statements take is that process's.
    pub async fn connect(&self) -> (PgConnection, i32) {
        session(&self.options).await
    }

    /// The same with no more rights than a role has.
    pub async fn connect_as(&self, role: &str) -> (PgConnection, i32) {
        session(&self.options.clone().options([("role", role)])).await
    }

    /// The same of another login.
    pub async fn log_in(&self, login: &str) -> (PgConnection, i32) {
        session(&self.options.clone().username(login)).await
    }

    /// The server's version, and what of its settings times depend on most.
    pub async fn about(&mut self) -> String {
        let about = "SELECT format('PostgreSQL %s, fsync %s, shared_buffers %s', current_setting('server_version'),
            current_setting('fsync'), current_setting('shared_buffers'))";
        sqlx::query_scalar(about).fetch_one(&mut self.admin).await.expect("a text")
    }

    /// Drops it, and closes the connections to it that are still there.
    pub async fn drop(mut self) {
        run(&mut self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

#[expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]
async fn session(options: &PgConnectOptions) -> (PgConnection, i32) {
    let mut conn = options.connect().await.expect("a connection");
    run(&mut conn, "SET max_parallel_workers_per_gather = 0; SET jit = off").await;
    let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut conn).await.expect("its process");
    (conn, pid)
}

/// Runs statements that a benchmark has written, all in one trip. One that the server refuses stops the benchmark.
#[expect(clippy::expect_used, reason = "a benchmark that cannot run should stop")]
pub async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.expect("a statement that runs");
}
