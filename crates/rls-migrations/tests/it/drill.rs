//! The restore drill, on a real dump and on restored databases that are damaged on purpose.

use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::{ConnectOptions as _, Connection as _, PgConnection, PgPool};
use stockade_rls_migrations::{Discrepancy, Drill, DrillReport, Part, RowPolicy, Rule, Snapshot};

use crate::row_policies;
use crate::support::{apply_all, connect, freight, run, sound, text};

/// What the drill compares besides the freight schema: a ledger, a partitioned table, a large object, a sequence that has
/// moved, settings of the database, types that are written differently under other settings.
const MORE: &str = "
    CREATE TABLE public._sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL,
        installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL);
    INSERT INTO public._sqlx_migrations VALUES (1, 'first', now(), true, '\\x0102', 5);
    CREATE TABLE public.visits (seen_at timestamptz NOT NULL, weight float8, took interval, raw bytea, price money) PARTITION BY RANGE (seen_at);
    CREATE TABLE public.visits_2026 PARTITION OF public.visits FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO public.visits SELECT timestamptz '2026-02-03 04:05Z' + n * interval '1 hour', n / 7.0, n * interval '1 day 2 hours', '\\xff', n
      FROM generate_series(1, 50) n;
    CREATE TABLE public.nothing ();
    CREATE TABLE public.\"odd \"\"of_table\" (of_table int, tenant text, digest text);
    INSERT INTO public.\"odd \"\"of_table\" VALUES (1, 'a', 'b'), (1, 'a', 'b');
    CREATE TYPE public.mood AS ENUM ('a', 'b');
    SELECT lo_from_bytea(0, 'scan');
    SELECT nextval('freight.load_note_id_seq');
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone = %L', current_database(), 'Asia/Tokyo'); END $$;
";

async fn source(pool: &PgPool) -> PgConnection {
    let mut conn = sound(pool).await;
    run(&mut conn, MORE).await.unwrap();
    conn.close().await.unwrap();
    // Anew, so that the setting of the database holds.
    connect(pool, "postgres").await
}

async fn snapshot(conn: &mut PgConnection) -> Snapshot {
    freight().snapshot(conn).await.unwrap()
}

/// A database of its own for what is restored, and a connection to it.
struct Restored {
    name: String,
    conn: PgConnection,
}

impl Restored {
    async fn create(pool: &PgPool, template: Option<&str>, how: &str) -> Self {
        let options = pool.connect_options();
        let name = format!("rls_restored_{how}_{}", std::process::id());
        let mut conn = PgConnection::connect_with(&options.as_ref().clone().database("postgres")).await.unwrap();
        run(&mut conn, &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await.unwrap();
        let template = template.unwrap_or("template0");
        run(&mut conn, &format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\"")).await.unwrap();
        let conn = PgConnection::connect_with(&options.as_ref().clone().database(&name)).await.unwrap();
        Self { name, conn }
    }

    async fn drop(self, pool: &PgPool) {
        self.conn.close().await.unwrap();
        let options = pool.connect_options().as_ref().clone().database("postgres");
        let mut conn = PgConnection::connect_with(&options).await.unwrap();
        run(&mut conn, &format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name)).await.unwrap();
    }
}

/// The folder with PostgreSQL's client programs, the newest first; they come with the server's package.
fn programs() -> PathBuf {
    let mut folders: Vec<PathBuf> = std::env::var_os("PG_BIN").into_iter().map(PathBuf::from).collect();
    let mut installed: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    let version = |path: &PathBuf| path.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    installed.sort_by_key(|path| std::cmp::Reverse(version(path)));
    folders.append(&mut installed);
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        folders.push(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    let found = folders.into_iter().find(|folder| folder.join("pg_dump").exists());
    found.unwrap_or_else(|| panic!("no pg_dump: set PG_BIN to the server's folder of programs, or use scripts/test"))
}

fn run_program(program: &str, url: &str, arguments: &[&str], file: &Path) {
    let mut command = Command::new(programs().join(program));
    command.args(arguments).arg(format!("--dbname={url}")).arg(file);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The address of a database, without the parameters that only sqlx knows.
fn url(pool: &PgPool, database: Option<&str>) -> String {
    let options = pool.connect_options().as_ref().clone();
    let options = database.iter().fold(options, |options, database| options.database(database));
    let mut url = options.to_url_lossy();
    url.set_query(None);
    url.to_string()
}

fn named<'a>(report: &'a DrillReport, part: Part, object: &str) -> Option<&'a Discrepancy> {
    report.discrepancies().iter().find(|found| found.part == part && found.object == object)
}

