//! The database of the desk: tables, policies, logins, and people to try it with.

use secrecy::SecretString;
use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use stockade::{
    audit_chain, rbac,
    rls_migrations::{Roles, Schema, by},
    session::{self, Auth, BoxError, ErrorKind, NewAccount},
};
use uuid::Uuid;

use crate::app::HOME;

/// Acme Manufacturing and Bright Web Studio.
pub(crate) const TENANTS: [Uuid; 2] = [Uuid::from_u128(0xac3e), Uuid::from_u128(0xb419)];
/// Each person with tenant and role.
pub(crate) const PEOPLE: [(&str, Uuid, &str); 4] = [
    ("dan@acme.test", TENANTS[0], "dispatcher"),
    ("cleo@acme.test", TENANTS[0], "clerk"),
    ("bea@bright.test", TENANTS[1], "dispatcher"),
    ("sam@desk.test", HOME, "support"),
];
/// Everybody's.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// The identifier of the `index`th of [`PEOPLE`].
pub(crate) fn person(index: usize) -> Uuid {
    Uuid::from_u128(0x1000 + index as u128)
}

/// Makes what is missing. The names of the logins begin with `prefix`.
pub(crate) async fn install(administrator: &mut PgConnection, prefix: &str) -> Result<(), BoxError> {
    audit_chain::postgres::migrator().run(&mut *administrator).await?;
    session::postgres::migrator().run(&mut *administrator).await?;
    rbac::postgres::migrator().run(&mut *administrator).await?;
    sqlx::raw_sql(include_str!("desk.sql")).execute(&mut *administrator).await?;
    let schema = Schema::new("desk", Roles::for_app(prefix)).tenant_table("loads", by("tenant_id"));
    schema.plan(&mut *administrator).await?.apply(&mut *administrator).await?;
    for (login, group) in [("app", "stockade_app"), ("gate", "stockade_auth")] {
        let name = format!("{prefix}_{login}");
        sqlx::query("SELECT pg_temp.login($1, $2)").bind(name).bind(group).execute(&mut *administrator).await?;
    }
    Ok(())
}

/// Makes the people, and what they may do.
pub(crate) async fn people(auth: &Auth, administrator: &PgConnectOptions) -> Result<(), BoxError> {
    let mut administrator = administrator.connect().await?;
    sqlx::raw_sql(include_str!("desk.sql")).execute(&mut administrator).await?;
    for (index, (identifier, tenant, role)) in PEOPLE.into_iter().enumerate() {
        let new = NewAccount { user: person(index).into(), tenant: tenant.into(), identifier };
        match auth.accounts().create(new, SecretString::from(PASSWORD)).await {
            Err(error) if error.kind() != ErrorKind::Conflict => return Err(error.into()),
            _ => {}
        }
        let admit = sqlx::query("SELECT pg_temp.admit($1, $2, $3)").bind(tenant).bind(person(index)).bind(role);
        admit.execute(&mut administrator).await?;
    }
    Ok(())
}
