//! What the database enforces for the application's own tables, declared.

use anyhow::{Context, Result};
use sqlx::{PgConnection, migrate::Migrator};
use stockade::{
    audit_chain, field_crypto, rbac,
    rls_migrations::{Roles, Schema, by, date, periods},
    session,
};

use crate::{database::Prefix, permissions, reach};

/// The application's own migrations; its ledger is beside its tables.
static FREIGHT: Migrator = sqlx::migrate!("./migrations");

/// Every table of schema `freight`: a table that is not declared here stops the installation.
#[must_use]
pub fn schema(prefix: &Prefix) -> Schema {
    let schema = Schema::new("freight", Roles::for_app(prefix.as_str()))
        .tenant_table("tenants", by("tenant_id"))
        .tenant_table("users", by("tenant_id"))
        .tenant_table("loads", by("tenant_id"))
        .tenant_table("documents", by("tenant_id"))
        .tenant_table("settlements", by("tenant_id"))
        .tenant_table("feature_flags", by("tenant_id"))
        .tenant_table("drivers", by("tenant_id"))
        .tenant_table("accounts", by("tenant_id"))
        .tenant_table("offices", by("tenant_id"))
        .tenant_table("teams", by("tenant_id"))
        .tenant_table("integrations", by("tenant_id"))
        .tenant_table("fiscal_period", by("tenant_id"))
        .tenant_table("gl_posting", by("tenant_id"))
        .append_only("gl_posting")
        .period_guard("gl_posting", date("posted_on"), periods("fiscal_period").soft_closed_by("soft_closed_at"));
    reach::declared(schema)
}

/// What each ledger of this database has to hold: those of the crates, and the application's own.
#[must_use]
pub fn migrators() -> ([Migrator; 4], &'static Migrator) {
    let crates = [
        audit_chain::postgres::migrator(),
        field_crypto::postgres::migrator(),
        session::postgres::migrator(),
        rbac::postgres::migrator(),
    ];
    (crates, &FREIGHT)
}

/// Brings the database to what this version of the application needs: tables, policies, roles, guards.
/// Doing it again changes nothing.
///
/// # Errors
/// When a migration that was applied has been edited since, the schema has an undeclared table, or the
/// administrator's rights do not suffice.
pub async fn install(administrator: &mut PgConnection, prefix: &Prefix) -> Result<()> {
    const EDITED: &str =
        "the database's migrations are not those of this program; use the version that made it, or another database";
    audit_chain::postgres::migrator().run(&mut *administrator).await.context(EDITED)?;
    field_crypto::postgres::migrator().run(&mut *administrator).await.context(EDITED)?;
    session::postgres::migrator().run(&mut *administrator).await.context(EDITED)?;
    rbac::postgres::migrator().run(&mut *administrator).await.context(EDITED)?;
    // Of an owner's roles a tenant keeps at least one holder, whoever writes.
    rbac::postgres::sync(&mut *administrator, &permissions::policy()?).await?;
    FREIGHT.run(&mut *administrator).await.context(EDITED)?;
    let plan = schema(prefix).plan(&mut *administrator).await?;
    plan.apply(&mut *administrator).await?;
    grant_period_functions(administrator, prefix).await
}

/// To execute these functions is the permission to adjust and to reopen. This application has one login, and asks its policy
/// before it calls them; one that has a login for its controllers would grant them to that one alone.
async fn grant_period_functions(administrator: &mut PgConnection, prefix: &Prefix) -> Result<()> {
    const GRANT: &str = r"
CREATE OR REPLACE FUNCTION pg_temp.grant_period_functions(login text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('GRANT EXECUTE ON FUNCTION stockade.rls_adjust_period, stockade.rls_reopen_period TO %I', login);
END $$";
    sqlx::raw_sql(GRANT).execute(&mut *administrator).await?;
    sqlx::query("SELECT pg_temp.grant_period_functions($1)").bind(prefix.app()).execute(administrator).await?;
    Ok(())
}
