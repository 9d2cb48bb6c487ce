//! The probe: nothing leaks where the plan was applied, nothing is left behind, and what cannot be shown is said.

use std::future::Future as _;
use std::pin::pin;
use std::task::Poll;

use sqlx::{Connection as _, PgConnection, PgPool};
use stockade_rls_migrations::{Attempt, ErrorKind, Probe, Roles, Schema, Verdict, by, parent};

use crate::probe_support::{declared, leaked, login, sound, untested, verdict};
use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, B, TABLES, apply, apply_all, connect, freight, protected, run, text};

#[sqlx::test]
async fn a_sound_schema_leaks_nothing(pool: PgPool) {
    let mut conn = sound(&pool).await;
    for tenant in [A, B] {
        run(&mut conn, &format!("INSERT INTO freight.loads VALUES ('{tenant}', 1, 'x')")).await.unwrap();
    }
    let report = declared().probe(&mut conn, &Probe::new().login(login(&pool, "rls_test_app"))).await.unwrap();
    assert!(report.is_isolated(), "{report}");
    let expected = [
        // Setting, not lease; and no committed rows but those of `loads`.
        "forged-lease database",
        "login-without-context freight.events",
        "login-without-context freight.fiscal_period",
        "login-without-context freight.gl_posting",
        "login-without-context freight.invoices",
        "login-without-context freight.load_note",
        "login-without-context freight.stops",
        "mint-lease database",
        "read-leases database",
    ];
    let mut found = untested(&report);
    found.sort();
    assert_eq!(found, expected, "{report}");
    let missing: Vec<_> = Attempt::ALL
        .iter()
        .filter(|attempt| !report.rows().iter().any(|row| row.attempt() == **attempt))
        .map(|attempt| attempt.id())
        .collect();
    // What the schema does not have.
    assert_eq!(missing, ["cascade", "materialized-view", "undeclared-table"]);
}

#[sqlx::test]
async fn without_a_login_its_attempts_are_untested(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let report = freight().probe(&mut conn, &Probe::new()).await.unwrap();
    assert!(report.is_isolated(), "{report}");
    assert!(matches!(verdict(&report, Attempt::LoginSetRole, "login"), Verdict::Untested(_)));
}

