//! A declared schema, sound and broken on purpose.

mod drill;

use sqlx::{PgConnection, PgPool};
use stockade_posture::{
    Observation,
    rls_migrations::{declaration, periods, probe},
};
use stockade_rls_migrations::{Probe, Roles, Schema, by, date, periods as periods_of};

use crate::support::{assert_lost, change, lost, measured, shortfalls, told};

const TABLES: &str = "
    CREATE SCHEMA freight;
    CREATE TABLE freight.loads (tenant_id uuid NOT NULL, id int NOT NULL, name text, PRIMARY KEY (tenant_id, id));
    CREATE TABLE freight.load_note (tenant_id uuid NOT NULL, id int NOT NULL, body text, PRIMARY KEY (tenant_id, id));
    CREATE TABLE freight.posting (tenant_id uuid NOT NULL, id int NOT NULL, posted_on date, PRIMARY KEY (tenant_id, id));
    CREATE TABLE freight.accrual (tenant_id uuid NOT NULL, id int NOT NULL, posted_on date, PRIMARY KEY (tenant_id, id));
    CREATE TABLE freight.fiscal_period (
        tenant_id uuid NOT NULL, starts_on date NOT NULL, ends_on date NOT NULL, closed_at timestamptz, PRIMARY KEY (tenant_id, starts_on));
    CREATE TABLE freight.countries (code text PRIMARY KEY);";

fn freight() -> Schema {
    Schema::new("freight", Roles::for_app("posture_rls"))
        .tenant_table("loads", by("tenant_id"))
        .append_only("load_note")
        .tenant_table("posting", by("tenant_id"))
        .tenant_table("accrual", by("tenant_id"))
        .period_guard("posting", date("posted_on"), periods_of("fiscal_period"))
        .period_guard("accrual", date("posted_on"), periods_of("fiscal_period"))
        .shared_reference("countries")
}

async fn sound(pool: &PgPool) -> PgConnection {
    change(pool, TABLES).await;
    let mut connection = pool.acquire().await.unwrap().detach();
    let plan = freight().plan(&mut connection).await.unwrap();
    plan.apply(&mut connection).await.unwrap();
    connection
}

/// What was found on a schema that was broken in one way.
async fn declared(pool: &PgPool, breaking: &'static str) -> Vec<Observation> {
    let mut connection = sound(pool).await;
    change(pool, breaking).await;
    measured(declaration(&mut connection, &freight())).await
}

async fn guarded(pool: &PgPool, breaking: &'static str) -> Vec<Observation> {
    let mut connection = sound(pool).await;
    change(pool, breaking).await;
    measured(periods(&mut connection, &freight())).await
}

async fn attacked(pool: &PgPool, breaking: &'static str) -> Vec<Observation> {
    let mut connection = sound(pool).await;
    change(pool, breaking).await;
    measured(probe(&mut connection, &freight(), &Probe::new())).await
}

fn subjects<'a>(lines: &'a [String], outcome: &str) -> Vec<&'a str> {
    let failing = lines.iter().filter(|line| line.contains(outcome));
    failing.map(|line| line.split(": ").next().unwrap_or_default()).collect()
}

#[sqlx::test]
async fn a_schema_as_declared_passes(pool: PgPool) {
    let seen = declared(&pool, "SELECT").await;
    assert_eq!(shortfalls(&seen), Vec::<String>::new());
    let of = |control: &str| seen.iter().filter(|o| o.control().as_str() == control).count();
    assert_eq!((of("rls.enabled"), of("rls.forced"), of("rls.policies")), (5, 5, 5));
    assert!(of("rls.role") >= 3, "{seen:?}");
}

#[sqlx::test]
async fn what_differs_from_the_declaration_fails_by_its_name(pool: PgPool) {
    let breaking = "CREATE TABLE freight.forgotten (id int); DROP POLICY stockade_tenant ON freight.loads;
        CREATE POLICY stockade_tenant ON freight.loads AS RESTRICTIVE USING (tenant_id IS NOT NULL);
        ALTER TABLE freight.posting NO FORCE ROW LEVEL SECURITY; DROP TABLE freight.load_note;
        ALTER TABLE freight.accrual OWNER TO CURRENT_USER; CREATE VIEW freight.all_loads AS SELECT * FROM freight.loads;";
    let lines = shortfalls(&declared(&pool, breaking).await);
    assert_eq!(
        subjects(&lines, " fail"),
        [
            "rls.enabled freight.forgotten fail",
            "rls.enabled freight.load_note fail",
            "rls.forced freight.posting fail",
            "rls.policies freight.loads fail",
            "rls.role freight.accrual fail",
            "rls.role freight.all_loads fail",
        ]
    );
}

