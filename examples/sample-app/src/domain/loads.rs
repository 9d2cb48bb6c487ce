//! Loads: what a customer pays to have moved.

use chrono::NaiveDate;
use serde_json::{Value, json};
use stockade::{
    rbac::Resource,
    tenant_guard::{TenantId, TenantScoped, TenantTx},
};
use uuid::Uuid;

use super::money::Cents;
use crate::{
    desk::{Desk, Refused},
    permissions::Perm,
};

/// The states of a load, in order.
pub const STATUSES: [&str; 4] = ["quoted", "booked", "in transit", "delivered"];

/// A load.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Load {
    /// The tenant it belongs to.
    pub tenant_id: Uuid,
    /// The load.
    pub id: Uuid,
    /// What people call it, such as `AM-1042`.
    pub reference: String,
    /// Who pays.
    pub customer: String,
    /// From where.
    pub origin: String,
    /// To where.
    pub destination: String,
    /// Day of pick-up.
    pub pickup_on: NaiveDate,
    /// What the customer pays.
    pub rate_cents: Cents,
    /// One of [`STATUSES`].
    pub status: String,
    /// The person who looks after it.
    pub owner_id: Uuid,
}

impl TenantScoped for Load {
    fn tenant_id(&self) -> TenantId {
        self.tenant_id.into()
    }
}

impl Load {
    /// What the policy needs to know of it.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource::in_tenant(self.tenant_id).owner(self.owner_id)
    }

    fn audited(&self) -> Value {
        json!({ "rate_cents": self.rate_cents, "status": self.status })
    }
}

/// The loads of the tenant, the latest pick-up first.
///
/// # Errors
/// When the database fails.
pub async fn all(tx: &mut TenantTx) -> sqlx::Result<Vec<Load>> {
    sqlx::query_as("SELECT * FROM freight.loads ORDER BY pickup_on DESC, reference LIMIT 200").fetch_all(tx).await
}

/// One load, if the tenant has it.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<Load>> {
    sqlx::query_as("SELECT * FROM freight.loads WHERE id = $1").bind(id).fetch_optional(tx).await
}

/// What a person may change about a load.
#[derive(Clone, Debug)]
pub struct Change {
    /// The new rate.
    pub rate: Cents,
    /// The new status, one of [`STATUSES`].
    pub status: String,
}

/// Changes a load and records it, both in the desk's transaction: neither happens without the other.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn change(desk: &mut Desk, load: &Load, change: &Change) -> anyhow::Result<Result<(), Refused>> {
    if let Err(refused) = desk.require(Perm::LoadEdit, &load.resource(), ("load", load.id)).await? {
        return Ok(Err(refused));
    }
    let after: Load = sqlx::query_as("UPDATE freight.loads SET rate_cents = $2, status = $3 WHERE id = $1 RETURNING *")
        .bind(load.id)
        .bind(change.rate)
        .bind(&change.status)
        .fetch_one(&mut desk.tx)
        .await?;
    let entry =
        desk.entry("load.update").entity("load", load.id.to_string()).before(load.audited()).after(after.audited());
    desk.record(&entry).await?;
    Ok(Ok(()))
}
