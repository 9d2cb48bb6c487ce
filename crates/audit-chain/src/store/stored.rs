//! What a database holds where an entry should be.

use sqlx::{ColumnIndex, Decode, Row, Type};
use uuid::Uuid;

use crate::{Content, Digest, Record, fields::Fields};

/// What a row holds where an entry should be.
pub(crate) enum Stored {
    Record(Record),
    UnknownFormat(u16),
    Unreadable,
    Missing,
}

impl Stored {
    /// The same, as a verifier takes it.
    pub(crate) const fn content(&self) -> Content<'_> {
        match self {
            Self::Record(record) => Content::Record(record),
            Self::UnknownFormat(format) => Content::UnknownFormat(*format),
            Self::Unreadable => Content::Unreadable,
            Self::Missing => Content::Missing,
        }
    }
}

/// Reads the columns of an entry that every database has in the same form. `None` if they are not
/// what recording could have written.
pub(crate) fn fields<R>(
    row: &R,
    recorded_at: i64,
    occurred_at: Option<i64>,
    commitments: Vec<(String, Digest)>,
) -> Option<Fields>
where
    R: Row,
    for<'a> &'a str: ColumnIndex<R>,
    for<'a> String: Decode<'a, R::Database> + Type<R::Database>,
    for<'a> i16: Decode<'a, R::Database> + Type<R::Database>,
    for<'a> Uuid: Decode<'a, R::Database> + Type<R::Database>,
{
    Some(Fields {
        entry_id: row.try_get("entry_id").ok()?,
        tenant: row.try_get::<Uuid, _>("tenant_id").ok()?.into(),
        recorded_at,
        occurred_at,
        action: row.try_get("action").ok()?,
        severity: u8::try_from(row.try_get::<i16, _>("severity").ok()?).ok()?,
        outcome: row.try_get("outcome").ok()?,
        actor_kind: row.try_get("actor_kind").ok()?,
        actor_id: row.try_get("actor_id").ok()?,
        actor_role: row.try_get("actor_role").ok()?,
        on_behalf_of: row.try_get("on_behalf_of").ok()?,
        impersonation: row.try_get("impersonation").ok()?,
        entity_type: row.try_get("entity_type").ok()?,
        entity_id: row.try_get("entity_id").ok()?,
        method: row.try_get("method").ok()?,
        endpoint: row.try_get("endpoint").ok()?,
        status: optional(row.try_get::<Option<i16>, _>("status").ok()?, |status| u16::try_from(status).ok())?,
        request_id: row.try_get("request_id").ok()?,
        before: row.try_get("before").ok()?,
        after: row.try_get("after").ok()?,
        changes: row.try_get("changes").ok()?,
        commitments,
    })
}

/// Reads a value that may be absent; `None` if it is there and cannot be read.
pub(crate) fn optional<T, U>(value: Option<T>, read: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
    value.map_or(Some(None), |value| read(value).map(Some))
}