/// As an operator does it: the backup and the reading of the source are of one moment, while the source goes on.
#[sqlx::test]
async fn a_dump_that_is_restored_is_what_was_there(pool: PgPool) {
    let mut conn = source(&pool).await;
    let mut writer = connect(&pool, "postgres").await;
    let mut tx = conn.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await.unwrap();
    let exported = text(&mut tx, "SELECT pg_export_snapshot()").await;
    run(&mut writer, "DELETE FROM freight.loads WHERE id = 2; INSERT INTO public.nothing DEFAULT VALUES")
        .await
        .unwrap();
    let file = std::env::temp_dir().join(format!("rls_drill_{}.dump", std::process::id()));
    let options = ["--format=custom", &format!("--snapshot={exported}"), "--file"];
    run_program_dump(&url(&pool, None), &options, &file);
    let before = snapshot(&mut tx).await;
    tx.rollback().await.unwrap();

    let mut restored = Restored::create(&pool, None, "dump").await;
    run_program("pg_restore", &url(&pool, Some(&restored.name)), &["--exit-on-error"], &file);
    std::fs::remove_file(&file).unwrap();
    let after = snapshot(&mut restored.conn).await;
    let report = Drill::new().compare(&before, &after);
    // What pg_dump leaves to --create, which restores into a database of the same name only: a drill beside the original
    // finds that the hardening and the settings of the database are lost.
    let unexpected: Vec<_> = report.unexpected().map(|found| (found.part, found.object.as_str())).collect();
    assert_eq!(unexpected, [(Part::Grants, "database"), (Part::Settings, "every role")], "{report}");
    assert!(!report.is_green());

    // The plan puts the hardening back, and the setting is accepted with a reason.
    freight().plan(&mut restored.conn).await.unwrap().apply(&mut restored.conn).await.unwrap();
    let drill = Drill::new().accept(Part::Settings, "every role", "set by the infrastructure, not by the backup");
    let report = drill.compare(&before, &snapshot(&mut restored.conn).await).signed_off_by("R. Jansen");
    assert!(report.is_green(), "{report}");
    let shown = report.to_markdown();
    for line in ["# Restore drill: passed", "Signed off by: R. Jansen"] {
        assert!(shown.lines().any(|shown| shown == line), "{shown}");
    }
    // And the source went on, which the drill would have seen.
    let late = Drill::new().compare(&before, &snapshot(&mut writer).await);
    assert!(
        named(&late, Part::Rows, "freight.loads").is_some() && named(&late, Part::Rows, "public.nothing").is_some()
    );
    restored.drop(&pool).await;
}

fn run_program_dump(url: &str, arguments: &[&str], file: &Path) {
    let mut command = Command::new(programs().join("pg_dump"));
    let output = command.args(arguments).arg(file).arg(format!("--dbname={url}")).output().unwrap();
    assert!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
}

