//! The collectors on a sound schema, and on schemas broken one way at a time.

mod ledger;
mod robustness;
mod role;
mod tables;
mod transport;

use sqlx::{Executor, PgConnection, PgPool};
use stockade_posture::{
    Observation,
    postgres::{self, RlsScope},
};

use crate::support::{measured, shortfalls};

/// Roles belong to the cluster and tests run at the same time: each statement tolerates that another test was faster.
const ROLES: &str = "
    DO $$
    DECLARE
        statement text;
    BEGIN
        FOREACH statement IN ARRAY ARRAY[
            'CREATE ROLE posture_test_owner NOLOGIN', 'CREATE ROLE posture_test_app LOGIN', 'CREATE ROLE posture_test_reader NOLOGIN',
            'CREATE ROLE posture_test_super NOLOGIN SUPERUSER', 'CREATE ROLE posture_test_bypass NOLOGIN BYPASSRLS',
            'CREATE ROLE posture_test_creator NOLOGIN CREATEROLE', 'CREATE ROLE posture_test_member NOLOGIN NOINHERIT',
            'CREATE ROLE posture_test_climber NOLOGIN NOINHERIT',
            'GRANT posture_test_owner TO posture_test_member', 'GRANT posture_test_bypass TO posture_test_climber',
            'GRANT posture_test_reader TO posture_test_app']
        LOOP
            FOR attempt IN 1 .. 20 LOOP
                BEGIN
                    EXECUTE statement;
                    EXIT;
                EXCEPTION
                    WHEN duplicate_object THEN EXIT;
                    WHEN unique_violation OR internal_error THEN PERFORM pg_sleep(0.01 * attempt);
                END;
            END LOOP;
        END LOOP;
    END $$";

const SOUND: &str = "
    CREATE SCHEMA stockade;
    CREATE VIEW stockade.current_tenant AS SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;
    GRANT USAGE ON SCHEMA stockade TO PUBLIC;
    GRANT SELECT ON stockade.current_tenant TO PUBLIC;
    CREATE SCHEMA freight AUTHORIZATION posture_test_owner;
    SET ROLE posture_test_owner;
    CREATE TABLE freight.loads (id int, tenant_id uuid NOT NULL, name text);
    CREATE TABLE freight.\"Odd Name\" (tenant_id uuid NOT NULL);
    CREATE TABLE freight.event (tenant_id uuid NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
    CREATE TABLE freight.event_2026 PARTITION OF freight.event FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    CREATE TABLE freight.country (code text);
    CREATE VIEW freight.v_loads WITH (security_invoker = true, check_option = local) AS SELECT * FROM freight.loads WHERE id > 0;
    CREATE VIEW freight.v_private AS SELECT * FROM freight.loads;
    DO $$
    DECLARE
        t regclass;
    BEGIN
        FOREACH t IN ARRAY ARRAY['freight.loads', 'freight.\"Odd Name\"', 'freight.event', 'freight.event_2026']::regclass[] LOOP
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
            EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
            EXECUTE format('CREATE POLICY access ON %s TO posture_test_app USING (true) WITH CHECK (true)', t);
            EXECUTE format('CREATE POLICY tenant ON %s AS RESTRICTIVE
                            USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))
                            WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))', t);
        END LOOP;
    END $$;
    GRANT USAGE ON SCHEMA freight TO posture_test_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON freight.loads, freight.v_loads TO posture_test_app;
    RESET ROLE";

fn scope() -> RlsScope {
    RlsScope::new("freight", "tenant_id", "posture_test_app")
}

async fn sound(pool: &PgPool) -> PgConnection {
    let mut connection = pool.acquire().await.unwrap().detach();
    connection.execute(ROLES).await.unwrap();
    sqlx::raw_sql(SOUND).execute(&mut connection).await.unwrap();
    connection
}

async fn broken(pool: &PgPool, change: &'static str) -> Vec<Observation> {
    let mut connection = sound(pool).await;
    sqlx::raw_sql(change).execute(&mut connection).await.unwrap();
    measured(postgres::rls(&mut connection, &scope())).await
}

fn remedies(seen: &[Observation]) -> Vec<&str> {
    seen.iter().filter_map(Observation::suggested_remedy).collect()
}
