//! From the columns of a row to an entry.

use chrono::{DateTime, Utc};
use sqlx::{Row as _, postgres::PgRow};
use uuid::Uuid;

use crate::{
    Digest, Opening, Record, Salt,
    fields::Fields,
    format,
    store::{
        Stored,
        stored::{self, optional},
    },
};

/// The columns of `audit_entry e`. JSON as text, because a text is what was hashed.
macro_rules! entry_columns {
    () => {
        "e.entry_id, e.tenant_id, e.format AS stored_format, e.recorded_at, e.occurred_at, e.action, e.severity,
        e.outcome, e.actor_kind, e.actor_id, e.actor_role, e.on_behalf_of, e.impersonation, e.entity_type, e.entity_id,
        e.method, e.endpoint, e.status, e.request_id, e.before::text AS before, e.after::text AS after,
        e.changes::text AS changes, e.personal_paths, e.commitments, e.leaf AS stored_leaf"
    };
}
pub(super) use entry_columns;

/// Reads the columns of `audit_entry`, which may all be NULL after an outer join.
///
/// `None` if they are not what recording could have written. Says so instead of failing, because a
/// row that somebody changed must become a verdict.
pub(super) fn fields(row: &PgRow) -> Option<Fields> {
    let recorded_at = millis(row.try_get("recorded_at").ok()?)?;
    let occurred_at = optional(row.try_get::<Option<DateTime<Utc>>, _>("occurred_at").ok()?, millis)?;
    stored::fields(row, recorded_at, occurred_at, commitments(row)?)
}

/// Reads the columns `field_values` and `salts` of `audit_payload`.
pub(super) fn openings(row: &PgRow) -> Option<Vec<Option<Opening>>> {
    let values = row.try_get::<Option<Vec<Option<Vec<u8>>>>, _>("field_values").ok()?.unwrap_or_default();
    let salts = row.try_get::<Option<Vec<Option<Vec<u8>>>>, _>("salts").ok()?.unwrap_or_default();
    if values.len() != salts.len() {
        return None;
    }
    let opening = |(value, salt): (Option<Vec<u8>>, Option<Vec<u8>>)| match (value, salt) {
        (Some(value), Some(salt)) => Some(Some(Opening { value, salt: Salt::from(<[u8; 32]>::try_from(salt).ok()?) })),
        _ => Some(None),
    };
    values.into_iter().zip(salts).map(opening).collect()
}

/// Reads an entry with what opens it. After an outer join, an entry that is not there has no id.
pub(super) fn stored(row: &PgRow) -> Stored {
    if matches!(row.try_get::<Option<Uuid>, _>("entry_id"), Ok(None)) {
        return Stored::Missing;
    }
    match format(row) {
        Some(format::FORMAT) => record(row).map_or(Stored::Unreadable, Stored::Record),
        Some(format) => Stored::UnknownFormat(format),
        None => Stored::Unreadable,
    }
}

/// The format of the row, if it is one.
pub(super) fn format(row: &PgRow) -> Option<u16> {
    row.try_get::<i16, _>("stored_format").ok().and_then(|format| u16::try_from(format).ok())
}

/// The leaf that was stored with the entry, if it is one.
pub(super) fn leaf(row: &PgRow) -> Option<Digest> {
    Digest::try_from(row.try_get::<Vec<u8>, _>("stored_leaf").ok()?.as_slice()).ok()
}

fn record(row: &PgRow) -> Option<Record> {
    let envelope = fields(row)?.encode().ok()?;
    let record = Record::new(envelope, openings(row)?).ok()?;
    (leaf(row)? == record.leaf()).then_some(record)
}

fn commitments(row: &PgRow) -> Option<Vec<(String, Digest)>> {
    let paths = row.try_get::<Option<Vec<String>>, _>("personal_paths").ok()?;
    let commitments = row.try_get::<Option<Vec<Vec<u8>>>, _>("commitments").ok()?;
    match (paths, commitments) {
        (None, None) => Some(Vec::new()),
        (Some(paths), Some(commitments)) if paths.len() == commitments.len() && !paths.is_empty() => {
            let digests = commitments.iter().map(|bytes| Digest::try_from(bytes.as_slice()).ok());
            paths.into_iter().zip(digests).map(|(path, digest)| digest.map(|digest| (path, digest))).collect()
        }
        _ => None,
    }
}

/// Milliseconds of a time that has nothing below them.
fn millis(time: DateTime<Utc>) -> Option<i64> {
    time.timestamp_subsec_nanos().is_multiple_of(1_000_000).then(|| time.timestamp_millis())
}
