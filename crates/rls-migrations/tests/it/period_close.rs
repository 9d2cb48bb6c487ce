//! Soft and hard close, adjustments and reopening.

use sqlx::types::Uuid;
use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::{ErrorKind, Refusal, Roles, Schema, by, date, periods};

use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, B, TABLES, apply, apply_all, code, commit, connect, freight, lint, run, text, within};

const SOFT: &str = "ALTER TABLE freight.fiscal_period ADD soft_closed_at timestamptz";

/// As [`freight`], with a second, softer way to close.
fn soft_schema() -> Schema {
    Schema::new("freight", Roles::for_app("rls_test"))
        .tenant_table("loads", by("tenant_id"))
        .tenant_table("stops", by("tenant_id"))
        .period_guard("gl_posting", date("posted_on"), periods("fiscal_period").soft_closed_by("soft_closed_at"))
        .append_only("load_note")
        .shared_reference("countries")
        .exempt("_sqlx_migrations", "the ledger of sqlx")
}

/// January is closed for good, February softly, March is open; a controller who may adjust and reopen.
async fn ledger(pool: &PgPool) -> (PgConnection, PgConnection) {
    let mut root = connect(pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    run(&mut root, SOFT).await.unwrap();
    apply_all(&soft_schema(), &mut root).await;
    for tenant in [A, B] {
        let periods = format!(
            "INSERT INTO freight.fiscal_period VALUES
               ('{tenant}', '2024-01-01', '2024-01-31', now(), NULL), ('{tenant}', '2024-02-01', '2024-02-29', NULL, now()),
               ('{tenant}', '2024-03-01', '2024-03-31', NULL, NULL)"
        );
        run(&mut root, &periods).await.unwrap();
    }
    let controller = "DO $$ BEGIN CREATE ROLE rls_test_controller LOGIN IN ROLE rls_test_app;
                      EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
        GRANT EXECUTE ON FUNCTION stockade.rls_adjust_period, stockade.rls_reopen_period TO rls_test_controller";
    run(&mut root, controller).await.unwrap();
    (root, connect(pool, "rls_test_controller").await)
}

fn posting(tenant: Uuid, id: i32, day: &str) -> String {
    format!("INSERT INTO freight.gl_posting VALUES ('{tenant}', {id}, '{day}')")
}

const ADJUST: &str = "SELECT stockade.rls_adjust_period('freight.fiscal_period', 'late invoice')";

fn reopen(ends_on: &str) -> String {
    format!("SELECT stockade.rls_reopen_period('freight.fiscal_period', '{ends_on}', 'audit finding 7')")
}

#[track_caller]
fn refused(outcome: Result<u64, sqlx::Error>, refusal: Refusal, what: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(Refusal::of(&error), Some(refusal), "{what}: {error}");
}

#[sqlx::test]
async fn a_softly_closed_period_needs_an_adjustment(pool: PgPool) {
    let (mut root, mut controller) = ledger(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let february = posting(A, 1, "2024-02-15");
    let another = posting(A, 2, "2024-02-15");
    for conn in [&mut app, &mut controller, &mut root] {
        refused(within(conn, &A.to_string(), &february).await, Refusal::SoftlyClosed, "no adjustment");
        refused(within(conn, &A.to_string(), &posting(A, 1, "2024-01-15")).await, Refusal::ClosedPeriod, "hard");
        within(conn, &A.to_string(), &posting(A, 1, "2024-03-15")).await.unwrap();
    }
    // To execute the function is the permission.
    assert_eq!(code(&within(&mut app, &A.to_string(), ADJUST).await.unwrap_err()), "42501");
    commit(&mut controller, A, &format!("{ADJUST}; {february}")).await.unwrap();
    for change in ["UPDATE freight.gl_posting SET cents = 7", "DELETE FROM freight.gl_posting"] {
        refused(within(&mut controller, &A.to_string(), change).await, Refusal::SoftlyClosed, change);
        assert_eq!(
            within(&mut controller, &A.to_string(), &format!("{ADJUST}; {change}")).await.unwrap(),
            2,
            "one each"
        );
    }
    // An adjustment opens nothing that is closed for good, no other tenant, no other transaction and no other table.
    let adjusted = |sql: &str| format!("{ADJUST}; {sql}");
    refused(commit(&mut controller, A, &adjusted(&posting(A, 2, "2024-01-15"))).await, Refusal::ClosedPeriod, "hard");
    refused(commit(&mut controller, A, &another).await, Refusal::SoftlyClosed, "the next one");
    let switch = format!("{ADJUST}; SET LOCAL stockade.tenant_id = '{B}'; {}", posting(B, 2, "2024-02-15"));
    refused(commit(&mut controller, A, &switch).await, Refusal::SoftlyClosed, "another tenant");
    let rolled_back = format!("SAVEPOINT s; {ADJUST}; ROLLBACK TO s; {another}");
    refused(commit(&mut controller, A, &rolled_back).await, Refusal::SoftlyClosed, "taken back with its savepoint");
    let error = within(&mut app, &A.to_string(), &another).await.unwrap_err();
    let message =
        "freight.gl_posting is softly closed through 2024-02-29: INSERT of a row dated 2024-02-15 needs an adjustment";
    assert_eq!(error.as_database_error().unwrap().message(), message);
    let events = "SELECT string_agg(concat_ws(' ', tenant_id, periods, action, reason, login), ';') FROM stockade.rls_period_event";
    let expected = format!("{A} freight.fiscal_period adjust late invoice rls_test_controller");
    assert_eq!(text(&mut root, events).await, expected);
}

#[sqlx::test]
async fn a_close_is_taken_back_only_by_reopening(pool: PgPool) {
    let (mut root, mut controller) = ledger(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let january = "WHERE starts_on = '2024-01-01'";
    let february = "WHERE starts_on = '2024-02-01'";
    let weakening = [
        (format!("UPDATE freight.fiscal_period SET closed_at = NULL {january}"), "2024-01-31"),
        (format!("UPDATE freight.fiscal_period SET closed_at = NULL, soft_closed_at = now() {january}"), "2024-01-31"),
        (format!("UPDATE freight.fiscal_period SET ends_on = '2024-01-30' {january}"), "2024-01-31"),
        (format!("UPDATE freight.fiscal_period SET ends_on = '-infinity' {january}"), "2024-01-31"),
        (format!("DELETE FROM freight.fiscal_period {january}"), "2024-01-31"),
        (format!("UPDATE freight.fiscal_period SET soft_closed_at = NULL {february}"), "2024-02-29"),
        (format!("UPDATE freight.fiscal_period SET ends_on = '2024-02-01' {february}"), "2024-02-29"),
        (format!("DELETE FROM freight.fiscal_period {february}"), "2024-02-29"),
        (
            format!(
                "INSERT INTO freight.fiscal_period VALUES ('{A}', '2024-01-01', '2024-01-31', NULL, NULL)
                 ON CONFLICT (tenant_id, starts_on) DO UPDATE SET closed_at = excluded.closed_at"
            ),
            "2024-01-31",
        ),
        (
            "MERGE INTO freight.fiscal_period p USING (SELECT 1) x ON p.starts_on = '2024-01-01' WHEN MATCHED THEN DELETE"
                .to_owned(),
            "2024-01-31",
        ),
    ];
    let another = |ends_on: &str| if ends_on == "2024-01-31" { "2024-02-29" } else { "2024-01-31" };
    for replica in ["", "SET session_replication_role = replica"] {
        run(&mut root, replica).await.unwrap();
        for (change, ends_on) in &weakening {
            for conn in [&mut app, &mut controller, &mut root] {
                refused(within(conn, &A.to_string(), change).await, Refusal::Reopening, change);
            }
            let wrong = format!("{}; {change}", reopen(another(ends_on)));
            refused(within(&mut controller, &A.to_string(), &wrong).await, Refusal::Reopening, "another period");
            let wrong = format!("{ADJUST}; {change}");
            refused(within(&mut controller, &A.to_string(), &wrong).await, Refusal::Reopening, "an adjustment");
            let right = format!("{}; {change}", reopen(ends_on));
            within(&mut controller, &A.to_string(), &right).await.unwrap_or_else(|error| panic!("{right}: {error}"));
        }
    }
    // What closes more, or was open, is nobody's business here.
    for change in [
        format!("UPDATE freight.fiscal_period SET closed_at = now() {february}"),
        format!("UPDATE freight.fiscal_period SET closed_at = now(), soft_closed_at = NULL {february}"),
        format!("UPDATE freight.fiscal_period SET ends_on = '2024-02-02' {january}"),
        "UPDATE freight.fiscal_period SET ends_on = '2024-03-30' WHERE starts_on = '2024-03-01'".to_owned(),
        "DELETE FROM freight.fiscal_period WHERE starts_on = '2024-03-01'".to_owned(),
    ] {
        within(&mut app, &A.to_string(), &change).await.unwrap_or_else(|error| panic!("{change}: {error}"));
    }
    assert_eq!(code(&within(&mut app, &A.to_string(), &reopen("2024-01-31")).await.unwrap_err()), "42501");
    let undo = format!("{}; UPDATE freight.fiscal_period SET closed_at = NULL {january}", reopen("2024-01-31"));
    commit(&mut controller, A, &undo).await.unwrap();
    // February, still softly closed, closes what came before it.
    refused(commit(&mut app, A, &posting(A, 8, "2024-01-15")).await, Refusal::SoftlyClosed, "February");
    let undo = format!("{}; UPDATE freight.fiscal_period SET soft_closed_at = NULL {february}", reopen("2024-02-29"));
    commit(&mut controller, A, &undo).await.unwrap();
    commit(&mut app, A, &posting(A, 8, "2024-01-15")).await.unwrap();
    refused(commit(&mut app, B, &posting(B, 8, "2024-01-15")).await, Refusal::ClosedPeriod, "B reopened nothing");
}

#[sqlx::test]
async fn an_adjustment_has_a_reason_a_tenant_and_periods(pool: PgPool) {
    let (mut root, mut controller) = ledger(&pool).await;
    let a = A.to_string();
    for (call, expected) in [
        ("rls_adjust_period('freight.fiscal_period', NULL)", "22023"),
        ("rls_adjust_period('freight.fiscal_period', E' \\n\\t')", "22023"),
        ("rls_adjust_period('freight.fiscal_period', repeat('x', 1001))", "22023"),
        ("rls_adjust_period('freight.nothing', 'x')", "22023"),
        ("rls_adjust_period(NULL, 'x')", "22023"),
        ("rls_reopen_period('freight.fiscal_period', NULL, 'x')", "22023"),
        ("rls_reopen_period('freight.fiscal_period', '2024-01-31', '')", "22023"),
    ] {
        let error = within(&mut controller, &a, &format!("SELECT stockade.{call}")).await.unwrap_err();
        assert_eq!(code(&error), expected, "{call}: {error}");
    }
    refused(within(&mut root, "", ADJUST).await, Refusal::OutsideTenant, "no context");
    // Whoever may only read adjusts nothing.
    let reading = format!("SET LOCAL stockade.read_only = on; {ADJUST}");
    assert_eq!(code(&within(&mut controller, &a, &reading).await.unwrap_err()), "42501");
}

#[sqlx::test]
async fn the_log_of_periods_is_the_tenants_and_append_only(pool: PgPool) {
    let (mut root, mut controller) = ledger(&pool).await;
    commit(&mut controller, A, ADJUST).await.unwrap();
    let count = "SELECT count(*)::text FROM stockade.rls_period_event";
    for (role, tenant, seen) in
        [("rls_test_app", A, "1"), ("rls_test_app", B, "0"), ("rls_test_reader", A, "1"), ("rls_test_reader", B, "0")]
    {
        let mut conn = connect(&pool, role).await;
        run(&mut conn, &format!("BEGIN; SET LOCAL stockade.tenant_id = '{tenant}'")).await.unwrap();
        assert_eq!(text(&mut conn, count).await, seen, "{role}");
        run(&mut conn, "ROLLBACK").await.unwrap();
        for change in [
            format!(
                "INSERT INTO stockade.rls_period_event (tenant_id, periods, action, reason) VALUES ('{A}', 'freight.fiscal_period', 'adjust', 'mine')"
            ),
            "UPDATE stockade.rls_period_event SET reason = 'x'".to_owned(),
            "DELETE FROM stockade.rls_period_event".to_owned(),
            "TRUNCATE stockade.rls_period_event".to_owned(),
        ] {
            let error = within(&mut conn, &A.to_string(), &change).await.unwrap_err();
            assert!(["42501", "25006"].contains(&code(&error).as_str()), "{role}: {change}: {error}");
        }
    }
    for change in [
        "UPDATE stockade.rls_period_event SET reason = 'x'",
        "DELETE FROM stockade.rls_period_event",
        "TRUNCATE stockade.rls_period_event",
    ] {
        refused(run(&mut root, change).await, Refusal::Unchangeable, change);
    }
    // A row that was restored from another cluster has the number of some future transaction, and an old time.
    let restored = format!(
        "BEGIN; SET LOCAL stockade.tenant_id = '{A}';
         INSERT INTO stockade.rls_period_event (tenant_id, at, periods, action, reason)
         VALUES ('{A}', now() - interval '1 day', 'freight.fiscal_period', 'adjust', 'old'); {}; COMMIT",
        posting(A, 9, "2024-02-15")
    );
    refused(run(&mut root, &restored).await, Refusal::SoftlyClosed, "restored");
    run(&mut root, "ROLLBACK").await.unwrap();
}

/// The way back leaves the log, if there is something in it.
#[sqlx::test]
async fn down_keeps_what_was_logged(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    run(&mut root, SOFT).await.unwrap();
    let before = catalogue(&mut root).await;
    let plan = apply(&soft_schema(), &mut root).await;
    assert_eq!(lint(&soft_schema(), &mut root).await, []);
    assert!(soft_schema().plan(&mut root).await.unwrap().is_empty());
    plan.revert(&mut root).await.unwrap();
    assert_same(&before, &catalogue(&mut root).await);

    plan.apply(&mut root).await.unwrap();
    run(&mut root, &format!("INSERT INTO freight.fiscal_period VALUES ('{A}', '2024-01-01', '2024-01-31')"))
        .await
        .unwrap();
    commit(&mut root, A, ADJUST).await.unwrap();
    plan.revert(&mut root).await.unwrap();
    assert_eq!(text(&mut root, "SELECT reason FROM stockade.rls_period_event").await, "late invoice");
    apply_all(&soft_schema(), &mut root).await;
    assert!(soft_schema().health(&mut root).await.unwrap().is_sound());
}

#[sqlx::test]
async fn periods_are_declared_in_one_way(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    let twice = freight().period_guard("loads", date("day"), periods("fiscal_period").soft_closed_by("soft_closed_at"));
    let error = twice.plan(&mut root).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Declaration);
    assert_eq!(error.to_string(), "`fiscal_period`: its periods are declared in two ways");
    let error = soft_schema().plan(&mut root).await.unwrap_err();
    assert_eq!(error.to_string(), "column `fiscal_period.soft_closed_at` does not exist");
}
