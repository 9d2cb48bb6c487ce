//! Recording, in the caller's transaction.

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};
use uuid::Uuid;

use crate::{
    ChainId, Digest, Entry, Error, Head, Opening, TenantId,
    entry::Composed,
    error::Repr,
    fields::{Fields, encode_commitments},
    format,
    store::Receipt,
};

// A write, so that no other connection can move the head between here and the commit; SQLite waits
// for the lock as long as the connection's busy timeout says.
const LOCK_HEAD: &str = "
UPDATE main.stockade_audit_head SET seq = seq WHERE tenant_id = ?1 RETURNING chain_id, seq, hash";

const BEGIN_CHAIN: &str = "
INSERT INTO main.stockade_audit_head (tenant_id, chain_id, seq, hash) VALUES (?1, ?2, 0, ?3)";

const ENTRY: &str = "
INSERT INTO main.stockade_audit_entry (
    entry_id, tenant_id, format, recorded_at, occurred_at, action, severity, outcome, actor_kind, actor_id,
    actor_role, on_behalf_of, impersonation, entity_type, entity_id, method, endpoint, status, request_id,
    before, after, changes, commitments, leaf)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)";

const PAYLOAD: &str = "
INSERT INTO main.stockade_audit_payload (entry_id, path, value, salt) VALUES (?1, ?2, ?3, ?4)";

// A trigger moves the head.
const LINK: &str = "
INSERT INTO main.stockade_audit_link (tenant_id, seq, entry_id, prev, leaf, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Records an entry in the caller's transaction and seals it, with the system's time.
///
/// Begin the transaction with `begin_with("BEGIN IMMEDIATE")`. In one that was begun with `begin`,
/// recording takes the write lock itself, which SQLite refuses with an error that
/// [`is_retryable`](Error::is_retryable) if the transaction has read and somebody else has written
/// since. On a connection without a transaction, recording makes one of its own.
///
/// An entry is recorded whole or not at all, also when the call is dropped. But SQLite does not
/// spoil a transaction in which a statement failed: return the error, so that the transaction is
/// rolled back, or the change commits without its entry.
///
/// # Errors
/// [`InvalidEntry`](crate::ErrorKind::InvalidEntry) if a part cannot be recorded,
/// [`Unavailable`](crate::ErrorKind::Unavailable) or [`Contended`](crate::ErrorKind::Contended) if
/// somebody else is writing, [`Refused`](crate::ErrorKind::Refused) if the stored chain does not
/// take the link; and the errors of the connection.
pub async fn record(connection: &mut SqliteConnection, entry: &Entry) -> Result<Receipt, Error> {
    record_at(connection, entry, Utc::now()).await
}

/// [`record`], with the time from the caller's clock.
///
/// # Errors
/// As [`record`].
pub async fn record_at(connection: &mut SqliteConnection, entry: &Entry, now: DateTime<Utc>) -> Result<Receipt, Error> {
    let composed = entry.compose(now)?;
    let mut tx = begin(connection).await?;
    let receipt = append(&mut tx, composed, now).await?;
    tx.commit().await?;
    Ok(receipt)
}

async fn append(connection: &mut SqliteConnection, composed: Composed, now: DateTime<Utc>) -> Result<Receipt, Error> {
    let Composed { fields, openings, envelope } = composed;
    let (entry_id, leaf) = (fields.entry_id, envelope.leaf());
    let recorded_at = DateTime::from_timestamp_millis(fields.recorded_at).unwrap_or(now);
    let mut head = lock_head(connection, fields.tenant.into()).await?;
    let link = head.append(entry_id, leaf)?;
    let paths: Vec<String> = fields.commitments.iter().map(|(path, _)| path.clone()).collect();
    insert_entry(connection, fields, leaf).await?;
    for (path, Opening { value, salt }) in paths.into_iter().zip(openings) {
        let payload = sqlx::query(PAYLOAD).bind(entry_id).bind(path).bind(value).bind(salt.as_bytes().to_vec());
        expect_one(payload.execute(&mut *connection).await?.rows_affected())?;
    }
    let row = sqlx::query(LINK)
        .bind(Uuid::from(link.tenant))
        .bind(link.seq.cast_signed())
        .bind(link.entry_id)
        .bind(link.prev.as_bytes().to_vec())
        .bind(link.leaf.as_bytes().to_vec())
        .bind(link.hash.as_bytes().to_vec());
    expect_one(row.execute(connection).await?.rows_affected())?;
    Ok(Receipt { entry_id, leaf, recorded_at, link: Some(link) })
}

/// A savepoint of the caller's transaction, or a transaction if the caller has none.
pub(super) async fn begin(connection: &mut SqliteConnection) -> Result<Transaction<'_, Sqlite>, Error> {
    Ok(match connection.is_in_transaction() {
        true => connection.begin().await?,
        false => connection.begin_with("BEGIN IMMEDIATE").await?,
    })
}

