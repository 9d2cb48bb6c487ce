//! The store itself: one statement or one transaction a method.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::{Sqlite, SqlitePool, Transaction};
use tokio::sync::Mutex;

use super::{account, attempt, flow, session};
use crate::{
    error::{Error, Result},
    id::{SessionId, UserId},
    lockout::LockoutPolicy,
    session::{Scope, Stats},
    store::{
        AccountRecord, Digest, FlowRecord, Lookup, NewAccountRecord, Reservation, SessionRecord, Store, TotpRecord,
    },
};

/// A [`Store`] in SQLite. Clones share one turn to write.
///
/// Each method is one statement, or one transaction that takes the write lock as it begins, so that what it reads cannot change under it.
/// A file has one writer at a time. The writers of this store wait for each other in a fair queue; those of other processes, or of
/// another `SqliteStore`, as long as the connections' busy timeout says, after which the error is
/// [retryable](crate::Error::is_retryable).
#[derive(Debug, Clone)]
pub struct SqliteStore {
    pub(super) pool: SqlitePool,
    turn: Arc<Mutex<()>>,
}

impl SqliteStore {
    /// A store over a pool whose connections were opened as [`options`](super::options()) says.
    #[must_use]
    pub fn new(pool: SqlitePool) -> Self {
        Self { pool, turn: Arc::default() }
    }

    /// Runs a write when it is its turn. SQLite's own waiting sleeps, and does not queue.
    pub(super) async fn write<T>(&self, write: impl Future<Output = sqlx::Result<T>> + Send) -> Result<T> {
        let _turn = self.turn.lock().await;
        write.await.map_err(failed)
    }

    /// A transaction that has the write lock from its beginning.
    pub(super) async fn begin(&self) -> sqlx::Result<Transaction<'static, Sqlite>> {
        self.pool.begin_with("BEGIN IMMEDIATE").await
    }
}

impl Store for SqliteStore {
    async fn insert_account(&self, account: &NewAccountRecord) -> Result<bool> {
        self.write(account::insert(&self.pool, account)).await
    }

    async fn account(&self, by: Lookup<'_>) -> Result<Option<AccountRecord>> {
        account::find(&self.pool, by).await.map_err(failed)
    }

    async fn replace_password_hash(&self, user: UserId, old: &str, new: &str) -> Result<bool> {
        self.write(account::replace_password_hash(&self.pool, user, old, new)).await
    }

    async fn put_pending_totp(&self, user: UserId, sealed_seed: &[u8]) -> Result<bool> {
        self.write(account::put_pending_totp(&self.pool, user, sealed_seed)).await
    }

    async fn totp(&self, user: UserId) -> Result<Option<TotpRecord>> {
        account::totp(&self.pool, user).await.map_err(failed)
    }

    async fn activate_totp(&self, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
        self.write(account::activate_totp(&self.pool, user, sealed_seed, step)).await
    }

    async fn consume_totp_step(&self, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
        self.write(account::consume_totp_step(&self.pool, user, sealed_seed, step)).await
    }

    async fn reserve_attempt(
        &self,
        bucket: &Digest,
        policy: &LockoutPolicy,
        now: DateTime<Utc>,
    ) -> Result<Reservation> {
        self.write(attempt::reserve(&self.pool, bucket, policy, now)).await
    }

    async fn clear_attempts(&self, bucket: &Digest) -> Result<()> {
        self.write(attempt::clear(&self.pool, bucket)).await
    }

    async fn insert_flow(&self, digest: &Digest, flow: &FlowRecord) -> Result<()> {
        self.write(flow::insert(&self.pool, digest, flow)).await
    }

    async fn flow(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<FlowRecord>> {
        flow::find(&self.pool, digest, now).await.map_err(failed)
    }

    async fn finish_flow(&self, digest: &Digest, now: DateTime<Utc>) -> Result<bool> {
        self.write(flow::finish(&self.pool, digest, now)).await
    }

    async fn insert_session(&self, digest: &Digest, session: &SessionRecord) -> Result<()> {
        self.write(session::insert(&self.pool, digest, session)).await
    }

    async fn resolve(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        session::resolve(&self.pool, digest, now).await.map_err(failed)
    }

    async fn touch(&self, sid: SessionId, now: DateTime<Utc>, unless_after: DateTime<Utc>) -> Result<bool> {
        self.write(session::touch(&self.pool, sid, now, unless_after)).await
    }

    async fn rotate(&self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        self.write(session::replace(&self.pool, old, new, now, None)).await
    }

    async fn revoke(&self, sid: SessionId, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        self.write(session::revoke(&self.pool, sid, now)).await
    }

    async fn bump_version(&self, scope: Scope) -> Result<bool> {
        self.write(account::bump_version(&self.pool, scope)).await
    }

    async fn sessions(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionRecord>> {
        session::of_user(&self.pool, user, now).await.map_err(failed)
    }

    async fn stats(&self, prefix: &str) -> Result<Stats> {
        account::stats(&self.pool, prefix).await.map_err(failed)
    }
}

/// A file that somebody else is writing, and a pool without a free connection, may pass; anything else would repeat.
pub(super) fn failed(error: sqlx::Error) -> Error {
    let passing = match &error {
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        // SQLITE_BUSY and SQLITE_LOCKED: the lowest byte of an extended result code is the primary one.
        sqlx::Error::Database(database) => {
            database.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| matches!(code & 0xff, 5 | 6))
        }
        _ => false,
    };
    if passing { Error::store_unavailable(error) } else { Error::store(error) }
}
