//! A pooled connection that cannot go back to the pool inside a transaction.
//!
//! sqlx 0.9.0 counts transactions on the client, after `BEGIN` has answered. A future dropped before that leaves the count at zero, so
//! the pool takes the connection back without a rollback, inside the transaction and with its context (transact-rs/sqlx #4385).
//! The loan therefore does not use sqlx's `Transaction`: it is made before `BEGIN` is sent, and what it becomes is decided by what
//! the server has confirmed.
//!
//! `BEGIN` goes through sqlx's transaction manager all the same: `raw_sql` logs the text of what it sends, which may hold the secret of a
//! lease, and the manager does not. What it counted must be undone through it.

use std::fmt;

use sqlx::pool::PoolConnection;
use sqlx::{Database, PgConnection, PgPool, Postgres, SqlSafeStr, SqlStr};
use sqlx_core::transaction::TransactionManager;
use tokio::runtime::Handle;

use crate::error::Error;

type Manager = <Postgres as Database>::TransactionManager;

pub(super) struct Loan {
    connection: Option<PoolConnection<Postgres>>,
    runtime: Handle,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Confirmed to be outside a transaction: goes back to the pool.
    Idle,
    /// Perhaps in a transaction: a dropped loan is rolled back in the background.
    Open,
    /// The rollback is under way or has failed: a dropped loan is closed.
    Ending,
}

impl Loan {
    /// Takes a connection and begins a transaction on it. The statement is made once there is a connection to send it on, because
    /// waiting for one takes time.
    pub(super) async fn begin(pool: &PgPool, begin: impl FnOnce() -> Result<SqlStr, Error>) -> Result<Self, Error> {
        let runtime = Handle::try_current().map_err(Error::no_runtime)?;
        let connection = pool.acquire().await.map_err(Error::begin)?;
        let mut loan = Self { connection: Some(connection), runtime, state: State::Idle };
        let begin = begin()?;
        loan.state = State::Open;
        let connection = loan.connection().map_err(Error::begin)?;
        Manager::begin(connection, Some(begin)).await.map_err(Error::begin)?;
        Ok(loan)
    }

    /// The connection, to run an admitted statement on.
    pub(super) fn connection(&mut self) -> Result<&mut PgConnection, sqlx::Error> {
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// Commits. On an error, and if dropped, the loan rolls back.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        Manager::commit(self.connection()?).await?;
        self.state = State::Idle;
        Ok(())
    }

    /// Rolls back. On an error the loan closes the connection.
    pub(super) async fn roll_back(mut self) -> Result<(), sqlx::Error> {
        let result = self.send_rollback().await;
        self.state = match result {
            Ok(()) => State::Idle,
            Err(_) => State::Ending,
        };
        result
    }

    async fn send_rollback(&mut self) -> Result<(), sqlx::Error> {
        let connection = self.connection()?;
        if Manager::get_transaction_depth(connection) > 0 {
            Manager::rollback(connection).await
        } else {
            // `BEGIN` was dropped before it answered, so sqlx does not know of it and would send nothing.
            self.send("ROLLBACK").await
        }
    }

    /// Runs a command of the crate's own.
    pub(super) async fn send(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(sql.into_sql_str()).execute(self.connection()?).await?;
        Ok(())
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        // Dropping a `PoolConnection` spawns a task, and panics where there is no runtime.
        let _context = self.runtime.enter();
        match self.state {
            State::Idle => {}
            State::Open => {
                let loan = Self { connection: Some(connection), runtime: self.runtime.clone(), state: State::Ending };
                // A runtime that is shutting down drops the task, and with it the loan, which then closes.
                self.runtime.spawn(loan.roll_back());
                return;
            }
            State::Ending => connection.close_on_drop(),
        }
        drop(connection);
    }
}

impl fmt::Debug for Loan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").field("state", &self.state).finish_non_exhaustive()
    }
}
