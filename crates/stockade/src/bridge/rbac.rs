//! What a person may do, for the tenant's scope and for the schema.

#[cfg(feature = "tenant-guard")]
use stockade_rbac::{Mode, Permission};

/// The person as the policies of the database see them: who it is, and how far each permission reaches in their own tenant.
///
/// ```
/// use stockade::{bridge, rbac::{Policy, Subject}, tenant_guard::{Principal, TenantId}};
/// # stockade::rbac::permissions! {
/// #     /// What a person may do.
/// #     pub enum Perm { LoadView = "load.view": Read, up to Tenant; }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (user, tenant) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
/// let policy = Policy::<Perm>::compile("[[role]]\nname = \"dispatcher\"\ngrants.team = [\"load.view\"]")?;
/// let dispatcher = policy.actor(Subject::new(user, tenant)).role("dispatcher")?.build();
///
/// let principal = Principal::new(TenantId::new(tenant), bridge::acting(&dispatcher)?);
/// assert_eq!(principal.actor().map(|actor| actor.scopes().as_str()), Some("Zload.viewZ2"));
/// // let mut tx = tenants.begin(principal).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The packed scopes are longer than the database takes: a policy of several hundred permissions.
#[cfg(feature = "tenant-guard")]
pub fn acting<P: Permission, M: Mode>(
    actor: &stockade_rbac::Actor<P, M>,
) -> Result<stockade_tenant_guard::Actor, stockade_tenant_guard::InvalidScopes> {
    let subject = actor.subject();
    let scopes = actor.packed_scopes(subject.tenant());
    let scopes = stockade_tenant_guard::Scopes::try_from(scopes.as_str())?;
    Ok(stockade_tenant_guard::Actor::new(subject.user().into()).with_scopes(scopes))
}

/// The policies of a table by role, as rows of the schema's declaration, which plans them and finds what was changed.
///
/// ```
/// use stockade::{bridge, rbac::Rows, rls_migrations::{Roles, Schema, by}};
/// # stockade::rbac::permissions! {
/// #     /// What a person may do.
/// #     pub enum Perm { LoadView = "load.view": Read, up to Tenant; LoadEdit = "load.edit": Write, up to Tenant; }
/// # }
///
/// static LOADS: Rows = Rows::new("freight", "loads", "tenant_id").owner("owner_id");
///
/// let schema = Schema::new("freight", Roles::for_app("freight"))
///     .tenant_table("loads", by("tenant_id"))
///     .row_policies("loads", bridge::row_policies(&LOADS.seen_by(Perm::LoadView).written_by(Perm::LoadEdit)));
/// ```
#[cfg(feature = "rls-migrations")]
#[must_use]
pub fn row_policies(policies: &stockade_rbac::RowPolicies) -> Vec<stockade_rls_migrations::RowPolicy> {
    use stockade_rls_migrations::RowPolicy;

    let declared = policies.iter().map(|policy| match (policy.using, policy.with_check) {
        (Some(using), Some(check)) => RowPolicy::update(policy.name, using, check),
        (None, Some(check)) => RowPolicy::insert(policy.name, check),
        (Some(using), None) if policy.command == "DELETE" => RowPolicy::delete(policy.name, using),
        (using, _) => RowPolicy::select(policy.name, using.unwrap_or_else(|| "false".to_owned())),
    });
    declared.collect()
}