/// The head of a tenant, with the file's write lock. Begins the chain if there is none.
async fn lock_head(connection: &mut SqliteConnection, tenant: Uuid) -> Result<Head, Error> {
    let stored = sqlx::query_as::<_, (Uuid, i64, Vec<u8>)>(LOCK_HEAD).bind(tenant);
    if let Some((chain, seq, hash)) = stored.fetch_optional(&mut *connection).await? {
        return Head::stored(tenant, chain, seq, &hash);
    }
    let head = Head::genesis(tenant.into(), ChainId::random()?);
    let row = sqlx::query(BEGIN_CHAIN).bind(tenant).bind(head.chain.as_uuid()).bind(head.hash.as_bytes().to_vec());
    expect_one(row.execute(connection).await?.rows_affected())?;
    Ok(head)
}

/// Takes the file's write lock for a tenant whose chain may not have begun.
pub(super) async fn lock(connection: &mut SqliteConnection, tenant: TenantId) -> Result<(), Error> {
    sqlx::query(LOCK_HEAD).bind(Uuid::from(tenant)).fetch_optional(connection).await?;
    Ok(())
}

async fn insert_entry(connection: &mut SqliteConnection, fields: Fields, leaf: Digest) -> Result<(), Error> {
    let commitments = Some(encode_commitments(&fields.commitments)).filter(|commitments| !commitments.is_empty());
    let row = sqlx::query(ENTRY)
        .bind(fields.entry_id)
        .bind(Uuid::from(fields.tenant))
        .bind(format::FORMAT)
        .bind(fields.recorded_at)
        .bind(fields.occurred_at)
        .bind(fields.action)
        .bind(fields.severity)
        .bind(fields.outcome)
        .bind(fields.actor_kind)
        .bind(fields.actor_id)
        .bind(fields.actor_role)
        .bind(fields.on_behalf_of)
        .bind(fields.impersonation)
        .bind(fields.entity_type)
        .bind(fields.entity_id)
        .bind(fields.method)
        .bind(fields.endpoint)
        .bind(fields.status)
        .bind(fields.request_id)
        .bind(fields.before)
        .bind(fields.after)
        .bind(fields.changes)
        .bind(commitments)
        .bind(leaf.as_bytes().to_vec());
    expect_one(row.execute(connection).await?.rows_affected())
}

/// A trigger that somebody put on the table can swallow a row without an error.
pub(super) fn expect_one(rows: u64) -> Result<(), Error> {
    if rows == 1 { Ok(()) } else { Err(Repr::Swallowed.into()) }
}

/// The first whole millisecond that is not before a time.
pub(super) fn ceil_millis(time: DateTime<Utc>) -> i64 {
    let fraction = time.timestamp_subsec_nanos() % 1_000_000;
    time.timestamp_millis().saturating_add(i64::from(fraction > 0))
}
