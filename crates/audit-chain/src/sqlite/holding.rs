//! Legal holds.

use sqlx::SqliteConnection;
use uuid::Uuid;

use super::appending;
use crate::{
    Actor, Error, TenantId,
    store::{LegalHold, Receipt},
};

const PLACE: &str = "
INSERT INTO main.stockade_audit_hold (entry_id, hold_id, tenant_id, since, until, released)
VALUES (?1, ?1, ?2, ?3, ?4, 0)";

const RELEASE: &str = "
INSERT INTO main.stockade_audit_hold (entry_id, hold_id, tenant_id, since, until, released)
SELECT ?1, h.hold_id, h.tenant_id, h.since, h.until, 1 FROM main.stockade_audit_held h
WHERE h.hold_id = ?2 AND h.tenant_id = ?3";

/// Places a hold in the caller's transaction and records it. The receipt's entry is the hold's id.
/// What it covers is not erased until it is released.
///
/// # Errors
/// As [`record`](super::record).
pub async fn place_hold(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    hold: &LegalHold,
) -> Result<Receipt, Error> {
    let mut tx = appending::begin(connection).await?;
    let receipt = appending::record(&mut tx, &hold.entry(tenant)).await?;
    let row = sqlx::query(PLACE)
        .bind(receipt.entry_id)
        .bind(Uuid::from(tenant))
        .bind(hold.since.map(|time| time.timestamp_millis()))
        .bind(hold.until.map(appending::ceil_millis));
    appending::expect_one(row.execute(&mut *tx).await?.rows_affected())?;
    tx.commit().await?;
    Ok(receipt)
}

/// Releases a hold of this tenant in the caller's transaction and records it; `None`, and nothing
/// recorded, if there is no such hold or it was released before.
///
/// # Errors
/// As [`record`](super::record).
pub async fn release_hold(
    connection: &mut SqliteConnection,
    tenant: TenantId,
    hold: Uuid,
    actor: Actor,
    reason: &str,
) -> Result<Option<Receipt>, Error> {
    let mut tx = appending::begin(connection).await?;
    let receipt = appending::record(&mut tx, &LegalHold::release(tenant, hold, actor, reason)).await?;
    let row = sqlx::query(RELEASE).bind(receipt.entry_id).bind(hold).bind(Uuid::from(tenant));
    if row.execute(&mut *tx).await?.rows_affected() == 0 {
        tx.rollback().await?;
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(receipt))
}
