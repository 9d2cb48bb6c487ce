//! Destroying the keys of a person or a tenant, after a time in which it can be called off.

mod report;
mod shred;
mod tombstone;

use sqlx::PgPool;
use uuid::Uuid;

use self::report::ExecutionRow;
pub use self::report::{Cancellation, DestroyedKey, Execution, Replay, Retention, ShredReport};
use self::shred::ShredRow;
pub use self::shred::{Shred, ShredId, ShredRequest, ShredState, ShredTarget};
pub use self::tombstone::Tombstone;
use self::tombstone::TombstoneRow;
use crate::error::{Error, Retry};
use crate::id::TenantId;
use crate::postgres::columns::SealedColumns;
use crate::postgres::failure::store_error;

/// The shreds of a database, in `stockade.field_shreds`.
///
/// [`schedule`](Self::schedule) and [`cancel`](Self::cancel) need a login role that is a member of `stockade_keyring`,
/// [`execute`](Self::execute) one of `stockade_shredder` that may also update the blind index columns: with two pools,
/// neither role destroys a key alone. A refusal is a value; an error means that nothing is known to have happened.
///
/// Processes that hold the keys in their cache forget them when their [`KeyListener`](crate::postgres::KeyListener) hears of
/// it, at once; without one when their cache lifetime ends. A process of its own that has none calls
/// [`Vault::evict`](crate::Vault::evict).
#[derive(Clone, Debug)]
pub struct PgShreds {
    pool: PgPool,
}

const SCHEDULE: &str = "SELECT shred_id, tenant_id, subject_id, reason, requested_by, requested_at, execute_after, state, \
    ended_by, ended_at FROM stockade.field_shred_schedule($1, $2, $3, $4, $5, $6)";
const CANCEL: &str = "SELECT stockade.field_shred_cancel($1, $2)";
const DUE: &str = "SELECT shred_id, tenant_id, subject_id, reason, requested_by, requested_at, execute_after, state, \
    ended_by, ended_at FROM stockade.field_shreds WHERE state = 'scheduled' AND execute_after <= now() ORDER BY execute_after";
const HISTORY: &str = "SELECT shred_id, tenant_id, subject_id, reason, requested_by, requested_at, execute_after, state, \
    ended_by, ended_at FROM stockade.field_shreds WHERE tenant_id = $1 ORDER BY requested_at, shred_id";
const ONE: &str = "SELECT shred_id, tenant_id, subject_id, reason, requested_by, requested_at, execute_after, state, \
    ended_by, ended_at FROM stockade.field_shreds WHERE shred_id = $1";
const EXECUTE: &str = "SELECT before, tenant_id, subject_id, execute_after, ended_at, keys, purposes, kcvs, keks, wrapped_by, \
    index_entries FROM stockade.field_shred_run($1, $2, $3, $4, $5, $6, $7)";
const TOMBSTONES: &str = "SELECT s.shred_id, s.tenant_id, s.subject_id, s.ended_at, k.key_id, k.owner, k.purpose, k.kcv \
    FROM stockade.field_shreds s JOIN ( \
        SELECT tenant_id, NULL::uuid AS owner, key_id, purpose, kcv, state FROM stockade.field_keys \
        UNION ALL SELECT tenant_id, subject_id, key_id, 'aead', kcv, state FROM stockade.field_subject_keys \
    ) k ON k.tenant_id = s.tenant_id AND (s.subject_id IS NULL OR s.subject_id = k.owner) \
    WHERE s.state = 'executed' AND k.state = 'destroyed' ORDER BY s.ended_at, s.shred_id, k.key_id";
const REPLAY: &str = "SELECT stockade.field_shred_replay($1, $2, $3, $4, $5, $6, $7, $8)";

