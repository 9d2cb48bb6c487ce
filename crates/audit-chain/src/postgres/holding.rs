//! Legal holds.

use chrono::Utc;
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::appending;
use crate::{
    Actor, Error, TenantId,
    store::{LegalHold, Receipt},
};

const PLACE: &str = "SELECT stockade.audit_place_hold($1, $2, $3, $4, $5)";
const RELEASE: &str = "SELECT stockade.audit_release_hold($1, $2, $3, $4)";

/// Places a hold and records it. The receipt's entry is the hold's id.
///
/// Needs a connection in the role group `stockade_holder` that is in no transaction.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) without the role, and the errors of the connection.
pub async fn place_hold(connection: &mut PgConnection, tenant: TenantId, hold: &LegalHold) -> Result<Receipt, Error> {
    let composed = hold.entry(tenant).compose(Utc::now())?;
    let envelope = composed.envelope.encode().to_vec();
    let mut tx = connection.begin().await?;
    let receipt = appending::write(&mut *tx, composed).await?;
    let place = sqlx::query(PLACE).bind(receipt.entry_id).bind(Uuid::from(tenant)).bind(envelope);
    place.bind(hold.since).bind(hold.until).execute(&mut *tx).await?;
    tx.commit().await?;
    Ok(receipt)
}

/// Releases a hold of this tenant and records it; `None`, and nothing recorded, if there is no such hold or it was released
/// before.
///
/// Needs a connection in the role group `stockade_holder` that is in no transaction.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) without the role, and the errors of the connection.
pub async fn release_hold(
    connection: &mut PgConnection,
    tenant: TenantId,
    hold: Uuid,
    actor: Actor,
    reason: &str,
) -> Result<Option<Receipt>, Error> {
    let composed = LegalHold::release(tenant, hold, actor, reason).compose(Utc::now())?;
    let envelope = composed.envelope.encode().to_vec();
    let mut tx = connection.begin().await?;
    let receipt = appending::write(&mut *tx, composed).await?;
    let release = sqlx::query_scalar(RELEASE).bind(receipt.entry_id).bind(Uuid::from(tenant)).bind(envelope);
    let released: bool = release.bind(hold).fetch_one(&mut *tx).await?;
    if !released {
        tx.rollback().await?;
        return Ok(None);
    }
    tx.commit().await?;
    Ok(Some(receipt))
}