/// What is wrong with a restored database, in which part it must show, and on what.
const DAMAGES: &[(&str, Part, &str)] = &[
    ("DELETE FROM freight.loads WHERE id = 2 AND tenant_id::text LIKE '%b'", Part::Rows, "freight.loads"),
    (
        "UPDATE freight.loads SET name = 'x' WHERE id = 2 AND tenant_id::text LIKE '%b'",
        Part::Rows,
        "freight.loads, tenant 00000000-0000-0000-0000-00000000000b",
    ),
    (
        // Two rows of two tenants change places: the same counts, and the same rows but for their tenants.
        "UPDATE freight.loads SET name = CASE tenant_id::text WHEN '00000000-0000-0000-0000-00000000000a'
           THEN 'secret of 00000000-0000-0000-0000-00000000000b' ELSE 'secret of 00000000-0000-0000-0000-00000000000a' END WHERE id = 1",
        Part::Rows,
        "freight.loads, tenant 00000000-0000-0000-0000-00000000000a",
    ),
    ("UPDATE public.visits SET weight = weight + 1e-9 WHERE weight = 1", Part::Rows, "public.visits_2026, all"),
    (
        "DELETE FROM public.\"odd \"\"of_table\" WHERE ctid = (SELECT min(ctid) FROM public.\"odd \"\"of_table\")",
        Part::Rows,
        "public.odd \"of_table, all",
    ),
    ("SELECT lo_put(oid, 0, 'x') FROM pg_largeobject_metadata", Part::Rows, "large object"),
    ("DROP TABLE freight.stops", Part::Rows, "freight.stops"),
    ("ALTER TABLE freight.loads DISABLE ROW LEVEL SECURITY", Part::Relations, "freight.loads"),
    ("ALTER TABLE freight.loads NO FORCE ROW LEVEL SECURITY", Part::Relations, "freight.loads"),
    ("ALTER TABLE freight.stops SET UNLOGGED", Part::Relations, "freight.stops"),
    ("ALTER TABLE public.visits DETACH PARTITION public.visits_2026", Part::Relations, "public.visits_2026"),
    ("ALTER TABLE freight.loads ALTER name SET DEFAULT 'x'", Part::Columns, "freight.loads.name"),
    ("ALTER TABLE freight.loads OWNER TO rls_test_app", Part::Owners, "freight.loads"),
    ("ALTER FUNCTION stockade.rls_refuse_change() OWNER TO rls_test_app", Part::Owners, "function stockade.rls_refuse_change()"),
    ("REVOKE INSERT ON freight.loads FROM rls_test_app", Part::Grants, "freight.loads"),
    ("GRANT SELECT (name) ON freight.loads TO PUBLIC", Part::Grants, "freight.loads.name"),
    ("GRANT USAGE ON SCHEMA freight TO PUBLIC", Part::Grants, "schema freight"),
    ("GRANT EXECUTE ON FUNCTION set_config TO PUBLIC", Part::Grants, "function set_config(text,text,boolean)"),
    ("ALTER DEFAULT PRIVILEGES FOR ROLE rls_test_owner GRANT SELECT ON TABLES TO PUBLIC", Part::Grants, "default privileges of rls_test_owner on r"),
    ("DROP POLICY stockade_tenant ON freight.loads", Part::Policies, "freight.loads.stockade_tenant"),
    ("ALTER POLICY stockade_tenant ON freight.loads WITH CHECK (true)", Part::Policies, "freight.loads.stockade_tenant"),
    ("CREATE POLICY more ON freight.loads USING (true)", Part::Policies, "freight.loads.more"),
    ("ALTER TABLE freight.load_note DISABLE TRIGGER stockade_append_only", Part::Triggers, "freight.load_note.stockade_append_only"),
    ("ALTER TABLE freight.load_note ENABLE TRIGGER stockade_append_only", Part::Triggers, "freight.load_note.stockade_append_only"),
    ("ALTER TABLE freight.stops DISABLE TRIGGER ALL", Part::Triggers, "freight.stops.stockade_tenant_fk_stops_load_id_bfe7326f1083b856"),
    ("DROP TRIGGER stockade_period_insert ON freight.gl_posting", Part::Triggers, "freight.gl_posting.stockade_period_insert"),
    (
        "CREATE OR REPLACE FUNCTION stockade.rls_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        Part::Functions,
        "stockade.rls_refuse_change()",
    ),
    (
        "CREATE OR REPLACE VIEW stockade.current_tenant AS SELECT NULL::uuid AS tenant_id",
        Part::Definitions,
        "view stockade.current_tenant",
    ),
    ("ALTER TABLE freight.stops DROP CONSTRAINT stops_pkey", Part::Definitions, "constraint freight.stops.stops_pkey"),
    ("ALTER TYPE public.mood RENAME VALUE 'b' TO 'c'", Part::Definitions, "type public.mood"),
    ("SELECT setval('freight.load_note_id_seq', 1)", Part::Sequences, "freight.load_note_id_seq"),
    ("ALTER ROLE rls_test_app CREATEDB", Part::Roles, "rls_test_app"),
    ("GRANT rls_test_owner TO rls_test_reader", Part::Roles, "rls_test_reader"),
    ("UPDATE public._sqlx_migrations SET checksum = '\\x0103'", Part::Migrations, "public._sqlx_migrations 1"),
    ("DELETE FROM public._sqlx_migrations", Part::Migrations, "public._sqlx_migrations 1"),
];

#[sqlx::test]
async fn every_damage_of_a_restored_database_is_found(pool: PgPool) {
    let mut conn = source(&pool).await;
    let before = snapshot(&mut conn).await;
    let name = text(&mut conn, "SELECT current_database()::text").await;
    // Nobody may be connected to a database that is copied.
    conn.close().await.unwrap();
    pool.close().await;
    let mut restored = Restored::create(&pool, Some(&name), "copy").await;
    run(
        &mut restored.conn,
        "DO $$ BEGIN EXECUTE format('REVOKE TEMP ON DATABASE %I FROM PUBLIC', current_database()); END $$",
    )
    .await
    .unwrap();
    let drill = Drill::new().accept(Part::Settings, "every role", "a copy has no settings");
    let report = drill.clone().compare(&before, &snapshot(&mut restored.conn).await);
    assert!(report.is_green(), "the control: undamaged\n{report}");
    for (damage, part, object) in DAMAGES {
        let mut conn = restored.conn.begin().await.unwrap();
        run(&mut conn, damage).await.unwrap_or_else(|error| panic!("{damage}: {error}"));
        let report = drill.clone().compare(&before, &snapshot(&mut conn).await);
        let found = report.discrepancies().iter().any(|found| found.part == *part && found.object.starts_with(object));
        assert!(found && !report.is_green(), "{damage}\n{report}");
        conn.rollback().await.unwrap();
    }
    let parts: std::collections::BTreeSet<Part> =
        DAMAGES.iter().map(|(_, part, _)| *part).chain([Part::Settings]).collect();
    assert_eq!(parts.len(), Part::ALL.len(), "a part without damage");
    restored.drop(&pool).await;
}

