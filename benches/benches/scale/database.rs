//! A database for one subject, which is dropped at the end.

use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, postgres::PgConnectOptions};

pub(crate) struct Database {
    admin: PgConnection,
    name: String,
    options: PgConnectOptions,
}

impl Database {
    /// Makes it, with the rights of a superuser.
    pub(crate) async fn create(url: &str, subject: &str) -> Self {
        let options: PgConnectOptions = url.parse().expect("DATABASE_URL is an address");
        let mut admin = options.connect().await.expect("a superuser's connection");
        let name = format!("stockade_scale_{subject}_{}", std::process::id());
        run(&mut admin, &format!("CREATE DATABASE {name}")).await;
        let options = options.database(&name);
        Self { admin, name, options }
    }

    pub(crate) const fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// A connection of the superuser, and the id of its process.
    pub(crate) async fn connect(&self) -> (PgConnection, i32) {
        session(&self.options).await
    }

    /// A connection with no more rights than a role has.
    pub(crate) async fn connect_as(&self, role: &str) -> (PgConnection, i32) {
        session(&self.options.clone().options([("role", role)])).await
    }

    /// A connection of a login of its own.
    pub(crate) async fn log_in(&self, login: &str) -> (PgConnection, i32) {
        session(&self.options.clone().username(login)).await
    }

    /// What stands above the curve.
    pub(crate) async fn about(&mut self) -> String {
        let about = "SELECT format('PostgreSQL %s, fsync %s, shared_buffers %s', current_setting('server_version'),
            current_setting('fsync'), current_setting('shared_buffers'))";
        sqlx::query_scalar(about).fetch_one(&mut self.admin).await.expect("a text")
    }

    pub(crate) async fn drop(mut self) {
        run(&mut self.admin, &format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

async fn session(options: &PgConnectOptions) -> (PgConnection, i32) {
    let mut conn = options.connect().await.expect("a connection");
    run(&mut conn, "SET max_parallel_workers_per_gather = 0; SET jit = off").await;
    let pid = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut conn).await.expect("its process");
    (conn, pid)
}

pub(crate) async fn run(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await.expect("a statement that runs");
}
