//! A database with the log in it, and the parties that use it.

use chrono::{TimeDelta, TimeZone as _, Utc};
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};
use stockade_audit_chain::{
    Finding, Report, TenantId,
    postgres::{Receipt, Sealed, Sealer, VerifyOptions, migrator, record, record_at, verify},
};

pub(crate) use crate::entries::{entry, tenant};

pub(crate) const APP: &str = "stockade_audit_test_app";
pub(crate) const SEALER: &str = "stockade_audit_test_sealer";
pub(crate) const ERASER: &str = "stockade_audit_test_eraser";
pub(crate) const PURGER: &str = "stockade_audit_test_purger";
pub(crate) const HOLDER: &str = "stockade_audit_test_holder";
pub(crate) const APPENDER: &str = "stockade_audit_test_appender";
pub(crate) const CHECKPOINTER: &str = "stockade_audit_test_checkpointer";
pub(crate) const ATTACHER: &str = "stockade_audit_test_attacher";

/// Login roles as a deployment has them. Roles are the cluster's, so another test can be creating
/// them.
const LOGINS: &str = "
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_app LOGIN IN ROLE stockade_app;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_sealer LOGIN IN ROLE stockade_sealer;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_eraser LOGIN IN ROLE stockade_eraser;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_purger LOGIN IN ROLE stockade_purger;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_holder LOGIN IN ROLE stockade_holder;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_appender LOGIN IN ROLE stockade_appender;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_checkpointer LOGIN IN ROLE stockade_checkpointer;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN
    CREATE ROLE stockade_audit_test_attacher LOGIN IN ROLE stockade_attacher;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
GRANT CREATE ON SCHEMA public TO stockade_audit_test_attacher;
DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO stockade_audit_test_attacher', current_database()); END $$;";

pub(crate) async fn install(pool: &PgPool) {
    migrator().run(pool).await.unwrap();
    sqlx::raw_sql(LOGINS).execute(pool).await.unwrap();
}

pub(crate) async fn connect(pool: &PgPool, role: &str) -> PgConnection {
    PgConnection::connect_with(&pool.connect_options().as_ref().clone().username(role)).await.unwrap()
}

/// A transaction with a tenant's context.
pub(crate) async fn scope(connection: &mut PgConnection, tenant: TenantId) -> Transaction<'_, Postgres> {
    let mut tx = connection.begin().await.unwrap();
    let context = sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)");
    context.bind(tenant.to_string()).execute(&mut *tx).await.unwrap();
    tx
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

/// Records `count` entries in the middle of a month of 2017, as the owner of the past would: a superuser with a clock of its own.
pub(crate) async fn append_old(pool: &PgPool, tenant: TenantId, month: u32, count: u64) -> Vec<Receipt> {
    let at = Utc.with_ymd_and_hms(2017, month, 15, 12, 0, 0).unwrap();
    let mut superuser = pool.acquire().await.unwrap();
    let made = "SELECT stockade.audit_add_month($1) WHERE NOT EXISTS (SELECT FROM stockade.audit_partitions() m
        WHERE stockade.audit_id_at($1) >= m.first_id AND stockade.audit_id_at($1) < m.end_id)";
    sqlx::raw_sql("SET ROLE stockade_owner").execute(&mut *superuser).await.unwrap();
    sqlx::query(made).bind(at).execute(&mut *superuser).await.unwrap();
    sqlx::raw_sql("RESET ROLE").execute(&mut *superuser).await.unwrap();
    let mut receipts = Vec::new();
    for number in 1..=count {
        let at = at + TimeDelta::milliseconds(i64::try_from(number).unwrap());
        receipts.push(record_at(&mut *superuser, &entry(tenant, number), at).await.unwrap());
    }
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

/// A number that the environment can set, for a test that can be made larger.
pub(crate) fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap())
}