/// A dump carries the record of what was declared with the policy, so the restored one is known to be it, and a lost one is found.
#[sqlx::test]
async fn row_policies_are_restored_as_declared_and_a_lost_one_is_found(pool: PgPool) {
    // PostgreSQL reads the condition back with other parentheses.
    let near = RowPolicy::select("near", "id BETWEEN 1 AND 9 AND city <> ''");
    let schema = row_policies::declared().row_policies("stops", [near]);
    let mut conn = source(&pool).await;
    apply_all(&schema, &mut conn).await;
    let before = schema.snapshot(&mut conn).await.unwrap();
    let file = std::env::temp_dir().join(format!("rls_drill_rows_{}.dump", std::process::id()));
    run_program_dump(&url(&pool, None), &["--format=custom", "--file"], &file);
    let mut restored = Restored::create(&pool, None, "rows").await;
    run_program("pg_restore", &url(&pool, Some(&restored.name)), &["--exit-on-error"], &file);
    std::fs::remove_file(&file).unwrap();
    let health = schema.health(&mut restored.conn).await.unwrap();
    assert!(health.findings().iter().all(|finding| finding.rule() != Rule::RowPolicy), "{:?}", health.findings());
    let drill = |after: &Snapshot| {
        let report = Drill::new().compare(&before, after);
        report
            .discrepancies()
            .iter()
            .filter(|found| found.part == Part::Policies)
            .map(|found| found.object.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(drill(&schema.snapshot(&mut restored.conn).await.unwrap()), [] as [String; 0]);
    for damage in ["DROP POLICY own_seen ON freight.loads", "ALTER POLICY own_seen ON freight.loads USING (true)"] {
        let mut conn = restored.conn.begin().await.unwrap();
        run(&mut conn, damage).await.unwrap();
        assert_eq!(drill(&schema.snapshot(&mut conn).await.unwrap()), ["freight.loads.own_seen"], "{damage}");
        conn.rollback().await.unwrap();
    }
    restored.drop(&pool).await;
}

/// Rows that the connection cannot see are not equal to rows that the other one cannot see either.
#[sqlx::test]
async fn what_was_not_compared_is_not_green(pool: PgPool) {
    let mut conn = source(&pool).await;
    let mut owner = connect(&pool, "postgres").await;
    run(&mut owner, "SET ROLE rls_test_owner").await.unwrap();
    let (full, blind) = (snapshot(&mut conn).await, snapshot(&mut owner).await);
    for (source, restored) in [(&blind, &blind), (&full, &blind), (&blind, &full)] {
        let report = Drill::new().compare(source, restored);
        assert!(!report.is_green());
        let loads = named(&report, Part::Rows, "freight.loads").unwrap();
        assert!([&loads.source, &loads.restored].iter().any(|side| side.as_deref() == Some("could not be read")));
    }
    assert!(Drill::new().compare(&full, &full).is_green(), "the control");
}

#[sqlx::test]
async fn a_check_that_is_required_has_to_pass(pool: PgPool) {
    let mut conn = source(&pool).await;
    let all = snapshot(&mut conn).await;
    let drill = Drill::new().require("audit chain");
    let not_run = drill.clone().compare(&all, &all);
    assert!(!not_run.is_green() && not_run.to_markdown().contains("| audit chain | NOT RUN |"));
    let failed =
        drill.clone().compare(&all, &all).check("audit chain", async { Err("broken at 7 | x".to_owned()) }).await;
    assert!(!failed.is_green() && failed.to_markdown().contains("| audit chain | FAILED | broken at 7 \\| x |"));
    let passed = drill.compare(&all, &all).check("audit chain", async { Ok("12 entries".to_owned()) }).await;
    assert!(passed.is_green() && passed.to_markdown().contains("| audit chain | passed | 12 entries |"));
}

/// A snapshot is kept beside the backup and held against what is restored much later.
#[cfg(feature = "serde")]
#[sqlx::test]
async fn a_snapshot_survives_being_written_down(pool: PgPool) {
    let mut conn = source(&pool).await;
    let taken = snapshot(&mut conn).await;
    let written = serde_json::to_string(&taken).unwrap();
    assert!(!written.contains("secret of"), "a snapshot holds no row");
    let read: Snapshot = serde_json::from_str(&written).unwrap();
    assert_eq!(read, taken);
    let report = Drill::new().compare(&read, &taken).signed_off_by("R. Jansen");
    let json = report.to_json();
    assert_eq!(json["green"], true);
    assert_eq!(json["report"]["signed_off_by"], "R. Jansen");
}
