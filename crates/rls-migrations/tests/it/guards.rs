//! Append-only and closed periods.

use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::Refusal;

use crate::support::{A, B, code, commit, connect, protected, run, text, within};

async fn with_periods(pool: &PgPool) -> PgConnection {
    let mut root = protected(pool).await;
    for (tenant, closed) in [(A, "now()"), (B, "NULL")] {
        let periods = format!(
            "INSERT INTO freight.fiscal_period VALUES
               ('{tenant}', '2024-01-01', '2024-01-31', {closed}), ('{tenant}', '2024-02-01', '2024-02-29', NULL)"
        );
        run(&mut root, &periods).await.unwrap();
    }
    root
}

fn posting(tenant: sqlx::types::Uuid, id: i32, day: &str) -> String {
    format!("INSERT INTO freight.gl_posting VALUES ('{tenant}', {id}, {day})")
}

/// A row in the closed period, put there while the guard was off.
async fn smuggle(root: &mut PgConnection) {
    run(root, "ALTER TABLE freight.gl_posting DISABLE TRIGGER USER").await.unwrap();
    run(root, &posting(A, 1, "'2024-01-15'")).await.unwrap();
    for trigger in ["stockade_period_insert", "stockade_period_update", "stockade_period_delete", "stockade_period_all"]
    {
        run(root, &format!("ALTER TABLE freight.gl_posting ENABLE ALWAYS TRIGGER {trigger}")).await.unwrap();
    }
}

#[sqlx::test]
async fn append_only_holds_against_a_superuser(pool: PgPool) {
    let mut root = protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let changes = [
        "UPDATE freight.load_note SET body = 'x'",
        "DELETE FROM freight.load_note",
        "TRUNCATE freight.load_note",
        "TRUNCATE freight.load_note, freight.loads CASCADE",
    ];
    for change in changes {
        assert_eq!(code(&within(&mut app, &A.to_string(), change).await.unwrap_err()), "42501", "{change}");
        let error = run(&mut root, change).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::Unchangeable), "{change}");
        run(&mut root, "SET session_replication_role = replica").await.unwrap();
        let error = run(&mut root, change).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::Unchangeable), "{change}");
        run(&mut root, "RESET session_replication_role").await.unwrap();
    }
    let error = run(&mut root, "DELETE FROM freight.load_note").await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().message(), "freight.load_note is append-only: DELETE refused");
    let upsert = format!(
        "INSERT INTO freight.load_note SELECT * FROM freight.load_note WHERE tenant_id = '{A}'
                          ON CONFLICT (tenant_id, id) DO UPDATE SET body = 'x'"
    );
    assert_eq!(Refusal::of(&run(&mut root, &upsert).await.unwrap_err()), Some(Refusal::Unchangeable));
    assert_eq!(code(&within(&mut app, &A.to_string(), &upsert).await.unwrap_err()), "42501");
    // A cascade from elsewhere is a DELETE too.
    run(
        &mut root,
        "ALTER TABLE freight.load_note ADD FOREIGN KEY (tenant_id, id) REFERENCES freight.loads ON DELETE CASCADE",
    )
    .await
    .unwrap();
    let error = run(&mut root, "DELETE FROM freight.stops; DELETE FROM freight.loads").await.unwrap_err();
    assert_eq!(Refusal::of(&error), Some(Refusal::Unchangeable));
    assert_eq!(text(&mut root, "SELECT count(*)::text FROM freight.load_note WHERE body = 'note'").await, "2");
}