/// The rows of every table, what every sequence has reached, and what the session holds.
async fn contents(conn: &mut PgConnection) -> String {
    text(
        conn,
        "SELECT concat_ws(E'\\n',
            (SELECT string_agg(format('%s %s', c.oid::regclass, (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', c.oid::regclass), false, true, '')))[1]), E'\\n' ORDER BY c.oid)
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('freight', 'stockade')),
            (SELECT string_agg(format('%s %s', sequencename, last_value), E'\\n' ORDER BY sequencename) FROM pg_sequences),
            (SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'stockade%'),
            (SELECT count(*) FROM pg_cursors), current_user, current_setting('row_security'), current_setting('search_path'),
            nullif(current_setting('stockade.tenant_id', true), ''),
            (SELECT string_agg(format('%s %s', m.roleid::regrole, m.member::regrole), ',' ORDER BY m.roleid, m.member) FROM pg_auth_members m
              WHERE m.roleid::regrole::text LIKE 'rls_test_app'))",
    )
    .await
}

#[sqlx::test]
async fn nothing_is_left_behind(pool: PgPool) {
    let mut conn = sound(&pool).await;
    run(&mut conn, &format!("INSERT INTO freight.invoices (tenant_id) VALUES ('{A}')")).await.unwrap();
    run(&mut conn, &format!("INSERT INTO freight.load_note (tenant_id) VALUES ('{A}')")).await.unwrap();
    let (before, rows) = (catalogue(&mut conn).await, contents(&mut conn).await);
    let report = declared().probe(&mut conn, &Probe::new()).await.unwrap();
    assert!(report.is_isolated(), "{report}");
    assert_same(&before, &catalogue(&mut conn).await);
    assert_eq!(rows, contents(&mut conn).await);
}

/// Polls a future so many times, waiting for the server in between, and drops it.
#[sqlx::test]
async fn a_dropped_probe_leaves_nothing_behind(pool: PgPool) {
    let mut conn = sound(&pool).await;
    let (before, rows) = (catalogue(&mut conn).await, contents(&mut conn).await);
    let (schema, probe) = (declared(), Probe::new());
    let mut finished = false;
    for cut in [1, 2, 4, 7, 12, 20, 30, 40, 60, 100, 1000] {
        let mut polls = 0;
        {
            let mut future = pin!(schema.probe(&mut conn, &probe));
            finished = std::future::poll_fn(|context| {
                polls += 1;
                match future.as_mut().poll(context) {
                    Poll::Ready(outcome) => Poll::Ready(outcome.is_ok()),
                    Poll::Pending if polls >= cut => Poll::Ready(false),
                    Poll::Pending => Poll::Pending,
                }
            })
            .await;
        }
        conn.close_hard().await.unwrap();
        conn = connect(&pool, "postgres").await;
        assert_same(&before, &catalogue(&mut conn).await);
        assert_eq!(rows, contents(&mut conn).await, "cut after {cut} polls");
    }
    assert!(finished, "the last one was not cut");
}

#[sqlx::test]
async fn a_connection_that_dies_leaves_nothing_behind(pool: PgPool) {
    let mut root = sound(&pool).await;
    let (before, rows) = (catalogue(&mut root).await, contents(&mut root).await);
    let mut conn = connect(&pool, "postgres").await;
    let pid = text(&mut conn, "SELECT pg_backend_pid()::text").await;
    // The lock makes the probe wait where it has written half of its rows.
    run(&mut root, "BEGIN; LOCK TABLE freight.events IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let schema = declared();
    let probing = async { schema.probe(&mut conn, &Probe::new()).await };
    let killing = async {
        let waiting = format!("SELECT count(*)::text FROM pg_locks WHERE pid = {pid} AND NOT granted");
        while text(&mut root, &waiting).await == "0" {}
        run(&mut root, &format!("SELECT pg_terminate_backend({pid})")).await.unwrap();
        run(&mut root, "ROLLBACK").await.unwrap();
    };
    let (outcome, ()) = tokio::join!(probing, killing);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Database, "{error:?}");
    assert_same(&before, &catalogue(&mut root).await);
    assert_eq!(rows, contents(&mut root).await);
}

/// What a managed service gives. Under FORCE the owner may not even write a row: the application does, in each tenant's context.
#[sqlx::test]
async fn a_migrator_without_superuser_can_probe(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    let role = "DO $$ BEGIN CREATE ROLE rls_test_prober LOGIN CREATEROLE;
                EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$";
    run(&mut root, role).await.unwrap();
    // From 16 on, CREATEROLE alone does not let anybody act for a role that somebody else made.
    let owner = "DO $$ BEGIN CREATE ROLE stockade_owner NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
                 DO $$ BEGIN GRANT stockade_owner TO rls_test_prober WITH ADMIN OPTION; EXCEPTION WHEN internal_error OR unique_violation THEN NULL; END $$";
    run(&mut root, owner).await.unwrap();
    let grants = "SELECT format('GRANT CREATE ON DATABASE %I TO rls_test_prober; GRANT CREATE, USAGE ON SCHEMA public TO rls_test_prober', current_database())";
    let grants = text(&mut root, grants).await;
    run(&mut root, &grants).await.unwrap();
    let own = Schema::new("freight", Roles::for_app("rls_probe_own"))
        .tenant_table("loads", by("tenant_id"))
        .tenant_table_via("stops", by("tenant_id"), parent("loads").on("load_id", "id"))
        .append_only("load_note")
        .shared_reference("countries")
        .exempt("gl_posting", "not here")
        .exempt("fiscal_period", "not here")
        .exempt("_sqlx_migrations", "the ledger of sqlx");
    let mut migrator = connect(&pool, "rls_test_prober").await;
    run(&mut migrator, TABLES).await.unwrap();
    let _ = apply(&own, &mut migrator).await;
    let before = catalogue(&mut root).await;
    let report = own.probe(&mut migrator, &Probe::new()).await.unwrap();
    assert_same(&before, &catalogue(&mut root).await);
    // The hardening that only a superuser can do was skipped: those doors are open, and are found open.
    let open: Vec<_> = report.leaks().map(|row| row.attempt().id()).collect();
    let hardening = [
        "set-config-union",
        "set-config-where",
        "temp-table",
        "temp-function",
        "create-in-public",
        "large-object",
        "activity",
    ];
    assert!(open.iter().all(|id| hardening.contains(id)), "{report}");
    for attempt in [Attempt::Select, Attempt::Insert, Attempt::Update, Attempt::Move, Attempt::OwnerSelect] {
        assert_eq!(*verdict(&report, attempt, "freight.loads"), Verdict::Held, "{report}");
    }
    assert!(matches!(verdict(&report, Attempt::Ctid, "freight.loads"), Verdict::Untested(_)), "{report}");
    run(&mut migrator, "ALTER TABLE freight.loads DISABLE ROW LEVEL SECURITY").await.unwrap();
    let report = own.probe(&mut migrator, &Probe::new()).await.unwrap();
    assert!(leaked(&report, Attempt::Select) && leaked(&report, Attempt::Insert), "{report}");
}

#[sqlx::test]
async fn a_table_that_no_row_fits_is_untested(pool: PgPool) {
    let mut conn = protected(&pool).await;
    run(
        &mut conn,
        "CREATE TABLE freight.riddle (tenant_id uuid NOT NULL, word text NOT NULL CHECK (md5(word) = repeat('0', 32)));
         CREATE TABLE freight.odd (tenant_id uuid NOT NULL, at txid_snapshot NOT NULL);
         CREATE TABLE freight.solved (
            tenant_id uuid NOT NULL, id int NOT NULL, state text NOT NULL CHECK (state IN ('open', 'done')), percent int NOT NULL CHECK (percent BETWEEN 10 AND 20),
            country char(2) NOT NULL REFERENCES freight.countries, code char(2) NOT NULL CHECK (code ~ '^[A-Z]{2}$'), PRIMARY KEY (tenant_id, id));",
    )
    .await
    .unwrap();
    let schema = freight()
        .tenant_table("riddle", by("tenant_id"))
        .tenant_table("odd", by("tenant_id"))
        .tenant_table("solved", by("tenant_id"));
    let _ = apply(&schema, &mut conn).await;
    let report = schema.probe(&mut conn, &Probe::new()).await.unwrap();
    assert!(report.is_isolated(), "{report}");
    for (object, why) in [
        ("freight.riddle", "no row could be written (SQLSTATE 23514)"),
        ("freight.odd", "no value is known for column `at`"),
    ] {
        assert_eq!(*verdict(&report, Attempt::Select, object), Verdict::Untested(why.to_owned()), "{report}");
    }
    assert_eq!(*verdict(&report, Attempt::Insert, "freight.solved"), Verdict::Held, "{report}");
    // And where a row is there to copy from, that is a way.
    run(&mut conn, &format!("INSERT INTO freight.odd VALUES ('{A}', '10:20:10,14,15')")).await.unwrap();
    let report = schema.probe(&mut conn, &Probe::new()).await.unwrap();
    assert_eq!(*verdict(&report, Attempt::Insert, "freight.odd"), Verdict::Held, "{report}");
}

#[sqlx::test]
async fn every_type_gets_a_row(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let types = "int2 int4 int8 numeric numeric(3,2) float4 float8 money bool text varchar varchar(3) char(2) name \"char\" uuid date timestamp
        timestamptz time timetz interval bytea json jsonb xml inet cidr macaddr macaddr8 bit(5) bit varbit point line lseg path box polygon circle
        tsvector tsquery pg_lsn jsonpath oid regclass regtype int4range tstzrange int4multirange text[] int4[] freight.mood freight.posint freight.deep freight.mood[]";
    let mut columns = String::new();
    for (number, name) in types.split_whitespace().enumerate() {
        columns.push_str(&format!(", c{number} {name} NOT NULL"));
    }
    run(
        &mut conn,
        &format!(
            "CREATE TYPE freight.mood AS ENUM ('sad', 'ok'); CREATE DOMAIN freight.posint AS int CHECK (value > 0);
             CREATE DOMAIN freight.deep AS freight.posint NOT NULL;
             CREATE TABLE freight.zoo (tenant_id uuid NOT NULL{columns}, id text, UNIQUE (tenant_id, id))"
        ),
    )
    .await
    .unwrap();
    let schema = freight().tenant_table("zoo", by("tenant_id"));
    let _ = apply(&schema, &mut conn).await;
    let report = schema.probe(&mut conn, &Probe::new()).await.unwrap();
    assert!(report.is_isolated(), "{report}");
    assert_eq!(*verdict(&report, Attempt::Insert, "freight.zoo"), Verdict::Held, "{report}");
}

#[sqlx::test]
async fn hostile_names_are_only_names(pool: PgPool) {
    let mut conn = connect(&pool, "postgres").await;
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    for name in
        ["x\"; DROP SCHEMA freight CASCADE; --", "$stockade$ $$", "it's E'\\' \\", "%I %s {}", "with\nline | `a`"]
    {
        let (schema, table, tenant) = (format!("s {name}"), format!("t {name}"), format!("c {name}"));
        let roles = format!("p{} {name}", std::process::id());
        let create = format!(
            "CREATE SCHEMA {s}; CREATE TABLE {s}.{t} ({c} uuid NOT NULL, {t} text NOT NULL DEFAULT 'x', PRIMARY KEY ({c}, {t}));
             CREATE TABLE {s}.k ({c} uuid NOT NULL, {t} text NOT NULL)",
            s = quote(&schema),
            t = quote(&table),
            c = quote(&tenant)
        );
        run(&mut conn, &create).await.unwrap();
        let declared = Schema::new(&schema, Roles::for_app(&roles)).tenant_table(&table, by(&tenant)).tenant_table_via(
            "k",
            by(&tenant),
            parent(&table).on(&table, &table),
        );
        let _ = apply(&declared, &mut conn).await;
        let report = declared.probe(&mut conn, &Probe::new()).await.unwrap();
        assert!(report.is_isolated(), "{report}");
        assert_eq!(
            *verdict(
                &report,
                Attempt::ForeignKeyOracle,
                report.rows().iter().find(|row| row.attempt() == Attempt::ForeignKeyOracle).unwrap().object()
            ),
            Verdict::Held
        );
        assert_eq!(report.to_string().lines().filter(|line| line.contains("select-others")).count(), 1);
        let markdown = report.to_markdown();
        assert!(markdown.lines().filter(|line| line.starts_with('|')).all(|line| line.ends_with('|')), "{markdown}");
        run(&mut conn, &format!("DROP SCHEMA {} CASCADE", quote(&schema))).await.unwrap();
        for role in ["owner", "app", "reader"] {
            let role = quote(&format!("{roles}_{role}"));
            run(&mut conn, &format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
        }
    }
}

#[sqlx::test]
async fn a_probe_can_run_inside_a_transaction(pool: PgPool) {
    let mut conn = protected(&pool).await;
    let mut tx = sqlx::Connection::begin(&mut conn).await.unwrap();
    run(&mut tx, "ALTER TABLE freight.loads DISABLE ROW LEVEL SECURITY").await.unwrap();
    let report = freight().probe(&mut tx, &Probe::new()).await.unwrap();
    assert!(leaked(&report, Attempt::Select), "{report}");
    assert_eq!(text(&mut tx, "SELECT count(*)::text FROM freight.loads").await, "4");
    tx.rollback().await.unwrap();
}

#[sqlx::test]
async fn a_context_of_another_name_can_be_probed(pool: PgPool) {
    let mut conn = protected(&pool).await;
    run(
        &mut conn,
        "CREATE TABLE freight.legacy (org_id uuid NOT NULL, id int NOT NULL, PRIMARY KEY (org_id, id));
         ALTER TABLE freight.legacy ENABLE ROW LEVEL SECURITY;
         CREATE POLICY legacy ON freight.legacy USING (org_id = nullif(current_setting('app.org_id', true), '')::uuid);
         GRANT SELECT, INSERT, UPDATE, DELETE ON freight.legacy TO rls_test_app",
    )
    .await
    .unwrap();
    let others = ["loads", "stops", "load_note", "gl_posting", "fiscal_period", "countries", "_sqlx_migrations"];
    let schema = Schema::new("freight", Roles::for_app("rls_test")).tenant_table("legacy", by("org_id"));
    let schema = others.into_iter().fold(schema, |schema, other| schema.exempt(other, "not asked about"));
    let report = schema.probe(&mut conn, &Probe::new().setting("app.org_id")).await.unwrap();
    // Only FORCE is missing there, which binds nobody here: the owner is the superuser.
    // Nor does its policy know contexts that may only read.
    assert!(report.leaks().all(|leak| leak.attempt() == Attempt::ReadOnlyWrite), "{report}");
    assert_eq!(*verdict(&report, Attempt::Select, "freight.legacy"), Verdict::Held);
    // Under the wrong context A does not reach its own row, and nothing is called held.
    let report = schema.probe(&mut conn, &Probe::new()).await.unwrap();
    assert!(matches!(verdict(&report, Attempt::Select, "freight.legacy"), Verdict::Untested(_)), "{report}");
}

#[sqlx::test]
async fn a_report_can_be_read_by_people_and_by_machines(pool: PgPool) {
    let mut conn = protected(&pool).await;
    run(&mut conn, "GRANT TRUNCATE ON freight.loads TO rls_test_app").await.unwrap();
    let report = freight().probe(&mut conn, &Probe::new()).await.unwrap();
    let table = report.to_string();
    assert!(table.contains("!truncate ") && table.contains("  truncate: freight.loads: "), "{table}");
    assert!(table.ends_with("in schema freight") && table.contains("1 leaked, "), "{table}");
    let markdown = report.to_markdown();
    assert!(markdown.starts_with("# Isolation of schema freight does not hold\n"), "{markdown}");
    assert!(markdown.contains("| **leaked** | `truncate` | freight.loads | refused |"), "{markdown}");
    for row in report.rows() {
        assert!(!row.seen().contains('\n') && !row.seen().contains("SELECT"), "{row:?}");
        assert!(!row.attempt().expected().is_empty());
    }
    #[cfg(feature = "junit")]
    {
        let xml = report.to_junit();
        assert_eq!(xml.matches("<failure").count(), 1, "{xml}");
        assert_eq!(xml.matches("<testcase").count(), report.rows().len());
        assert_eq!(xml.matches("<skipped").count(), report.untested().count());
    }
    #[cfg(feature = "serde")]
    {
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["isolated"], false);
        let rows = json["rows"].as_array().unwrap();
        assert_eq!(rows.len(), report.rows().len());
        let leaks: Vec<_> = rows.iter().filter(|row| row["verdict"] == "leaked").collect();
        assert_eq!(leaks.len(), 1);
        assert_eq!((&leaks[0]["attempt"], &leaks[0]["object"]), (&"truncate".into(), &"freight.loads".into()));
    }
}

#[sqlx::test]
async fn a_table_of_tenants_is_no_oracle_for_its_children(pool: PgPool) {
    let mut conn = protected(&pool).await;
    run(
        &mut conn,
        "CREATE TABLE freight.tenants (tenant_id uuid PRIMARY KEY);
         CREATE TABLE freight.users (tenant_id uuid NOT NULL REFERENCES freight.tenants ON DELETE CASCADE, id uuid, PRIMARY KEY (tenant_id, id))",
    )
    .await
    .unwrap();
    let schema = freight().tenant_table("tenants", by("tenant_id")).tenant_table("users", by("tenant_id"));
    drop(apply(&schema, &mut conn).await);
    let report = schema.probe(&mut conn, &Probe::new()).await.unwrap();
    assert!(report.is_isolated(), "{report}");
    assert_eq!(*verdict(&report, Attempt::Select, "freight.users"), Verdict::Held);
}

/// A tenant has one row, which is there already; and what must be sealed is copied beside a key as long as a hash.
#[sqlx::test]
async fn a_table_with_one_row_a_tenant_can_be_tested(pool: PgPool) {
    const TABLE: &str = "freight.profile";
    let mut conn = sound(&pool).await;
    let table =
        "CREATE TABLE freight.profile (tenant_id uuid PRIMARY KEY, digest bytea CHECK (octet_length(digest) > 16),
                     sealed bytea NOT NULL CHECK (get_byte(sealed, 0) = 1), UNIQUE (tenant_id, digest));
                 INSERT INTO freight.profile VALUES (gen_random_uuid(), sha256('x'), '\\x0102')";
    run(&mut conn, table).await.unwrap();
    let schema = declared().tenant_table("profile", by("tenant_id"));
    apply_all(&schema, &mut conn).await;
    let attempts = [Attempt::Select, Attempt::Insert, Attempt::Update, Attempt::Move, Attempt::Delete];
    let report = schema.probe(&mut conn, &Probe::new()).await.unwrap();
    for attempt in attempts {
        assert_eq!(*verdict(&report, attempt, TABLE), Verdict::Held, "{attempt}");
    }
    run(&mut conn, "DROP POLICY stockade_tenant ON freight.profile").await.unwrap();
    let report = schema.probe(&mut conn, &Probe::new()).await.unwrap();
    for attempt in attempts {
        assert_eq!(*verdict(&report, attempt, TABLE), Verdict::Leaked, "{attempt}");
    }
}

/// A row that collides with its own tenant's says nothing about a parent of another one.
#[sqlx::test]
async fn a_collision_within_the_tenant_is_no_leak_of_a_parent(pool: PgPool) {
    const KEY: &str = "freight.paid.paid_driver";
    let mut conn = sound(&pool).await;
    let table = "CREATE TABLE freight.drivers (tenant_id uuid, id int, PRIMARY KEY (tenant_id, id));
                 CREATE TABLE freight.paid (tenant_id uuid, id int, load_id int NOT NULL, driver_id int NOT NULL, PRIMARY KEY (tenant_id, id),
                     UNIQUE (tenant_id, load_id), FOREIGN KEY (tenant_id, load_id) REFERENCES freight.loads (tenant_id, id),
                     CONSTRAINT paid_driver FOREIGN KEY (tenant_id, driver_id) REFERENCES freight.drivers (tenant_id, id))";
    run(&mut conn, table).await.unwrap();
    let schema = declared().tenant_table("drivers", by("tenant_id")).tenant_table("paid", by("tenant_id"));
    apply_all(&schema, &mut conn).await;
    let report = schema.probe(&mut conn, &Probe::new()).await.unwrap();
    assert!(report.leaks().next().is_none(), "{report}");
    let of_parent = verdict(&report, Attempt::ForeignKeyOracle, KEY);
    assert!(matches!(of_parent, Verdict::Untested(why) if why.contains("23505")), "{of_parent:?}");
}
