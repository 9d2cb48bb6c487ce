//! The people of a tenant, as the business knows them.

use stockade::tenant_guard::TenantTx;
use uuid::Uuid;

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
    /// Name of a role in `policy.toml`.
    pub role: String,
    /// Team, where the role's reach ends at one.
    pub team: Option<Uuid>,
    /// Office, likewise.
    pub office: Option<Uuid>,
    /// The tenant's name, for headings.
    pub tenant_name: String,
}

/// The person `id` of the tenant whose scope `tx` is.
///
/// # Errors
/// When the database fails.
pub async fn find(tx: &mut TenantTx, id: Uuid) -> sqlx::Result<Option<User>> {
    sqlx::query_as(
        "SELECT u.tenant_id, u.id, u.name, u.email, u.role, u.team, u.office, t.name AS tenant_name
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
pub async fn all(tx: &mut TenantTx) -> sqlx::Result<Vec<User>> {
    sqlx::query_as(
        "SELECT u.tenant_id, u.id, u.name, u.email, u.role, u.team, u.office, t.name AS tenant_name
         FROM freight.users u JOIN freight.tenants t USING (tenant_id) ORDER BY u.name",
    )
    .fetch_all(tx)
    .await
}
