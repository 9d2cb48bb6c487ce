//! Forgetting personal values, and showing that it was done.

use std::collections::BTreeSet;

use sqlx::{Row as _, SqliteConnection, sqlite::SqliteRow};
use uuid::Uuid;

use super::{
    appending,
    columns::{self, Payloads, entry_columns},
};
use crate::{
    Digest, ErasedValue, ErasureEvidence, ErasureRequest, Error, Record, TenantId,
    format::{self, tag_of_path},
    store::{Erasure, Stored, Subject},
};

macro_rules! candidates {
    ($condition:literal) => {
        concat!(
            "SELECT l.leaf AS sealed_leaf, EXISTS (SELECT 1 FROM main.stockade_audit_held h
                WHERE h.tenant_id = e.tenant_id AND (h.since IS NULL OR e.recorded_at >= h.since)
                    AND (h.until IS NULL OR e.recorded_at < h.until)) AS held, ",
            entry_columns!(),
            " FROM main.stockade_audit_entry e
            JOIN main.stockade_audit_link l ON l.entry_id = e.entry_id AND l.tenant_id = e.tenant_id
            WHERE e.tenant_id = ?1 AND ",
            $condition
        )
    };
}

const INSERT: &str = "
INSERT INTO main.stockade_audit_erased (entry_id, path, commitment, erased_by) VALUES (?1, ?2, ?3, ?4)";

const EVIDENCE: &str = concat!(
    "SELECT x.entry_id AS erased_entry, x.path, x.commitment, x.erased_by, ",
    entry_columns!(),
    " FROM main.stockade_audit_erased x
    LEFT JOIN main.stockade_audit_entry e ON e.entry_id = x.erased_by
    WHERE x.erased_by IN (SELECT t.entry_id FROM main.stockade_audit_entry t
            WHERE t.tenant_id = ?1 AND t.action = 'audit.erased')
    ORDER BY x.erased_by, x.entry_id, x.path"
);

/// Erases personal values of a tenant, in the caller's transaction, and records an entry that says
/// so. The commitments stay, so everything still verifies.
///
/// The file may hold the old bytes until it is vacuumed: set `PRAGMA secure_delete = ON`, or
/// `VACUUM` afterwards, and mind copies and the write-ahead log.
///
/// # Errors
/// As [`record`](super::record). What a hold or an alteration keeps is not an error.
pub async fn erase(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    subject: &Subject,
    request: &ErasureRequest,
) -> Result<Erasure, Error> {
    let mut tx = appending::begin(connection).await?;
    // First of all, so that nobody records, erases or holds in between.
    appending::lock(&mut tx, tenant).await?;
    let (mut erased, mut held, mut altered) = (Vec::new(), Vec::new(), Vec::new());
    let rows = selected(&mut tx, tenant, subject).await?;
    let payloads = columns::payloads(&mut tx, &rows).await?;
    for row in &rows {
        let is_held: bool = row.try_get("held")?;
        for (value, opens) in values(row, &payloads, subject) {
            match (opens, is_held) {
                (false, _) => altered.push(value),
                (true, true) => held.push(value),
                (true, false) => erased.push(value),
            }
        }
    }
    for list in [&mut erased, &mut held, &mut altered] {
        list.sort_unstable();
    }
    let root = ErasureEvidence::root(&erased);
    if erased.is_empty() {
        return Ok(Erasure { receipt: None, erased, root, held, altered });
    }
    let receipt = appending::record(&mut tx, &request.entry(tenant, &erased)).await?;
    for value in &erased {
        let row = sqlx::query(INSERT)
            .bind(value.entry_id)
            .bind(&value.path)
            .bind(value.commitment.as_bytes().to_vec())
            .bind(receipt.entry_id);
        appending::expect_one(row.execute(&mut *tx).await?.rows_affected())?;
    }
    tx.commit().await?;
    Ok(Erasure { receipt: Some(receipt), erased, root, held, altered })
}

