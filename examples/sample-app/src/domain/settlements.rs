//! Settlements: what a driver is paid for a load, and the dispatcher's commission.

use serde_json::json;
use stockade::{audit_chain::Severity, rbac::Resource, tenant_guard::Tx};
use uuid::Uuid;

use super::money::{Cents, Share};
use crate::{
    desk::{Desk, Refused},
    permissions::Perm,
};

/// The states of a settlement, in order. What is paid changes no more.
pub const STATUSES: [&str; 3] = ["draft", "approved", PAID];
const PAID: &str = "paid";

/// A settlement.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Settlement {
    /// The settlement.
    pub id: Uuid,
    /// The load, as people call it.
    pub reference: String,
    /// Who drove.
    pub driver: String,
    /// What the customer pays.
    pub rate_cents: Cents,
    /// What the driver gets.
    pub pay_cents: Cents,
    /// The dispatcher's part of the rate.
    #[sqlx(rename = "commission_bp")]
    pub commission: Share,
    /// One of [`STATUSES`].
    pub status: String,
}

/// What a person may change about a settlement.
#[derive(Clone, Debug)]
pub struct Change {
    /// What the driver gets.
    pub pay: Cents,
    /// The dispatcher's part of the rate.
    pub commission: Share,
    /// One of [`STATUSES`].
    pub status: String,
}

impl Settlement {
    /// Whether it changes no more.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.status == PAID
    }
}

const SELECT: &str = "
SELECT s.id, l.reference, d.name AS driver, l.rate_cents, s.pay_cents, s.commission_bp, s.status
FROM freight.settlements s
JOIN freight.loads l ON l.tenant_id = s.tenant_id AND l.id = s.load_id
JOIN freight.drivers d ON d.tenant_id = s.tenant_id AND d.id = s.driver_id
WHERE $1::uuid IS NULL OR s.id = $1
ORDER BY l.reference LIMIT 200";

/// The settlements of the loads and drivers that the person sees.
///
/// # Errors
/// When the database fails.
pub async fn all<A>(tx: &mut Tx<A>) -> sqlx::Result<Vec<Settlement>> {
    sqlx::query_as(SELECT).bind(None::<Uuid>).fetch_all(tx).await
}

/// One of them.
///
/// # Errors
/// When the database fails.
pub async fn find<A>(tx: &mut Tx<A>, id: Uuid) -> sqlx::Result<Option<Settlement>> {
    sqlx::query_as(SELECT).bind(id).fetch_optional(tx).await
}

/// Changes a settlement and records it: the commission is an entry of its own, because somebody else asks for it.
///
/// # Errors
/// When the database fails. A refusal by the policy, or because it is paid, is the inner `Err`.
pub async fn change(desk: &mut Desk, was: &Settlement, change: &Change) -> anyhow::Result<Result<(), Refused>> {
    let own = Resource::in_tenant(desk.user.tenant_id);
    if let Err(refused) = desk.require(Perm::SettlementEdit, &own, ("settlement", was.id)) {
        return Ok(Err(refused));
    }
    let changed = sqlx::query(
        "UPDATE freight.settlements SET pay_cents = $2, commission_bp = $3, status = $4
         WHERE id = $1 AND status <> 'paid' AND (pay_cents, commission_bp, status) = ($5, $6, $7)",
    )
    .bind(was.id)
    .bind(change.pay)
    .bind(change.commission)
    .bind(&change.status)
    .bind(was.pay_cents)
    .bind(was.commission)
    .bind(&was.status)
    .execute(&mut desk.tx)
    .await?;
    if changed.rows_affected() == 0 {
        return Ok(Err(Refused("It is paid, or somebody else changed it meanwhile.".to_owned())));
    }
    let pay = |cents: Cents, status: &str| json!({ "pay_cents": cents, "status": status });
    if (was.pay_cents, &was.status) != (change.pay, &change.status) {
        let entry = desk
            .entry("settlement.update")
            .entity("settlement", was.id)
            .before(pay(was.pay_cents, &was.status))
            .after(pay(change.pay, &change.status));
        desk.record(&entry).await?;
    }
    if was.commission != change.commission {
        let entry = desk
            .entry("commission.update")
            .entity("settlement", was.id)
            .before(json!({ "commission_percent": was.commission.to_string() }))
            .after(json!({ "commission_percent": change.commission.to_string() }))
            .severity(Severity::Notice);
        desk.record(&entry).await?;
    }
    Ok(Ok(()))
}