impl PgShreds {
    /// The shreds of the pool's database.
    #[must_use]
    pub const fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Plans a shred, or returns the one that is planned for the target already, whose date and reason stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store), as all methods here: if the database fails, or refuses what does not fit
    /// the table. A reason has 1 to 1000 bytes, a name 1 to 200.
    pub async fn schedule(&self, request: &ShredRequest) -> Result<Shred, Error> {
        let row: ShredRow = sqlx::query_as(SCHEDULE)
            .bind(Uuid::from(request.id))
            .bind(request.target.tenant().as_uuid())
            .bind(request.target.subject().map(Uuid::from))
            .bind(i64::try_from(request.grace.as_secs()).unwrap_or(i64::MAX))
            .bind(&request.reason)
            .bind(&request.by)
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)?;
        Shred::of(row)
    }

    /// Calls a shred off that was not executed yet. It stays in the history; the target can be scheduled again.
    ///
    /// # Errors
    ///
    /// As [`schedule`](Self::schedule).
    pub async fn cancel(&self, shred: ShredId, by: &str) -> Result<Cancellation, Error> {
        let before: Option<String> = sqlx::query_scalar(CANCEL)
            .bind(Uuid::from(shred))
            .bind(by)
            .fetch_one(&self.pool)
            .await
            .map_err(store_error)?;
        match before.as_deref() {
            None => Ok(Cancellation::Unknown),
            Some("scheduled") => Ok(Cancellation::Cancelled),
            Some("cancelled") => Ok(Cancellation::AlreadyCancelled),
            Some("executed") => Ok(Cancellation::Executed),
            Some(_) => Err(unknown_state()),
        }
    }

    /// What may be executed now, oldest first.
    ///
    /// # Errors
    ///
    /// As [`schedule`](Self::schedule).
    pub async fn due(&self) -> Result<Vec<Shred>, Error> {
        let rows: Vec<ShredRow> = sqlx::query_as(DUE).fetch_all(&self.pool).await.map_err(store_error)?;
        rows.into_iter().map(Shred::of).collect()
    }

    /// All shreds of a tenant and of its subjects, oldest first.
    ///
    /// # Errors
    ///
    /// As [`schedule`](Self::schedule).
    pub async fn history(&self, tenant: TenantId) -> Result<Vec<Shred>, Error> {
        let rows: Vec<ShredRow> =
            sqlx::query_as(HISTORY).bind(tenant.as_uuid()).fetch_all(&self.pool).await.map_err(store_error)?;
        rows.into_iter().map(Shred::of).collect()
    }

    /// Destroys the keys of a target whose shred is due, and empties the blind indexes of its rows: one statement, which
    /// happens as a whole or not at all.
    ///
    /// A shred that was executed is executed again: it destroys what a restore has brought back, and empties index entries
    /// that were written under handles from before. Do that once, a cache lifetime and the longest request later.
    ///
    /// The indexes are emptied under the rights of this pool's role, with `stockade.tenant_id` set to the tenant.
    ///
    /// # Errors
    ///
    /// As [`schedule`](Self::schedule). After an error nothing is destroyed, unless it was the connection that was lost: then
    /// the [`history`](Self::history) tells.
    pub async fn execute(
        &self,
        shred: ShredId,
        by: &str,
        columns: &SealedColumns,
        backups: Retention,
    ) -> Result<Execution, Error> {
        let places: Vec<_> =
            columns.layouts().flat_map(|layout| layout.indexes.iter().map(move |index| (layout, *index))).collect();
        let row: Option<ExecutionRow> = sqlx::query_as(EXECUTE)
            .bind(Uuid::from(shred))
            .bind(by)
            .bind(places.iter().map(|(layout, _)| layout.table).collect::<Vec<_>>())
            .bind(places.iter().map(|(layout, _)| layout.tenant).collect::<Vec<_>>())
            .bind(places.iter().map(|(layout, _)| layout.sealed).collect::<Vec<_>>())
            .bind(places.iter().map(|(layout, _)| layout.of_subject).collect::<Vec<_>>())
            .bind(places.iter().map(|(_, index)| *index).collect::<Vec<_>>())
            .fetch_optional(&self.pool)
            .await
            .map_err(store_error)?;
        row.map_or(Ok(Execution::Unknown), |row| report::execution(shred, row, backups))
    }

    /// One shred, if there is one of that name.
    ///
    /// # Errors
    ///
    /// As [`schedule`](Self::schedule).
    pub async fn find(&self, shred: ShredId) -> Result<Option<Shred>, Error> {
        let row: Option<ShredRow> =
            sqlx::query_as(ONE).bind(Uuid::from(shred)).fetch_optional(&self.pool).await.map_err(store_error)?;
        row.map(Shred::of).transpose()
    }

    /// All keys that were destroyed by shreds, to be kept outside the database and its backups: one line each, as text. After
    /// a restore [`replay`](Self::replay) destroys them again.
    ///
    /// # Errors
    ///
    /// As [`schedule`](Self::schedule).
    pub async fn tombstones(&self) -> Result<Vec<Tombstone>, Error> {
        let rows: Vec<TombstoneRow> = sqlx::query_as(TOMBSTONES).fetch_all(&self.pool).await.map_err(store_error)?;
        rows.into_iter().map(Tombstone::of).collect()
    }

    /// Destroys again what a restored backup has brought back, and puts the tombstones that it does not have: before the
    /// application starts on the restored database. One transaction for each shred; it can be repeated. Afterwards
    /// [`execute`](Self::execute) each of the shreds once, for the blind indexes.
    ///
    /// It needs a login role that is a member of `stockade_owner`, as it destroys what nobody has scheduled here.
    ///
    /// # Errors
    ///
    /// As [`schedule`](Self::schedule).
    pub async fn replay(&self, tombstones: &[Tombstone]) -> Result<Vec<(ShredId, Replay)>, Error> {
        let mut done = Vec::new();
        for group in tombstone::by_shred(tombstones) {
            let Some(first) = group.first() else { continue };
            let replayed: Result<i64, sqlx::Error> = sqlx::query_scalar(REPLAY)
                .bind(Uuid::from(first.shred))
                .bind(first.target.tenant().as_uuid())
                .bind(first.target.subject().map(Uuid::from))
                .bind(first.executed_at)
                .bind(group.iter().map(|t| i64::from(t.key.as_u32())).collect::<Vec<_>>())
                .bind(group.iter().map(|t| t.owner.map(Uuid::from)).collect::<Vec<_>>())
                .bind(group.iter().map(|t| t.purpose.as_str()).collect::<Vec<_>>())
                .bind(group.iter().map(|t| t.kcv.as_bytes().to_vec()).collect::<Vec<_>>())
                .fetch_one(&self.pool)
                .await;
            let outcome = match replayed {
                Ok(destroyed) => Replay::Destroyed { keys: u64::try_from(destroyed).unwrap_or(0) },
                Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "23000") => {
                    Replay::Conflict
                }
                Err(error) => return Err(store_error(error)),
            };
            done.push((first.shred, outcome));
        }
        Ok(done)
    }
}

fn unknown_state() -> Error {
    Error::store("a shred has an unknown state: is it of a later release?", Retry::Never)
}
