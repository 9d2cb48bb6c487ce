//! Every kind of attempt that can leak, on a schema that is broken for it.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgPool};
use stockade_rls_migrations::{Attempt, Probe, Rule};

use crate::probe_support::{declared, leaked, login, sound};
use crate::support::{A, lint, run};

use Attempt as T;

const OPEN: &str = "ALTER POLICY stockade_tenant ON freight.loads USING (true) WITH CHECK (true)";
const ON_DATABASE: &str =
    "DO $$ BEGIN EXECUTE format('GRANT {} ON DATABASE %I TO rls_test_app', current_database()); END $$";

/// What to break, and what must find it. Everything happens in a transaction that is rolled back.
const BREAKS: &[(&str, &[Attempt])] = &[
    (
        "ALTER TABLE freight.loads DISABLE ROW LEVEL SECURITY",
        &[
            T::Select, T::SelectOthers, T::Join, T::Aggregate, T::Exists, T::Subquery, T::Cte, T::RecursiveCte, T::Lateral,
            T::Window, T::SetOperation, T::TableSample, T::Ctid, T::SystemColumns, T::WholeRow, T::Xml, T::Statistics,
            T::LeakyPredicate, T::RowLock, T::Cursor, T::CopyTo, T::CopyFrom, T::Prepared, T::PlanRoleChange, T::RowSecurityOff,
            T::ContextReset, T::ContextEmpty, T::ContextMalformed, T::ContextOtherType, T::ContextTwice, T::ReaderSelect,
            T::Parallel, T::Savepoint, T::AbortedTransaction,
        ],
    ),
    (
        OPEN,
        &[T::Insert, T::InsertSelect, T::Update, T::UpdateJoin, T::Move, T::Delete, T::DeleteJoin, T::Returning, T::MergeChange, T::MergeInsert],
    ),
    ("ALTER TABLE freight.loads NO FORCE ROW LEVEL SECURITY", &[T::OwnerSelect]),
    ("CREATE POLICY wide ON freight.loads USING (true); DROP POLICY stockade_tenant ON freight.loads", &[T::Select, T::Insert]),
    (
        "ALTER POLICY stockade_tenant ON freight.loads
         USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) OR nullif(current_setting('stockade.tenant_id', true), '') IS NULL)",
        &[T::ContextReset, T::ContextEmpty],
    ),
    (
        "CREATE FUNCTION freight.me() RETURNS uuid IMMUTABLE LANGUAGE sql AS $$SELECT current_setting('stockade.tenant_id')::uuid$$;
         GRANT EXECUTE ON FUNCTION freight.me() TO rls_test_app;
         ALTER POLICY stockade_tenant ON freight.loads USING (tenant_id = freight.me())",
        &[T::Prepared],
    ),
    (
        "ALTER TABLE freight.load_note DROP CONSTRAINT load_note_pkey; ALTER TABLE freight.load_note ALTER tenant_id DROP NOT NULL;
         ALTER POLICY stockade_tenant ON freight.load_note
         WITH CHECK (tenant_id IS NULL OR tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))",
        &[T::InsertWithoutTenant],
    ),
    ("CREATE UNIQUE INDEX by_id ON freight.gl_posting (id)", &[T::Upsert, T::ConflictOracle, T::UniqueOracle]),
    (
        "ALTER TABLE freight.gl_posting ADD UNIQUE (id);
         ALTER TABLE freight.invoices ADD COLUMN posting int REFERENCES freight.gl_posting (id) ON DELETE CASCADE",
        &[T::ForeignKeyOracle, T::Cascade],
    ),
    ("GRANT TRUNCATE ON freight.loads TO rls_test_app", &[T::Truncate]),
    ("ALTER TABLE freight.loads OWNER TO rls_test_app", &[T::DisableSecurity, T::CreatePolicy]),
    ("GRANT TRIGGER ON freight.loads TO rls_test_app", &[T::CreateTrigger]),
    ("GRANT REFERENCES (id) ON freight.loads TO rls_test_app", &[T::References]),
    ("GRANT SELECT ON freight.loads TO rls_test_app WITH GRANT OPTION", &[T::PassOn]),
    ("ALTER TABLE freight.load_note DISABLE TRIGGER stockade_append_only", &[T::AppendOnly]),
    ("ALTER TABLE freight.gl_posting DISABLE TRIGGER stockade_period_insert", &[T::ClosedPeriod]),
    (
        "CREATE OR REPLACE VIEW stockade.current_actor AS
         SELECT NULL::uuid AS actor_id, ''::text AS scopes, false AS read_only",
        &[T::ReadOnlyWrite],
    ),
    (
        "CREATE VIEW freight.v AS SELECT tenant_id, id, name FROM freight.loads; GRANT ALL ON freight.v TO rls_test_app",
        &[T::ViewRead, T::ViewWrite, T::ViewInsert],
    ),
    (
        "CREATE VIEW public.sums AS SELECT sum(x.n) FROM (SELECT count(*) AS n FROM freight.open_loads) x;
         ALTER VIEW freight.open_loads SET (security_invoker = false); GRANT SELECT ON public.sums TO rls_test_app;
         GRANT USAGE ON SCHEMA public TO rls_test_app",
        &[T::ViewRead],
    ),
    (
        "CREATE MATERIALIZED VIEW freight.m AS SELECT * FROM freight.loads; GRANT SELECT ON freight.m TO rls_test_app",
        &[T::MaterializedView],
    ),
    (
        "ALTER TABLE freight.events_rest DISABLE ROW LEVEL SECURITY; GRANT SELECT, INSERT ON freight.events_rest TO rls_test_app",
        &[T::PartitionRead, T::PartitionWrite],
    ),
    (
        "CREATE FUNCTION freight.names(of uuid) RETURNS SETOF int LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
         AS 'SELECT 1 FROM freight.loads l WHERE l.tenant_id = $1'; GRANT EXECUTE ON FUNCTION freight.names TO rls_test_app",
        &[T::DefinerFunction],
    ),
    (
        "CREATE FUNCTION freight.loose() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
         GRANT EXECUTE ON FUNCTION freight.loose TO rls_test_app; GRANT CREATE ON SCHEMA freight TO rls_test_app",
        &[T::DefinerPath],
    ),
    ("GRANT SELECT ON SEQUENCE freight.load_note_id_seq TO rls_test_app", &[T::Sequence]),
    ("GRANT DELETE ON freight.countries TO rls_test_app", &[T::SharedWrite]),
    ("CREATE TABLE freight.naked (tenant_id uuid); GRANT SELECT ON freight.naked TO rls_test_app", &[T::Undeclared]),
    ("ALTER DEFAULT PRIVILEGES FOR ROLE rls_test_owner IN SCHEMA freight GRANT SELECT ON TABLES TO rls_test_app", &[T::NewTable]),
    ("GRANT EXECUTE ON FUNCTION set_config TO PUBLIC", &[T::SetConfigUnion, T::SetConfigWhere]),
    (
        "GRANT CREATE ON SCHEMA stockade TO rls_test_app; ALTER VIEW stockade.current_tenant OWNER TO rls_test_app",
        &[T::ReplaceContext],
    ),
    ("GRANT SET ON PARAMETER stockade.tenant_id TO rls_test_app", &[T::PresetContext]),
    ("TEMPORARY", &[T::TempTable, T::TempFunction]),
    ("GRANT CREATE ON SCHEMA freight TO rls_test_app", &[T::CopyTable, T::CreateFunction]),
    ("GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC", &[T::CreateInPublic]),
    ("GRANT EXECUTE ON FUNCTION lo_from_bytea(oid, bytea) TO PUBLIC", &[T::LargeObject]),
    ("GRANT SET ON PARAMETER session_replication_role TO rls_test_app", &[T::DisableTriggers]),
    ("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO rls_test_app", &[T::ServerFiles]),
    ("CREATE", &[T::Publication]),
    ("GRANT SELECT ON pg_statistic TO rls_test_app", &[T::RawStatistics]),
    ("GRANT EXECUTE ON FUNCTION pg_stat_get_activity(int) TO PUBLIC", &[T::Activity]),
];