#[sqlx::test]
async fn a_declaration_that_is_wrong_is_unknown(pool: PgPool) {
    let mut connection = sound(&pool).await;
    let twice = freight().tenant_table("loads", by("org_id"));
    let seen = measured(declaration(&mut connection, &twice)).await;
    assert_eq!(seen.len(), 4);
    let reason = Some("the declaration of the schema is wrong");
    assert!(seen.iter().all(|o| o.outcome().word() == "unknown" && o.outcome().reason() == reason), "{seen:?}");
    assert_lost(&measured(declaration(&mut lost(&pool).await, &freight())).await);
}

#[sqlx::test]
async fn an_isolated_schema_passes_the_probe(pool: PgPool) {
    let lines = told(&attacked(&pool, "SELECT").await);
    for table in ["accrual", "fiscal_period", "load_note", "loads", "posting"] {
        assert!(lines.contains(&format!("rls.probe freight.{table} pass")), "{lines:#?}");
    }
    assert_eq!(subjects(&lines, " fail"), Vec::<&str>::new());
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM freight.loads").fetch_one(&pool).await.unwrap();
    assert_eq!(rows, 0, "nothing is left of it");
}

#[sqlx::test]
async fn a_leak_fails_the_probe_by_its_table(pool: PgPool) {
    let lines = told(&attacked(&pool, "DROP POLICY stockade_tenant ON freight.loads").await);
    let failing = subjects(&lines, " fail");
    assert!(failing.contains(&"rls.probe freight.loads fail"), "{lines:#?}");
    assert!(lines.contains(&"rls.probe freight.posting pass".to_owned()), "{lines:#?}");
}

/// Where the application does not reach its own rows, it proves nothing that it does not reach those of others.
#[sqlx::test]
async fn a_table_that_the_probe_cannot_test_is_unknown(pool: PgPool) {
    let seen = attacked(&pool, "CREATE POLICY nobody ON freight.loads AS RESTRICTIVE USING (false)").await;
    let loads = seen.iter().find(|o| o.subject().as_str() == "freight.loads").unwrap();
    assert_eq!(loads.outcome().word(), "unknown", "{loads:?}");
    assert!(loads.outcome().reason().unwrap().starts_with("select proves nothing: "), "{loads:?}");
    assert_lost(&measured(probe(&mut lost(&pool).await, &freight(), &Probe::new())).await);
}

#[sqlx::test]
async fn guarded_postings_pass(pool: PgPool) {
    let lines = told(&guarded(&pool, "SELECT").await);
    assert_eq!(lines, ["period.closed freight.posting pass", "period.closed freight.accrual pass"]);
}

#[sqlx::test]
async fn a_guard_that_is_switched_off_fails_by_its_table(pool: PgPool) {
    let off = "ALTER TABLE freight.posting DISABLE TRIGGER USER; ALTER TABLE freight.load_note DISABLE TRIGGER USER";
    let lines = told(&guarded(&pool, off).await);
    assert_eq!(subjects(&lines, " "), ["period.closed freight.posting fail", "period.closed freight.accrual pass"]);
}

#[sqlx::test]
async fn a_posting_table_that_is_gone_fails(pool: PgPool) {
    let lines = told(&guarded(&pool, "DROP TABLE freight.posting").await);
    assert_eq!(subjects(&lines, " "), ["period.closed freight.posting fail", "period.closed freight.accrual pass"]);
}

/// A guard that does not see the periods lets everything through, on every table.
#[sqlx::test]
async fn a_guard_without_its_foundation_passes_nowhere(pool: PgPool) {
    let blind = "CREATE POLICY hidden ON freight.fiscal_period AS RESTRICTIVE USING (false)";
    let lines = told(&guarded(&pool, blind).await);
    assert_eq!(subjects(&lines, " "), ["period.closed freight.fiscal_period.hidden fail"]);
    let open =
        "DROP POLICY hidden ON freight.fiscal_period; ALTER TABLE stockade.rls_period_lock DISABLE ROW LEVEL SECURITY";
    change(&pool, open).await;
    let mut connection = pool.acquire().await.unwrap();
    let lines = told(&measured(periods(&mut connection, &freight())).await);
    assert_eq!(subjects(&lines, " "), ["period.closed stockade.rls_period_lock fail"]);
}

#[sqlx::test]
async fn guards_that_cannot_be_read_are_unknown(pool: PgPool) {
    assert_lost(&measured(periods(&mut lost(&pool).await, &freight())).await);
    let mut connection = sound(&pool).await;
    let without = Schema::new("freight", Roles::for_app("posture_rls")).tenant_table("loads", by("tenant_id"));
    let seen = measured(periods(&mut connection, &without)).await;
    assert_eq!(seen[0].outcome().word(), "unknown", "no posting table is declared");
}
