//! The people of a tenant, as the business knows them.

use chrono::{DateTime, Utc};
use stockade::tenant_guard::Tx;
use uuid::Uuid;

use crate::permissions::Perm;

/// A person of a tenant.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct User {
    /// The tenant.
    pub tenant_id: Uuid,
    /// The person.
    pub id: Uuid,
    /// Display name.
    pub name: String,
    /// Sign-in identifier.
    pub email: String,
    /// The tenant's name, for headings.
    pub tenant_name: String,
    /// Names of roles in `policy.toml`.
    #[sqlx(skip)]
    pub roles: Vec<String>,
    /// What the person may do to anything at all. It says what is offered; whether they may, the operation asks.
    #[sqlx(skip)]
    pub powers: Vec<Perm>,
    /// Who looks at the desk as this person, if it is not the person.
    #[sqlx(skip)]
    pub seen_by: Option<SeenBy>,
}

/// Staff of the platform, looking at a desk as one of its people.
#[derive(Clone, Debug)]
pub struct SeenBy {
    /// Their name.
    pub name: String,
    /// Why they look.
    pub reason: String,
    /// When it ends.
    pub until: DateTime<Utc>,
}

impl User {
    /// The roles, for a person to read.
    #[must_use]
    pub fn role(&self) -> String {
        self.roles.join(", ")
    }
}

/// The person `id` of the tenant whose scope `tx` is.
///
/// # Errors
/// When the database fails.
pub async fn find<A>(tx: &mut Tx<A>, id: Uuid) -> sqlx::Result<Option<User>> {
    sqlx::query_as(
        "SELECT u.tenant_id, u.id, u.name, u.email, t.name AS tenant_name
         FROM freight.users u JOIN freight.tenants t USING (tenant_id) WHERE u.id = $1",
    )
    .bind(id)
    .fetch_optional(tx)
    .await
}

/// Everybody of the tenant, by name.
///
/// # Errors
/// When the database fails.
pub async fn all<A>(tx: &mut Tx<A>) -> sqlx::Result<Vec<User>> {
    sqlx::query_as(
        "SELECT u.tenant_id, u.id, u.name, u.email, t.name AS tenant_name
         FROM freight.users u JOIN freight.tenants t USING (tenant_id) ORDER BY u.name",
    )
    .fetch_all(tx)
    .await
}
