//! The store itself: one statement a method.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

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

/// A [`Store`] in PostgreSQL.
///
/// Each method is one statement on one connection, outside any transaction of the application.
#[derive(Debug, Clone)]
pub struct PgStore(pub(super) PgPool);

impl PgStore {
    /// A store over a pool whose login is a member of the role `stockade_auth`.
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self(pool)
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.0
    }
}

impl Store for PgStore {
    async fn insert_account(&self, account: &NewAccountRecord) -> Result<bool> {
        account::insert(&self.0, account).await.map_err(failed)
    }

    async fn account(&self, by: Lookup<'_>) -> Result<Option<AccountRecord>> {
        account::find(&self.0, by).await.map_err(failed)
    }

    async fn replace_password_hash(&self, user: UserId, old: &str, new: &str) -> Result<bool> {
        account::replace_password_hash(&self.0, user, old, new).await.map_err(failed)
    }

    async fn put_pending_totp(&self, user: UserId, sealed_seed: &[u8]) -> Result<bool> {
        account::put_pending_totp(&self.0, user, sealed_seed).await.map_err(failed)
    }

    async fn totp(&self, user: UserId) -> Result<Option<TotpRecord>> {
        account::totp(&self.0, user).await.map_err(failed)
    }

    async fn activate_totp(&self, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
        account::activate_totp(&self.0, user, sealed_seed, step).await.map_err(failed)
    }

    async fn consume_totp_step(&self, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
        account::consume_totp_step(&self.0, user, sealed_seed, step).await.map_err(failed)
    }

    async fn reserve_attempt(
        &self,
        bucket: &Digest,
        policy: &LockoutPolicy,
        now: DateTime<Utc>,
    ) -> Result<Reservation> {
        attempt::reserve(&self.0, bucket, policy, now).await.map_err(failed)
    }

    async fn clear_attempts(&self, bucket: &Digest) -> Result<()> {
        attempt::clear(&self.0, bucket).await.map_err(failed)
    }

    async fn insert_flow(&self, digest: &Digest, flow: &FlowRecord) -> Result<()> {
        flow::insert(&self.0, digest, flow).await.map_err(failed)
    }

    async fn flow(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<FlowRecord>> {
        flow::find(&self.0, digest, now).await.map_err(failed)
    }

    async fn finish_flow(&self, digest: &Digest, now: DateTime<Utc>) -> Result<bool> {
        flow::finish(&self.0, digest, now).await.map_err(failed)
    }

    async fn insert_session(&self, digest: &Digest, session: &SessionRecord) -> Result<()> {
        session::insert(&self.0, digest, session).await.map_err(failed)
    }

    async fn resolve(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        session::resolve(&self.0, digest, now).await.map_err(failed)
    }

    async fn touch(&self, sid: SessionId, now: DateTime<Utc>, unless_after: DateTime<Utc>) -> Result<bool> {
        session::touch(&self.0, sid, now, unless_after).await.map_err(failed)
    }

    async fn rotate(&self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        session::rotate(&self.0, old, new, now).await.map_err(failed)
    }

    async fn revoke(&self, sid: SessionId, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        session::revoke(&self.0, sid, now).await.map_err(failed)
    }

    async fn bump_version(&self, scope: Scope) -> Result<bool> {
        account::bump_version(&self.0, scope).await.map_err(failed)
    }

    async fn sessions(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionRecord>> {
        session::of_user(&self.0, user, now).await.map_err(failed)
    }

    async fn stats(&self, prefix: &str) -> Result<Stats> {
        account::stats(&self.0, prefix).await.map_err(failed)
    }
}

/// Connection trouble and conflicts between transactions may pass; anything else would repeat.
pub(super) fn failed(error: sqlx::Error) -> Error {
    let passing = match &error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(database) => database.code().is_some_and(|code| {
            // Connection exceptions, rollbacks, lack of resources, operator intervention.
            ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
        }),
        _ => false,
    };
    if passing { Error::store_unavailable(error) } else { Error::store(error) }
}