#[sqlx::test]
async fn a_closed_period_refuses_every_write(pool: PgPool) {
    let mut root = with_periods(&pool).await;
    smuggle(&mut root).await;
    commit(&mut root, A, &posting(A, 2, "'2024-02-01'")).await.unwrap();
    let mut app = connect(&pool, "rls_test_app").await;
    let refused = [
        (posting(A, 8, "'2024-01-31'"), Refusal::ClosedPeriod),
        (posting(A, 8, "'2023-06-01'"), Refusal::ClosedPeriod),
        (posting(A, 8, "'-infinity'"), Refusal::ClosedPeriod),
        (posting(A, 8, "'2024-02-02'), ('{A}', 9, '2024-01-31'").replace("{A}", &A.to_string()), Refusal::ClosedPeriod),
        (format!("{} ON CONFLICT (tenant_id, id) DO UPDATE SET posted_on = excluded.posted_on", posting(A, 2, "'2024-01-31'")), Refusal::ClosedPeriod),
        ("UPDATE freight.gl_posting SET posted_on = '2024-01-31' WHERE id = 2".to_owned(), Refusal::ClosedPeriod),
        ("UPDATE freight.gl_posting SET posted_on = '2024-02-02' WHERE id = 1".to_owned(), Refusal::ClosedPeriod),
        ("UPDATE freight.gl_posting SET cents = 1 WHERE id = 1".to_owned(), Refusal::ClosedPeriod),
        ("DELETE FROM freight.gl_posting WHERE id = 1".to_owned(), Refusal::ClosedPeriod),
        ("DELETE FROM freight.gl_posting".to_owned(), Refusal::ClosedPeriod),
        (
            "MERGE INTO freight.gl_posting g USING (SELECT 1) x ON g.id = 2 WHEN MATCHED THEN UPDATE SET posted_on = '2024-01-01'".to_owned(),
            Refusal::ClosedPeriod,
        ),
        (posting(A, 8, "NULL"), Refusal::Undated),
        ("UPDATE freight.gl_posting SET posted_on = NULL WHERE id = 2".to_owned(), Refusal::Undated),
    ];
    let allowed = [
        posting(A, 8, "'2024-02-01'"),
        posting(A, 8, "'2031-01-01'"),
        "UPDATE freight.gl_posting SET cents = 1 WHERE id = 2".to_owned(),
        "UPDATE freight.gl_posting SET cents = 1 WHERE id = 3".to_owned(),
        "DELETE FROM freight.gl_posting WHERE id = 2".to_owned(),
    ];
    for replica in ["", "SET session_replication_role = replica"] {
        run(&mut root, replica).await.unwrap();
        for (role, conn) in [("app", &mut app), ("superuser", &mut root)] {
            for (statement, refusal) in &refused {
                let error = within(conn, &A.to_string(), statement).await.unwrap_err();
                assert_eq!(Refusal::of(&error), Some(*refusal), "{role}: {statement}: {error}");
            }
            for statement in &allowed {
                let outcome = within(conn, &A.to_string(), statement).await;
                assert!(outcome.is_ok(), "{role}: {statement}: {outcome:?}");
            }
        }
    }
    let error = within(&mut app, &A.to_string(), &posting(A, 8, "'2024-01-15'")).await.unwrap_err();
    let message = "freight.gl_posting is closed through 2024-01-31: INSERT of a row dated 2024-01-15 refused";
    assert_eq!(error.as_database_error().unwrap().message(), message);
    // B closed nothing.
    within(&mut app, &B.to_string(), &posting(B, 8, "'2024-01-15'")).await.unwrap();
}

#[sqlx::test]
async fn a_posting_needs_the_context_of_its_tenant(pool: PgPool) {
    let mut root = with_periods(&pool).await;
    let open = posting(A, 8, "'2024-02-15'");
    for context in [String::new(), B.to_string()] {
        let error = within(&mut root, &context, &open).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::OutsideTenant), "{context}");
    }
    commit(&mut root, A, &open).await.unwrap();
    for statement in ["UPDATE freight.gl_posting SET cents = 1", "DELETE FROM freight.gl_posting"] {
        let error = within(&mut root, &B.to_string(), statement).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::OutsideTenant));
    }
    let mut copy = root.copy_in_raw("COPY freight.gl_posting (tenant_id, id, posted_on) FROM STDIN").await.unwrap();
    copy.send(format!("{A}\t70\t2024-02-15\n").as_bytes()).await.unwrap();
    assert_eq!(Refusal::of(&copy.finish().await.unwrap_err()), Some(Refusal::OutsideTenant));
    for table in ["gl_posting", "fiscal_period"] {
        let error = within(&mut root, &A.to_string(), &format!("TRUNCATE freight.{table}")).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::Unchangeable));
    }
}

/// PostgreSQL runs a cascade inside the statement that caused it; the guard of the child still sees its rows.
#[sqlx::test]
async fn a_cascade_does_not_reach_into_a_closed_period(pool: PgPool) {
    let mut root = with_periods(&pool).await;
    smuggle(&mut root).await;
    let key = "ALTER TABLE freight.gl_posting ADD FOREIGN KEY (tenant_id, id)
               REFERENCES freight.loads ON DELETE CASCADE ON UPDATE CASCADE";
    run(&mut root, key).await.unwrap();
    for change in ["DELETE FROM freight.loads WHERE id = 1", "UPDATE freight.loads SET id = 100 WHERE id = 1"] {
        let statement = format!("DELETE FROM freight.stops; {change}");
        let error = within(&mut root, &A.to_string(), &statement).await.unwrap_err();
        assert_eq!(Refusal::of(&error), Some(Refusal::ClosedPeriod), "{change}: {error}");
    }
}
