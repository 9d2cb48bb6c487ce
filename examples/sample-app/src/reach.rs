//! Which rows a person reaches, said once for each table. Lists filter by it, decisions ask the same facts of a row, and row-level
//! security repeats it inside the database, for the query that forgot to filter.

use stockade::{
    bridge,
    rbac::Rows,
    rls_migrations::Schema,
    tenant_guard::{InvalidScopes, Scopes},
};

use crate::permissions::Perm;

/// Loads belong to a person, a team and an office, and may be shared.
pub static LOADS: Rows = Rows::new("freight", "loads", "tenant_id")
    .owner("owner_id")
    .team("team_id")
    .office("office_id")
    .shared("id", "load");

/// Customers' accounts belong to a person and an office, and may be shared: office B sees account X.
pub static ACCOUNTS: Rows =
    Rows::new("freight", "accounts", "tenant_id").owner("owner_id").office("office_id").shared("id", "account");

/// Drivers belong to an office.
pub static DRIVERS: Rows = Rows::new("freight", "drivers", "tenant_id").office("office_id");

/// Adds the policies to the schema's declaration.
#[must_use]
pub fn declared(schema: Schema) -> Schema {
    [
        ("loads", LOADS.seen_by(Perm::LoadView).written_by(Perm::LoadEdit)),
        ("accounts", ACCOUNTS.seen_by(Perm::AccountView).written_by(Perm::AccountEdit)),
        ("drivers", DRIVERS.seen_by(Perm::DriverView).written_by(Perm::DriverEdit)),
    ]
    .into_iter()
    .fold(schema, |schema, (table, policies)| schema.row_policies(table, bridge::row_policies(&policies)))
}

/// How far work reaches that the application does for a whole tenant and for no person: moving in, sealing anew, attacking itself.
///
/// # Errors
/// Never, as long as the permissions' names have the characters of scopes.
pub fn whole_tenant() -> Result<Scopes, InvalidScopes> {
    let keys =
        [Perm::LoadView, Perm::LoadEdit, Perm::AccountView, Perm::AccountEdit, Perm::DriverView, Perm::DriverEdit];
    let packed = keys.iter().map(|permission| format!("Z{}Z4", stockade::rbac::Permission::key(*permission)));
    Scopes::try_from(packed.collect::<String>().as_str())
}
