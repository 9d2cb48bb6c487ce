//! From the columns of a row to an entry.

use std::collections::BTreeMap;

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

use crate::{
    Digest, Error, Opening, Record, Salt,
    fields::{Fields, decode_commitments},
    format,
    store::{Stored, stored},
};

/// The columns of `stockade_audit_entry e`.
macro_rules! entry_columns {
    () => {
        "e.entry_id, e.tenant_id, e.format AS stored_format, e.recorded_at, e.occurred_at, e.action, e.severity,
        e.outcome, e.actor_kind, e.actor_id, e.actor_role, e.on_behalf_of, e.impersonation, e.entity_type, e.entity_id,
        e.method, e.endpoint, e.status, e.request_id, e.before, e.after, e.changes, e.commitments, e.leaf AS stored_leaf"
    };
}
pub(super) use entry_columns;

/// What stands under the paths of an entry's personal values.
pub(super) type Payload = BTreeMap<String, Option<Opening>>;

/// The payloads of several entries. `None` for an entry stands for a row of it that cannot be read.
pub(super) type Payloads = BTreeMap<Uuid, Option<Payload>>;

// SQLite binds no lists, so the ids come as one blob.
const PAYLOADS: &str = "
WITH RECURSIVE wanted (at, entry_id) AS (
    SELECT 1, substr(?1, 1, 16) WHERE length(?1) >= 16
    UNION ALL
    SELECT at + 16, substr(?1, at + 16, 16) FROM wanted WHERE length(?1) >= at + 31
)
SELECT p.entry_id, p.path, p.value, p.salt
FROM wanted CROSS JOIN main.stockade_audit_payload p ON p.entry_id = wanted.entry_id";

/// Reads the payloads of the entries in these rows.
pub(super) async fn payloads(connection: &mut SqliteConnection, rows: &[SqliteRow]) -> Result<Payloads, Error> {
    let ids = rows.iter().filter_map(|row| row.try_get::<Option<Vec<u8>>, _>("entry_id").ok()?);
    let ids: Vec<u8> = ids.filter(|id| id.len() == 16).flatten().collect();
    let mut payloads = Payloads::new();
    for row in sqlx::query(PAYLOADS).bind(ids).fetch_all(connection).await? {
        let payload = payloads.entry(row.try_get("entry_id")?).or_insert_with(|| Some(Payload::new()));
        match (payload.as_mut(), opening(&row)) {
            (Some(payload), Some((path, opening))) => drop(payload.insert(path, opening)),
            _ => *payload = None,
        }
    }
    Ok(payloads)
}

/// Reads the columns of `stockade_audit_entry`. `None` if they are not what recording could have
/// written.
pub(super) fn fields(row: &SqliteRow) -> Option<Fields> {
    let recorded_at = row.try_get("recorded_at").ok()?;
    stored::fields(row, recorded_at, row.try_get("occurred_at").ok()?, commitments(row)?)
}

/// Rows in groups that have the same value in this column, by which they are sorted.
pub(super) fn by<'r>(rows: &'r [SqliteRow], column: &'r str) -> impl Iterator<Item = &'r [SqliteRow]> {
    let value = move |row: &SqliteRow| row.try_get::<Vec<u8>, _>(column).ok();
    rows.chunk_by(move |one, next| value(one) == value(next))
}

/// What opens the commitments of an entry, in the order of their paths. `None` if there is more
/// than that.
pub(super) fn openings(fields: &Fields, payloads: &Payloads) -> Option<Vec<Option<Opening>>> {
    let none = Some(Payload::new());
    let payload = payloads.get(&fields.entry_id).unwrap_or(&none).as_ref()?;
    let mut known = 0;
    let opening = |(path, _): &(String, Digest)| {
        let opening = payload.get(path);
        known += usize::from(opening.is_some());
        opening.cloned().flatten()
    };
    let openings = fields.commitments.iter().map(opening).collect();
    (known == payload.len()).then_some(openings)
}

/// Reads an entry with what opens it. After an outer join, an entry that is not there has no id.
pub(super) fn stored(row: &SqliteRow, payloads: &Payloads) -> Stored {
    if matches!(row.try_get::<Option<Vec<u8>>, _>("entry_id"), Ok(None)) {
        return Stored::Missing;
    }
    match row.try_get::<i64, _>("stored_format").ok().and_then(|format| u16::try_from(format).ok()) {
        Some(format::FORMAT) => record(row, payloads).map_or(Stored::Unreadable, Stored::Record),
        Some(format) => Stored::UnknownFormat(format),
        None => Stored::Unreadable,
    }
}

fn record(row: &SqliteRow, payloads: &Payloads) -> Option<Record> {
    let fields = fields(row)?;
    let openings = openings(&fields, payloads)?;
    let record = Record::new(fields.encode().ok()?, openings).ok()?;
    let leaf = Digest::try_from(row.try_get::<&[u8], _>("stored_leaf").ok()?).ok()?;
    (leaf == record.leaf()).then_some(record)
}

fn opening(row: &SqliteRow) -> Option<(String, Option<Opening>)> {
    let path = row.try_get("path").ok()?;
    let (value, salt) =
        (row.try_get::<Option<Vec<u8>>, _>("value").ok()?, row.try_get::<Option<Vec<u8>>, _>("salt").ok()?);
    let opening = match (value, salt) {
        (Some(value), Some(salt)) => Some(Opening { value, salt: Salt::from(<[u8; 32]>::try_from(salt).ok()?) }),
        _ => None,
    };
    Some((path, opening))
}

fn commitments(row: &SqliteRow) -> Option<Vec<(String, Digest)>> {
    match row.try_get::<Option<&[u8]>, _>("commitments").ok()? {
        None => Some(Vec::new()),
        Some([]) => None,
        Some(bytes) => {
            let decoded = decode_commitments(bytes)?.into_iter();
            Some(decoded.map(|(path, commitment)| (path.to_owned(), commitment)).collect())
        }
    }
}
