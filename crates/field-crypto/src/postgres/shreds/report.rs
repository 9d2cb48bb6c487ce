//! What a shred has done, and from when on it is complete.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::data_key::Kcv;
use crate::error::{Error, Retry};
use crate::id::{KekId, KeyId, Purpose};
use crate::postgres::shreds::{ShredId, ShredTarget, unknown_state};

/// What came of executing a shred.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Execution {
    /// The keys are destroyed.
    Executed(ShredReport),
    /// It was executed before. What a restore has brought back is destroyed again.
    Repeated(ShredReport),
    /// It is too early.
    NotDue {
        /// When it may be executed, by the database's clock.
        execute_after: DateTime<Utc>,
    },
    /// It was called off.
    Cancelled,
    /// There is no such shred.
    Unknown,
}

/// What came of cancelling a shred.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cancellation {
    /// It is called off.
    Cancelled,
    /// It was before.
    AlreadyCancelled,
    /// Too late.
    Executed,
    /// There is no such shred.
    Unknown,
}

/// What came of replaying a shred after a restore.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Replay {
    /// Nothing of the target is left.
    Destroyed {
        /// How many keys the restore had brought back.
        keys: u64,
    },
    /// Nothing was changed: the database says that the shred was called off or was another one, or has another key under one
    /// of the numbers. Somebody has to look.
    Conflict,
}

/// How long backups are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retention {
    /// So long.
    For(Duration),
    /// Nobody knows, or for ever.
    Unlimited,
}

/// What a shred has destroyed, and from when on it is complete.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ShredReport {
    /// The shred.
    pub shred: ShredId,
    /// Whose keys.
    pub target: ShredTarget,
    /// The keys that were destroyed now.
    pub keys: Vec<DestroyedKey>,
    /// How many entries of registered blind indexes were emptied now.
    pub index_entries: u64,
    /// Since when the live database does not hold the keys. Processes that listen have forgotten them too; others do so within
    /// their cache lifetime.
    pub effective_live_at: DateTime<Utc>,
    /// From when on no backup holds the keys any more, wrapped as they are; `None` if backups are kept for ever.
    pub effective_in_backups_at: Option<DateTime<Utc>>,
    /// The key encryption keys that may have wrapped the keys in a backup. When all of them are destroyed, the keys of a
    /// tenant in older backups are of no use, also before
    /// [`effective_in_backups_at`](Self::effective_in_backups_at).
    pub keks: Vec<KekId>,
    /// The tenant's key that has wrapped the subject's: for a subject the key encryption keys do not suffice, as this key lives
    /// on, wrapped by newer ones. It has to be retired and destroyed too.
    pub wrapped_by: Option<KeyId>,
}

/// A key that was destroyed, for the audit log.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DestroyedKey {
    /// The key's number.
    pub key: KeyId,
    /// What it was for.
    pub purpose: Purpose,
    /// Its check value.
    pub kcv: Kcv,
}

/// `before, tenant_id, subject_id, execute_after, ended_at, keys, purposes, kcvs, keks, wrapped_by, index_entries`.
pub(crate) type ExecutionRow = (
    String,
    Uuid,
    Option<Uuid>,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Vec<i64>,
    Vec<String>,
    Vec<Vec<u8>>,
    Vec<String>,
    Option<i64>,
    i64,
);

/// What the row says of a shred that there is.
pub(crate) fn execution(shred: ShredId, row: ExecutionRow, backups: Retention) -> Result<Execution, Error> {
    let (before, tenant, subject, execute_after, ended_at, keys, purposes, kcvs, keks, wrapped_by, index_entries) = row;
    let effective_live_at = match (&*before, ended_at) {
        ("cancelled", _) => return Ok(Execution::Cancelled),
        ("scheduled", None) => return Ok(Execution::NotDue { execute_after }),
        ("scheduled" | "executed", Some(ended_at)) => ended_at,
        _ => return Err(unknown_state()),
    };
    let report = ShredReport {
        shred,
        target: ShredTarget::of(tenant, subject),
        keys: DestroyedKey::list(keys, &purposes, kcvs)?,
        index_entries: u64::try_from(index_entries).unwrap_or(0),
        effective_live_at,
        effective_in_backups_at: backups.end(effective_live_at),
        keks: keks.into_iter().map(KekId::new).collect::<Result<_, _>>()?,
        wrapped_by: wrapped_by.and_then(key_id),
    };
    Ok(if before == "scheduled" { Execution::Executed(report) } else { Execution::Repeated(report) })
}

impl Retention {
    /// The end of the last backup that was made before `at`.
    pub(crate) fn end(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::For(kept) => at.checked_add_signed(TimeDelta::from_std(kept).ok()?),
            Self::Unlimited => None,
        }
    }
}

impl DestroyedKey {
    pub(crate) fn list(keys: Vec<i64>, purposes: &[String], kcvs: Vec<Vec<u8>>) -> Result<Vec<Self>, Error> {
        let rows = keys.into_iter().zip(purposes).zip(kcvs);
        rows.map(|((key, purpose), kcv)| Self::of(key, purpose, &kcv).ok_or_else(unknown_key)).collect()
    }

    fn of(key: i64, purpose: &str, kcv: &[u8]) -> Option<Self> {
        Some(Self { key: key_id(key)?, purpose: self::purpose(purpose)?, kcv: <[u8; 16]>::try_from(kcv).ok()?.into() })
    }
}

pub(crate) fn key_id(number: i64) -> Option<KeyId> {
    u32::try_from(number).ok().and_then(KeyId::new)
}

pub(crate) fn purpose(name: &str) -> Option<Purpose> {
    [Purpose::Aead, Purpose::Index].into_iter().find(|purpose| purpose.as_str() == name)
}

pub(crate) fn unknown_key() -> Error {
    Error::store("the key table has an unknown key: is it of a later release?", Retry::Never)
}
