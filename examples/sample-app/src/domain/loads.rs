//! Loads: what a customer pays to have moved.

use chrono::NaiveDate;
use serde_json::{Value, json};
use sqlx::QueryBuilder;
use stockade::{
    rbac::{Resource, ShareLevel},
    tenant_guard::{TenantId, TenantScoped},
};
use uuid::Uuid;

use super::money::Cents;
use crate::{
    desk::{Desk, Reads, Refused},
    permissions::Perm,
    reach::LOADS,
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
    /// The team of that person, if it has one.
    pub team_id: Option<Uuid>,
    /// The office that it is worked from.
    pub office_id: Option<Uuid>,
    /// Whether it is shared with the person who asked, and how: `view` or `edit`.
    pub shared: Option<String>,
}

impl TenantScoped for Load {
    fn tenant_id(&self) -> TenantId {
        self.tenant_id.into()
    }
}

impl Load {
    /// What the policy needs to know of it when `person` asks.
    #[must_use]
    pub fn resource(&self, person: Uuid) -> Resource {
        let mut resource = Resource::in_tenant(self.tenant_id).owner(self.owner_id);
        if let Some(team) = self.team_id {
            resource = resource.team(team);
        }
        if let Some(office) = self.office_id {
            resource = resource.office(office);
        }
        shared(resource, person, self.shared.as_deref())
    }

    fn audited(&self) -> Value {
        json!({ "rate_cents": self.rate_cents, "status": self.status })
    }
}

/// States of a row how it is shared with whoever asks.
pub(super) fn shared(resource: Resource, person: Uuid, level: Option<&str>) -> Resource {
    let level = [ShareLevel::Edit, ShareLevel::View].into_iter().find(|one| Some(one.name()) == level);
    level.map_or(resource, |level| resource.shared_with(person, level))
}

const SELECT: &str = "
SELECT l.*, CASE WHEN l.id = ANY (stockade.rbac_shared('load', 'edit')) THEN 'edit'
                 WHEN l.id = ANY (stockade.rbac_shared('load', 'view')) THEN 'view' END AS shared
FROM freight.loads l WHERE ";

/// The loads that the person sees, the latest pick-up first.
///
/// # Errors
/// When the database fails.
pub async fn all<W: Reads<Perm>>(desk: &mut Desk<W>) -> sqlx::Result<Vec<Load>> {
    let mut query = QueryBuilder::new(SELECT);
    desk.rows(Perm::LoadView, &LOADS).push_to(&mut query, "l");
    query.push(" ORDER BY l.pickup_on DESC, l.reference LIMIT 200");
    query.build_query_as().fetch_all(desk.tx()).await
}

/// One load, if the person sees it.
///
/// # Errors
/// When the database fails.
pub async fn find<W: Reads<Perm>>(desk: &mut Desk<W>, id: Uuid) -> sqlx::Result<Option<Load>> {
    let mut query = QueryBuilder::new(SELECT);
    desk.rows(Perm::LoadView, &LOADS).push_to(&mut query, "l");
    query.push(" AND l.id = ").push_bind(id);
    query.build_query_as().fetch_optional(desk.tx()).await
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
    if let Err(refused) = desk.require(Perm::LoadEdit, &load.resource(desk.user.id), ("load", load.id)) {
        return Ok(Err(refused));
    }
    let after: Load = sqlx::query_as(
        "UPDATE freight.loads SET rate_cents = $2, status = $3 WHERE id = $1 RETURNING *, NULL AS shared",
    )
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
