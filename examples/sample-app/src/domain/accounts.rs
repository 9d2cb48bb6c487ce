//! Customers' accounts: who looks after them, from which office, and with whom they are shared.

use sqlx::QueryBuilder;
use stockade::rbac::Resource;
use uuid::Uuid;

use super::loads::shared;
use crate::{
    desk::{Desk, Reads},
    permissions::Perm,
    reach::ACCOUNTS,
};

/// A customer.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Account {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The account.
    pub id: Uuid,
    /// The customer's name.
    pub name: String,
    /// The person who looks after it.
    pub owner_id: Uuid,
    /// The office of that person.
    pub office_id: Uuid,
    /// That person's name.
    pub owner: String,
    /// The office's name.
    pub office: String,
    /// Whether it is shared with the person who asked, and how: `view` or `edit`.
    pub shared: Option<String>,
}

impl Account {
    /// What the policy needs to know of it when `person` asks.
    #[must_use]
    pub fn resource(&self, person: Uuid) -> Resource {
        let resource = Resource::in_tenant(self.tenant_id).owner(self.owner_id).office(self.office_id);
        shared(resource, person, self.shared.as_deref())
    }
}

const SELECT: &str = "
SELECT a.*, u.name AS owner, o.name AS office,
       CASE WHEN a.id = ANY (stockade.rbac_shared('account', 'edit')) THEN 'edit'
            WHEN a.id = ANY (stockade.rbac_shared('account', 'view')) THEN 'view' END AS shared
FROM freight.accounts a
JOIN freight.users u ON u.tenant_id = a.tenant_id AND u.id = a.owner_id
JOIN freight.offices o ON o.tenant_id = a.tenant_id AND o.id = a.office_id
WHERE ";

/// The accounts that the person sees, by name.
///
/// # Errors
/// When the database fails.
pub async fn all<W: Reads<Perm>>(desk: &mut Desk<W>) -> sqlx::Result<Vec<Account>> {
    let mut query = QueryBuilder::new(SELECT);
    desk.rows(Perm::AccountView, &ACCOUNTS).push_to(&mut query, "a");
    query.push(" ORDER BY a.name LIMIT 200");
    query.build_query_as().fetch_all(desk.tx()).await
}

/// One account, if the person sees it.
///
/// # Errors
/// When the database fails.
pub async fn find<W: Reads<Perm>>(desk: &mut Desk<W>, id: Uuid) -> sqlx::Result<Option<Account>> {
    let mut query = QueryBuilder::new(SELECT);
    desk.rows(Perm::AccountView, &ACCOUNTS).push_to(&mut query, "a");
    query.push(" AND a.id = ").push_bind(id);
    query.build_query_as().fetch_optional(desk.tx()).await
}