/// A lease as context, as a minter would leave it. Each is broken in its own way.
const LEASES: &str = "
    CREATE TABLE stockade.tenant_lease (digest bytea PRIMARY KEY, tenant_id uuid NOT NULL, actor_id uuid, scopes text NOT NULL DEFAULT '',
        read_only boolean NOT NULL DEFAULT false, expires_at timestamptz NOT NULL);
    ALTER TABLE stockade.tenant_lease OWNER TO stockade_owner;
    CREATE FUNCTION stockade.mint_lease(digest bytea, tenant_id uuid, lifetime interval, actor_id uuid, scopes text, read_only boolean)
        RETURNS timestamptz LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT now()';
    REVOKE EXECUTE ON FUNCTION stockade.mint_lease FROM PUBLIC;";

const LEASE_VIEW: &str = "CREATE OR REPLACE VIEW stockade.current_tenant WITH (security_barrier) AS
        SELECT l.tenant_id FROM stockade.tenant_lease l
         WHERE l.digest = (SELECT sha256(convert_to(current_setting('stockade.lease', true), 'UTF8'))) AND l.expires_at > now();";

const LEASE_BREAKS: &[(&str, &[Attempt])] = &[
    (
        "CREATE OR REPLACE VIEW stockade.current_tenant WITH (security_barrier) AS
         SELECT coalesce(nullif(current_setting('stockade.tenant_id', true), '')::uuid, (SELECT l.tenant_id FROM stockade.tenant_lease l
          WHERE l.digest = (SELECT sha256(convert_to(current_setting('stockade.lease', true), 'UTF8'))))) AS tenant_id",
        &[T::StackedSet, T::ConnectionOptions],
    ),
    (
        "CREATE OR REPLACE VIEW stockade.current_tenant WITH (security_barrier) AS
         SELECT l.tenant_id FROM stockade.tenant_lease l WHERE current_setting('stockade.lease', true) <> '' ORDER BY l.digest LIMIT 1",
        &[T::ForgedLease],
    ),
    ("GRANT SELECT ON stockade.tenant_lease TO rls_test_app", &[T::ReadLeases]),
    ("GRANT EXECUTE ON FUNCTION stockade.mint_lease TO rls_test_app", &[T::MintLease]),
];

