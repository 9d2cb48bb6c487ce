//! A pooled connection that cannot go back to the pool inside a transaction.
//!
//! sqlx 0.9.0 counts transactions on the client, after `BEGIN` has answered. A future dropped before that leaves the count at zero, so
//! the pool takes the connection back without a rollback, inside the transaction and with its context (transact-rs/sqlx #4385).
//! The lease therefore does not use sqlx's transactions: it is made before `BEGIN` is sent, and what it becomes is decided by what
//! the server has confirmed.

use std::fmt;

use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, SqlSafeStr};
use tokio::runtime::Handle;

use crate::error::Error;
use crate::tenant::TenantId;

pub(super) struct Lease {
    connection: Option<PoolConnection<Postgres>>,
    runtime: Handle,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Confirmed to be outside a transaction: goes back to the pool.
    Idle,
    /// Perhaps in a transaction: a dropped lease is rolled back in the background.
    Open,
    /// The rollback is under way or has failed: a dropped lease is closed.
    Ending,
}

/// How a scope begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    ReadWrite,
    ReadOnly,
}

impl Lease {
    /// Takes a connection and begins a transaction on it with the tenant's context.
    pub(super) async fn begin(pool: &PgPool, tenant: TenantId, access: Access) -> Result<Self, Error> {
        let runtime = Handle::try_current().map_err(Error::no_runtime)?;
        let connection = pool.acquire().await.map_err(Error::begin)?;
        let mut lease = Self { connection: Some(connection), runtime, state: State::Open };
        let begin = begin_sql(tenant, access);
        lease.send(begin).await.map_err(Error::begin)?;
        Ok(lease)
    }

    /// The connection, to run an admitted statement on.
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Commits. On an error, and if dropped, the lease rolls back.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.send("COMMIT").await?;
        self.state = State::Idle;
        Ok(())
    }

    /// Rolls back. On an error the lease closes the connection.
    pub(super) async fn roll_back(mut self) -> Result<(), sqlx::Error> {
        let result = self.send("ROLLBACK").await;
        self.state = match result {
            Ok(()) => State::Idle,
            Err(_) => State::Ending,
        };
        result
    }

    async fn send(&mut self, sql: impl SqlSafeStr) -> Result<(), sqlx::Error> {
        let connection = self.connection()?;
        sqlx::raw_sql(sql).execute(connection).await?;
        Ok(())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        // Dropping a `PoolConnection` spawns a task, and panics where there is no runtime.
        let _context = self.runtime.enter();
        match self.state {
            State::Idle => {}
            State::Open => {
                let lease = Self { connection: Some(connection), runtime: self.runtime.clone(), state: State::Ending };
                // A runtime that is shutting down drops the task, and with it the lease, which then closes.
                self.runtime.spawn(lease.roll_back());
                return;
            }
            State::Ending => connection.close_on_drop(),
        }
        drop(connection);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("state", &self.state).finish_non_exhaustive()
    }
}

/// `BEGIN` and the context in one message, which saves the round trip of a bind parameter.
fn begin_sql(tenant: TenantId, access: Access) -> impl SqlSafeStr {
    let begin = match access {
        Access::ReadWrite => "BEGIN",
        Access::ReadOnly => "BEGIN READ ONLY",
    };
    // Safe: the one value is a UUID, which renders as hexadecimal digits and hyphens.
    AssertSqlSafe(format!("{begin}; SET LOCAL stockade.tenant_id = '{}'", tenant.as_uuid().as_hyphenated()))
}
