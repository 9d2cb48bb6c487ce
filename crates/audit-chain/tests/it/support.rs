//! A database with the log in it, and the parties that use it.

use serde_json::json;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};
use stockade_audit_chain::{
    Actor, Entry, Finding, Report, RequestContext, Severity, TenantId,
    postgres::{Receipt, Sealed, Sealer, VerifyOptions, migrator, record, verify},
};
use uuid::Uuid;

pub(crate) const APP: &str = "stockade_audit_test_app";
pub(crate) const SEALER: &str = "stockade_audit_test_sealer";

/// Login roles as a deployment has them. Roles are the cluster's, so another test can be creating
/// them.
const LOGINS: &str = "
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_app LOGIN IN ROLE stockade_app;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_sealer LOGIN IN ROLE stockade_sealer;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;";

pub(crate) async fn install(pool: &PgPool) {
    migrator().run(pool).await.unwrap();
    sqlx::raw_sql(LOGINS).execute(pool).await.unwrap();
}

pub(crate) async fn connect(pool: &PgPool, role: &str) -> PgConnection {
    PgConnection::connect_with(&pool.connect_options().as_ref().clone().username(role)).await.unwrap()
}

pub(crate) fn tenant(number: u128) -> TenantId {
    Uuid::from_u128(number).into()
}

/// A transaction with a tenant's context.
pub(crate) async fn scope(connection: &mut PgConnection, tenant: TenantId) -> Transaction<'_, Postgres> {
    let mut tx = connection.begin().await.unwrap();
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)");
    context.bind(tenant.to_string()).execute(&mut *tx).await.unwrap();
    tx
}

pub(crate) fn entry(tenant: TenantId, number: u64) -> Entry {
    Entry::new(
        tenant,
        Actor::user(format!("user-{}", number % 3)).named("Ana Ruiz").with_role("dispatcher"),
        "load.update",
    )
    .entity("load", format!("L-{number}"))
    .before(json!({"rate_cents": number, "driver": {"ssn": "078-05-1120"}}))
    .after(json!({"rate_cents": number + 1, "driver": {"ssn": "219-09-9999"}}))
    .personal(&["/driver/ssn"])
    .request(
        RequestContext::new()
            .ip("203.0.113.9".parse::<std::net::IpAddr>().unwrap())
            .user_agent("curl/8.5")
            .endpoint("POST", "/loads/{id}")
            .status(303)
            .request_id(number),
    )
    .severity(Severity::Notice)
}

/// Records `count` entries, as the application, in one transaction.
pub(crate) async fn append(pool: &PgPool, tenant: TenantId, count: u64) -> Vec<Receipt> {
    let mut app = connect(pool, APP).await;
    let mut tx = scope(&mut app, tenant).await;
    let mut receipts = Vec::new();
    for number in 1..=count {
        receipts.push(record(&mut *tx, &entry(tenant, number)).await.unwrap());
    }
    tx.commit().await.unwrap();
    receipts
}

pub(crate) async fn seal(pool: &PgPool) -> Sealed {
    Sealer::new().seal_pending(&mut connect(pool, SEALER).await).await.unwrap()
}

pub(crate) async fn report(pool: &PgPool, tenant: TenantId) -> Report {
    verify(&mut connect(pool, SEALER).await, tenant, &VerifyOptions::default()).await.unwrap()
}

pub(crate) fn findings(report: &Report) -> Vec<(Option<u64>, Finding)> {
    assert!(report.verdicts().iter().all(|verdict| verdict.tenant == report.tenant()));
    report.verdicts().iter().map(|verdict| (verdict.seq, verdict.finding.clone())).collect()
}

/// What a superuser does first who wants to change the log.
pub(crate) async fn disarm(connection: &mut PgConnection) {
    let triggers = "
        ALTER TABLE stockade.audit_entry DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_payload DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_link DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_unsealed DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_head DISABLE TRIGGER USER;";
    sqlx::raw_sql(triggers).execute(connection).await.unwrap();
}

pub(crate) fn sqlstate<T: std::fmt::Debug>(result: Result<T, sqlx::Error>) -> String {
    result.unwrap_err().into_database_error().unwrap().code().unwrap().into_owned()
}