/// What only a real login shows: the role that logs in, and what it may become.
const LOGINS: &[(&str, &str, Attempt)] = &[
    ("rls_probe_bypassing", "LOGIN BYPASSRLS IN ROLE rls_test_app", T::LoginBypasses),
    ("rls_probe_becoming", "LOGIN IN ROLE rls_test_app, rls_test_owner", T::LoginSetRole),
    ("rls_probe_super", "LOGIN SUPERUSER IN ROLE rls_test_app", T::LoginSessionAuthorization),
];

#[sqlx::test]
async fn each_kind_fires_on_the_schema_that_breaks_it(pool: PgPool) {
    let mut conn = sound(&pool).await;
    let mut fired = BTreeSet::new();
    for (break_it, attempts) in BREAKS {
        let mut tx = conn.begin().await.unwrap();
        let sql = match *break_it {
            "TEMPORARY" => ON_DATABASE.replace("{}", "TEMPORARY"),
            "CREATE" => {
                format!("{}; ALTER TABLE freight.loads OWNER TO rls_test_app", ON_DATABASE.replace("{}", "CREATE"))
            }
            sql => sql.to_owned(),
        };
        run(&mut tx, &sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let report = declared().probe(&mut tx, &Probe::new()).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        for attempt in *attempts {
            assert!(leaked(&report, *attempt), "{attempt} did not fire on: {sql}\n{report}");
            fired.insert(*attempt);
        }
        assert!(!report.is_isolated());
        tx.rollback().await.unwrap();
    }
    let elsewhere: BTreeSet<Attempt> = LEASE_BREAKS
        .iter()
        .flat_map(|(_, attempts)| attempts.iter().copied())
        .chain(LOGINS.iter().map(|(_, _, attempt)| *attempt))
        .chain([T::LoginWithoutContext])
        .collect();
    let tested: BTreeSet<Attempt> = fired.union(&elsewhere).copied().collect();
    let can_leak: BTreeSet<Attempt> = Attempt::ALL.iter().copied().filter(|attempt| !attempt.is_inherent()).collect();
    assert_eq!(tested, can_leak, "a kind has no broken schema");
    assert!(tested.len() >= 40);
}

#[sqlx::test]
async fn each_kind_about_leases_fires(pool: PgPool) {
    let mut conn = sound(&pool).await;
    run(&mut conn, LEASES).await.unwrap();
    run(&mut conn, LEASE_VIEW).await.unwrap();
    let probe = Probe::new().login(login(&pool, "rls_test_app"));
    let report = declared().probe(&mut conn, &probe).await.unwrap();
    assert!(report.is_isolated(), "{report}");
    for attempt in [T::StackedSet, T::ForgedLease, T::ReadLeases, T::MintLease, T::ConnectionOptions, T::SetConfigUnion]
    {
        let row = report.rows().iter().find(|row| row.attempt() == attempt).unwrap();
        assert_eq!(*row.verdict(), stockade_rls_migrations::Verdict::Held, "{report}");
    }
    for (break_it, attempts) in LEASE_BREAKS {
        run(&mut conn, break_it).await.unwrap();
        let report = declared().probe(&mut conn, &probe).await.unwrap();
        for attempt in *attempts {
            assert!(leaked(&report, *attempt), "{attempt} did not fire on: {break_it}\n{report}");
        }
        run(&mut conn, LEASE_VIEW).await.unwrap();
    }
}

#[sqlx::test]
async fn each_kind_about_logins_fires(pool: PgPool) {
    let mut conn = sound(&pool).await;
    for (role, attributes, attempt) in LOGINS {
        let create = format!(
            "DO $$ BEGIN CREATE ROLE {role} {attributes}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        );
        run(&mut conn, &create).await.unwrap();
        let report = declared().probe(&mut conn, &Probe::new().login(login(&pool, role))).await.unwrap();
        assert!(leaked(&report, *attempt), "{attempt} did not fire for {role}\n{report}");
    }
    run(&mut conn, &format!("INSERT INTO freight.loads VALUES ('{A}', 1, 'x')")).await.unwrap();
    run(&mut conn, "ALTER TABLE freight.loads DISABLE ROW LEVEL SECURITY").await.unwrap();
    let report = declared().probe(&mut conn, &Probe::new().login(login(&pool, "rls_test_app"))).await.unwrap();
    assert!(leaked(&report, T::LoginWithoutContext), "{report}");
}

/// Ways to break a schema that are not made for one kind of attempt; each is found by the probe, or else by lint.
const MUTATIONS: &[&str] = &[
    "ALTER TABLE freight.stops NO FORCE ROW LEVEL SECURITY",
    "ALTER TABLE freight.stops DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE freight.events DISABLE ROW LEVEL SECURITY",
    "DROP POLICY stockade_tenant ON freight.stops",
    "DROP POLICY stockade_access ON freight.stops",
    "ALTER POLICY stockade_tenant ON freight.stops WITH CHECK (true)",
    "ALTER POLICY stockade_tenant ON freight.stops USING (true)",
    "ALTER POLICY stockade_tenant ON freight.stops TO rls_test_reader",
    "ALTER POLICY stockade_tenant ON freight.stops USING (tenant_id <> (SELECT c.tenant_id FROM stockade.current_tenant c))",
    "ALTER POLICY stockade_tenant ON freight.stops USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) OR city IS NULL)",
    "DROP POLICY stockade_tenant ON freight.stops; CREATE POLICY stockade_tenant ON freight.stops FOR SELECT USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))",
    "DROP POLICY stockade_tenant ON freight.stops; CREATE POLICY stockade_tenant ON freight.stops USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))",
    "CREATE POLICY careless ON freight.stops USING (true) WITH CHECK (true)",
    "CREATE OR REPLACE VIEW stockade.current_tenant AS SELECT t.tenant_id FROM freight.loads t ORDER BY 1 DESC LIMIT 1",
    "CREATE OR REPLACE VIEW stockade.current_tenant AS SELECT gen_random_uuid() AS tenant_id",
    "ALTER VIEW stockade.current_tenant OWNER TO rls_test_app",
    "ALTER ROLE rls_test_app BYPASSRLS",
    "ALTER ROLE rls_test_app SUPERUSER",
    "GRANT rls_test_owner TO rls_test_app",
    "GRANT TRUNCATE ON freight.stops TO rls_test_app",
    "GRANT ALL ON freight.stops TO PUBLIC",
    "GRANT UPDATE (id) ON freight.load_note TO rls_test_app",
    "ALTER TABLE freight.stops OWNER TO rls_test_app",
    "ALTER SCHEMA freight OWNER TO rls_test_app",
    "GRANT CREATE ON SCHEMA freight TO PUBLIC",
    "ALTER TABLE freight.load_note DISABLE TRIGGER ALL",
    "DROP TRIGGER stockade_append_only ON freight.load_note",
    "DROP TRIGGER stockade_period_insert ON freight.gl_posting",
    "DROP TRIGGER stockade_period_delete ON freight.gl_posting",
    "CREATE OR REPLACE FUNCTION stockade.rls_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE freight.stops DROP CONSTRAINT %I', conname) FROM pg_constraint
                           WHERE conrelid = 'freight.stops'::regclass AND contype = 'f'); END $$",
    "CREATE UNIQUE INDEX global ON freight.stops (id)",
    "ALTER VIEW freight.open_loads SET (security_invoker = false)",
    "CREATE TABLE freight.naked (tenant_id uuid); GRANT SELECT ON freight.naked TO rls_test_app",
    "ALTER ROLE rls_test_app SET stockade.tenant_id = '00000000-0000-0000-0000-00000000000a'",
    "GRANT INSERT, UPDATE ON freight.countries TO rls_test_app",
];

#[sqlx::test]
async fn every_mutation_is_found(pool: PgPool) {
    let mut conn = sound(&pool).await;
    let clean = declared().probe(&mut conn, &Probe::new()).await.unwrap();
    assert!(clean.is_isolated(), "{clean}");
    // Its function counts as its owner, so that there is one to test.
    let known: Vec<_> = lint(&declared(), &mut conn).await;
    assert!(known.iter().all(|finding| finding.rule() == Rule::DefinerBypasses), "{known:?}");
    let (mut by_probe, mut by_lint) = (0, 0);
    for mutation in MUTATIONS {
        let mut tx = conn.begin().await.unwrap();
        run(&mut tx, mutation).await.unwrap_or_else(|error| panic!("{mutation}: {error}"));
        let report =
            declared().probe(&mut tx, &Probe::new()).await.unwrap_or_else(|error| panic!("{mutation}: {error:?}"));
        let findings = lint(&declared(), &mut tx).await;
        by_probe += usize::from(report.leaks().next().is_some());
        by_lint += usize::from(findings != known);
        if report.is_isolated() {
            println!("only lint: {mutation}");
        }
        assert!(!report.is_isolated() || findings != known, "not found: {mutation}\n{report}");
        tx.rollback().await.unwrap();
    }
    println!("{} mutations: {by_probe} by the probe, {by_lint} by lint", MUTATIONS.len());
    assert!(MUTATIONS.len() >= 25 && by_probe >= 20, "{by_probe} by the probe");
}
