//! Many entries in one statement.

use chrono::{DateTime, Utc};
use sqlx::{Postgres, SqlSafeStr, postgres::PgArguments, query::Query};
use uuid::Uuid;

use crate::{Entry, Error, Opening, entry::Composed, fields::Fields, format, store::Receipt};

/// `given`: the rows of a batch, from 23 columns and the personal values of all rows with the
/// number of their row.
macro_rules! given {
    () => {
        "personal AS (
    SELECT p.n, array_agg(p.path ORDER BY p.place) AS paths, array_agg(p.commitment ORDER BY p.place) AS commitments,
        array_agg(p.value ORDER BY p.place) AS field_values, array_agg(p.salt ORDER BY p.place) AS salts
    FROM unnest($24::bigint[], $25::text[], $26::bytea[], $27::bytea[], $28::bytea[]) WITH ORDINALITY
        AS p (n, path, commitment, value, salt, place)
    GROUP BY p.n
), given AS MATERIALIZED (
    SELECT r.*, p.paths, p.commitments, p.field_values, p.salts
    FROM context CROSS JOIN unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::timestamptz[], $5::timestamptz[],
        $6::text[], $7::smallint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
        $14::text[], $15::text[], $16::text[], $17::text[], $18::smallint[], $19::text[], $20::text[], $21::text[],
        $22::text[], $23::bytea[]) WITH ORDINALITY
        AS r (entry_id, tenant_id, format, recorded_at, occurred_at, action, severity, outcome, actor_kind, actor_id,
            actor_role, on_behalf_of, impersonation, entity_type, entity_id, method, endpoint, status, request_id,
            before, after, changes, leaf, n)
    LEFT JOIN personal p ON p.n = r.n
), payload AS (
    INSERT INTO stockade.audit_payload (entry_id, tenant_id, field_values, salts)
    SELECT g.entry_id, g.tenant_id, g.field_values, g.salts FROM given g WHERE g.paths IS NOT NULL
), entry AS (
    INSERT INTO stockade.audit_entry (
        entry_id, tenant_id, format, recorded_at, occurred_at, action, severity, outcome, actor_kind, actor_id,
        actor_role, on_behalf_of, impersonation, entity_type, entity_id, method, endpoint, status, request_id,
        before, after, changes, personal_paths, commitments, leaf)
    SELECT g.entry_id, g.tenant_id, g.format, g.recorded_at, g.occurred_at, g.action, g.severity, g.outcome,
        g.actor_kind, g.actor_id, g.actor_role, g.on_behalf_of, g.impersonation, g.entity_type, g.entity_id, g.method,
        g.endpoint, g.status, g.request_id, g.before::json, g.after::json, g.changes::json, g.paths, g.commitments,
        g.leaf
    FROM given g ORDER BY g.n"
    };
}
pub(super) use given;

/// An entry on its way into the database.
pub(super) struct Row {
    pub(super) receipt: Receipt,
    fields: Fields,
    openings: Vec<Opening>,
}

impl Row {
    pub(super) fn compose(entry: &Entry, now: DateTime<Utc>) -> Result<Self, Error> {
        let Composed { fields, openings, envelope } = entry.compose(now)?;
        let recorded_at = time(fields.recorded_at).unwrap_or(now);
        let receipt = Receipt { entry_id: fields.entry_id, leaf: envelope.leaf(), recorded_at, link: None };
        Ok(Self { receipt, fields, openings })
    }

    pub(super) fn tenant(&self) -> Uuid {
        self.fields.tenant.into()
    }

    /// About how many bytes of memory it takes.
    pub(super) fn size(&self) -> usize {
        let fields = &self.fields;
        let texts = [&fields.before, &fields.after, &fields.changes, &fields.endpoint, &fields.request_id];
        let texts: usize = texts.iter().filter_map(|text| text.as_ref()).map(String::len).sum();
        let values: usize = self.openings.iter().map(|opening| opening.value.len()).sum();
        let commitments: usize = fields.commitments.iter().map(|(path, _)| path.len() + 128).sum();
        // What every entry has, and the names, which are short.
        size_of::<Self>() + 512 + texts + values + commitments
    }
}

/// Binds a batch to the first 28 parameters of a statement over `given`.
pub(super) fn bind<'q>(sql: impl SqlSafeStr, rows: &[&'q Row]) -> Query<'q, Postgres, PgArguments> {
    let personal = || {
        let of = |(row, n): (&&'q Row, i64)| {
            let row: &'q Row = row;
            row.fields.commitments.iter().zip(&row.openings).map(move |(committed, opening)| (n, committed, opening))
        };
        rows.iter().zip(1_i64..).flat_map(of)
    };
    sqlx::query(sql)
        .bind(column(rows, |row| row.entry_id))
        .bind(column(rows, |row| Uuid::from(row.tenant)))
        .bind(column(rows, |_| format::FORMAT.cast_signed()))
        .bind(column(rows, |row| time(row.recorded_at)))
        .bind(column(rows, |row| row.occurred_at.and_then(time)))
        .bind(column(rows, |row| row.action.as_str()))
        .bind(column(rows, |row| i16::from(row.severity)))
        .bind(column(rows, |row| row.outcome.as_str()))
        .bind(column(rows, |row| row.actor_kind.as_str()))
        .bind(column(rows, |row| row.actor_id.as_str()))
        .bind(column(rows, |row| row.actor_role.as_deref()))
        .bind(column(rows, |row| row.on_behalf_of.as_deref()))
        .bind(column(rows, |row| row.impersonation.as_deref()))
        .bind(column(rows, |row| row.entity_type.as_deref()))
        .bind(column(rows, |row| row.entity_id.as_deref()))
        .bind(column(rows, |row| row.method.as_deref()))
        .bind(column(rows, |row| row.endpoint.as_deref()))
        .bind(column(rows, |row| row.status.map(u16::cast_signed)))
        .bind(column(rows, |row| row.request_id.as_deref()))
        .bind(column(rows, |row| row.before.as_deref()))
        .bind(column(rows, |row| row.after.as_deref()))
        .bind(column(rows, |row| row.changes.as_deref()))
        .bind(rows.iter().map(|row| row.receipt.leaf.as_bytes().as_slice()).collect::<Vec<_>>())
        .bind(personal().map(|(n, ..)| n).collect::<Vec<_>>())
        .bind(personal().map(|(_, (path, _), _)| path.as_str()).collect::<Vec<_>>())
        .bind(personal().map(|(_, (_, commitment), _)| commitment.as_bytes().as_slice()).collect::<Vec<_>>())
        .bind(personal().map(|(.., opening)| opening.value.as_slice()).collect::<Vec<_>>())
        .bind(personal().map(|(.., opening)| opening.salt.as_bytes().as_slice()).collect::<Vec<_>>())
}

fn column<'q, T>(rows: &[&'q Row], value: impl Fn(&'q Fields) -> T) -> Vec<T> {
    rows.iter().map(|row| value(&row.fields)).collect()
}

fn time(millis: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(millis)
}
