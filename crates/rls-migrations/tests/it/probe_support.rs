//! The freight schema with what else a declaration can hold, for the probe.

use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::{Attempt, ProbeReport, Schema, Verdict, by};

use crate::support::{TABLES, apply_all, connect, freight, run};

const MORE: &str = "
    CREATE TABLE freight.events (tenant_id uuid NOT NULL, id int NOT NULL, at date NOT NULL, PRIMARY KEY (tenant_id, id, at))
        PARTITION BY RANGE (at);
    CREATE TABLE freight.events_rest PARTITION OF freight.events DEFAULT;
    CREATE TABLE freight.invoices (
        tenant_id uuid NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, cents bigint NOT NULL DEFAULT 0, doubled bigint GENERATED ALWAYS AS (cents * 2) STORED,
        PRIMARY KEY (tenant_id, id));
";

/// Made after the plan, by the superuser.
const AROUND: &str = "
    CREATE VIEW freight.open_loads WITH (security_invoker) AS SELECT * FROM freight.loads;
    GRANT SELECT, INSERT, UPDATE, DELETE ON freight.open_loads TO rls_test_app;
    CREATE FUNCTION freight.my_loads() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
        'SELECT count(*) FROM freight.loads l WHERE l.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c)';
    GRANT EXECUTE ON FUNCTION freight.my_loads() TO rls_test_app;
";

pub(crate) fn declared() -> Schema {
    freight().tenant_table("events", by("tenant_id")).tenant_table("invoices", by("tenant_id"))
}

pub(crate) async fn sound(pool: &PgPool) -> PgConnection {
    let mut conn = connect(pool, "postgres").await;
    run(&mut conn, TABLES).await.unwrap();
    run(&mut conn, MORE).await.unwrap();
    apply_all(&declared(), &mut conn).await;
    run(&mut conn, AROUND).await.unwrap();
    conn
}

/// How the application would connect to this test's database.
pub(crate) fn login(pool: &PgPool, role: &str) -> PgConnectOptions {
    pool.connect_options().as_ref().clone().username(role)
}

pub(crate) fn leaked(report: &ProbeReport, attempt: Attempt) -> bool {
    report.leaks().any(|row| row.attempt() == attempt)
}

/// The attempts that were not tested, with their objects.
pub(crate) fn untested(report: &ProbeReport) -> Vec<String> {
    report.untested().map(|row| format!("{} {}", row.attempt(), row.object())).collect()
}

pub(crate) fn verdict<'a>(report: &'a ProbeReport, attempt: Attempt, object: &str) -> &'a Verdict {
    let mut rows = report.rows().iter().filter(|row| row.attempt() == attempt && row.object() == object);
    rows.next().unwrap_or_else(|| panic!("no {attempt} on {object}\n{report}")).verdict()
}