/// The evidence of every erasure of a tenant.
pub(super) async fn evidence(
    connection: &mut SqliteConnection,
    tenant: TenantId,
) -> Result<Vec<ErasureEvidence>, Error> {
    let rows = sqlx::query(EVIDENCE).bind(Uuid::from(tenant)).fetch_all(connection).await?;
    let read = |rows: &[SqliteRow]| {
        // The erasure's own personal values are no part of what it states.
        let envelope = columns::fields(rows.first()?)?.encode().ok()?;
        let values = rows.iter().filter_map(erased_value).collect();
        Some(ErasureEvidence::new(Record::new(envelope, Vec::new()).ok()?, values))
    };
    // Evidence that cannot be read covers nothing, and what it should have covered is found.
    Ok(columns::by(&rows, "erased_by").filter_map(read).collect())
}

async fn selected(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    subject: &Subject,
) -> Result<Vec<SqliteRow>, Error> {
    let id = Uuid::from(tenant);
    let query = match subject {
        Subject::Actor(actor) => sqlx::query(candidates!("e.actor_id = ?2")).bind(id).bind(actor),
        Subject::Entity { kind, id: entity } => {
            sqlx::query(candidates!("e.entity_type = ?2 AND e.entity_id = ?3")).bind(id).bind(kind).bind(entity)
        }
        Subject::Values(values) => {
            let mut rows = Vec::new();
            for entry_id in values.iter().map(|(entry_id, _)| entry_id).collect::<BTreeSet<_>>() {
                let entry = sqlx::query(candidates!("e.entry_id = ?2")).bind(id).bind(entry_id);
                rows.extend(entry.fetch_optional(&mut *connection).await?);
            }
            return Ok(rows);
        }
    };
    Ok(query.fetch_all(connection).await?)
}

/// The values of an entry that the subject means and that are still there, and whether each is what
/// was recorded: in an entry that is what was sealed, under the commitment that it opens.
fn values(row: &SqliteRow, payloads: &Payloads, subject: &Subject) -> Vec<(ErasedValue, bool)> {
    let Some(fields) = columns::fields(row) else { return Vec::new() };
    let leaf = |column| Digest::try_from(row.try_get::<&[u8], _>(column).ok()?).ok();
    let whole =
        matches!(columns::stored(row, payloads), Stored::Record(_)) && leaf("stored_leaf") == leaf("sealed_leaf");
    let openings = columns::openings(&fields, payloads);
    let value = |(place, (path, commitment)): (usize, (String, Digest))| {
        let opens = match openings.as_ref().map(|openings| openings.get(place).cloned().flatten()) {
            Some(Some(opening)) => tag_of_path(&path).is_some_and(|tag| opening.commitment(tag) == commitment),
            Some(None) => return None, // erased before, or missing, which verification says
            None => false,
        };
        Some((ErasedValue { entry_id: fields.entry_id, path, commitment }, whole && opens))
    };
    let meant =
        fields.commitments.into_iter().enumerate().filter(|(_, (path, _))| means(subject, fields.entry_id, path));
    meant.filter_map(value).collect()
}

fn means(subject: &Subject, entry_id: Uuid, path: &str) -> bool {
    let of_actor = [format::NAME_PATH, format::IP_PATH, format::USER_AGENT_PATH].contains(&path);
    match subject {
        Subject::Actor(_) => of_actor,
        Subject::Entity { .. } => !of_actor,
        Subject::Values(values) => values.iter().any(|(id, wanted)| *id == entry_id && wanted == path),
    }
}

fn erased_value(row: &SqliteRow) -> Option<ErasedValue> {
    Some(ErasedValue {
        entry_id: row.try_get("erased_entry").ok()?,
        path: row.try_get("path").ok()?,
        commitment: Digest::try_from(row.try_get::<&[u8], _>("commitment").ok()?).ok()?,
    })
}
