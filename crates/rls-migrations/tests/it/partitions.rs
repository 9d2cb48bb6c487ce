//! Partitions, and children by inheritance, attacked through their parents and by their own names.

use sqlx::{PgConnection, PgPool};
use stockade_rls_migrations::{Lock, Refusal, Roles, Rule, Schema, by, date, periods};

use crate::snapshot::{assert_same, catalogue};
use crate::support::{A, B, apply_all, code, commit, connect, run, text, within};

const TABLES: &str = "
    CREATE SCHEMA ledger;
    CREATE TABLE ledger.posting (
        tenant_id uuid NOT NULL, id int NOT NULL, day date NOT NULL, body text, PRIMARY KEY (tenant_id, id, day))
        PARTITION BY RANGE (day);
    CREATE TABLE ledger.posting_2024 PARTITION OF ledger.posting
        FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY RANGE (day);
    CREATE TABLE ledger.posting_2024_h1 PARTITION OF ledger.posting_2024 FOR VALUES FROM ('2024-01-01') TO ('2024-07-01');
    CREATE TABLE ledger.posting_2025 PARTITION OF ledger.posting FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE UNIQUE INDEX posting_id ON ledger.posting (id, day);
    CREATE TABLE ledger.note (tenant_id uuid NOT NULL, id int NOT NULL, body text) PARTITION BY HASH (id);
    CREATE TABLE ledger.note_0 PARTITION OF ledger.note FOR VALUES WITH (MODULUS 1, REMAINDER 0);
    CREATE TABLE ledger.thing (tenant_id uuid NOT NULL, id int NOT NULL);
    CREATE TABLE ledger.box (size int) INHERITS (ledger.thing);
    CREATE TABLE ledger.van (plate text) INHERITS (ledger.thing);
    CREATE TABLE ledger.period (tenant_id uuid NOT NULL, ends_on date, closed_at timestamptz) PARTITION BY LIST (tenant_id);
    CREATE TABLE ledger.period_rest PARTITION OF ledger.period DEFAULT;";

fn ledger() -> Schema {
    Schema::new("ledger", Roles::for_app("rls_test"))
        .tenant_table("posting", by("tenant_id"))
        .period_guard("posting", date("day"), periods("period"))
        .unique_per_tenant("posting", ["id", "day"])
        .append_only("note")
        .tenant_table("thing", by("tenant_id"))
        .tenant_table("van", by("tenant_id"))
}

/// The ledger before and after its plan, with a posting, a note, a thing, a box and a van of each tenant.
async fn protected(pool: &PgPool) -> PgConnection {
    let mut root = connect(pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    apply_all(&ledger(), &mut root).await;
    for tenant in [A, B] {
        let rows = "INSERT INTO ledger.posting VALUES ('{t}', 1, '2024-03-01', 'x'), ('{t}', 2, '2025-03-01', 'x');
                    INSERT INTO ledger.note VALUES ('{t}', 1, 'x'); INSERT INTO ledger.thing VALUES ('{t}', 1);
                    INSERT INTO ledger.box VALUES ('{t}', 2, 3); INSERT INTO ledger.van VALUES ('{t}', 3, 'plate')";
        commit(&mut root, tenant, &rows.replace("{t}", &tenant.to_string())).await.unwrap();
    }
    root
}

async fn seen(conn: &mut PgConnection, table: &str) -> String {
    run(conn, "BEGIN").await.unwrap();
    run(conn, &format!("SET LOCAL stockade.tenant_id = '{A}'")).await.unwrap();
    let count = format!(
        "SELECT format('%s of A, %s of others', count(*) FILTER (WHERE tenant_id = '{A}'),
                                       count(*) FILTER (WHERE tenant_id <> '{A}')) FROM {table}"
    );
    let seen = text(conn, &count).await;
    run(conn, "ROLLBACK").await.unwrap();
    seen
}

#[sqlx::test]
async fn neither_the_parent_nor_a_partition_shows_rows_of_b(pool: PgPool) {
    let mut root = protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let mut reader = connect(&pool, "rls_test_reader").await;
    for conn in [&mut app, &mut reader] {
        assert_eq!(seen(conn, "ledger.posting").await, "2 of A, 0 of others");
        assert_eq!(seen(conn, "ledger.note").await, "1 of A, 0 of others");
        assert_eq!(seen(conn, "ledger.thing").await, "3 of A, 0 of others");
        assert_eq!(seen(conn, "ledger.van").await, "1 of A, 0 of others", "declared by its own name");
    }
    let insert = format!("INSERT INTO ledger.posting VALUES ('{B}', 9, '2025-03-01')");
    assert_eq!(code(&within(&mut app, &A.to_string(), &insert).await.unwrap_err()), "42501");
    for child in ["posting_2024", "posting_2024_h1", "posting_2025", "note_0", "box", "period_rest"] {
        for statement in ["SELECT FROM", "DELETE FROM", "TRUNCATE"] {
            let outcome = within(&mut app, &A.to_string(), &format!("{statement} ledger.{child}")).await;
            assert_eq!(code(&outcome.unwrap_err()), "42501", "{statement} {child}");
        }
        // Even if somebody grants it by mistake.
        run(&mut root, &format!("GRANT ALL ON ledger.{child} TO rls_test_app")).await.unwrap();
        let table = format!("ledger.{child}");
        assert!(seen(&mut app, &table).await.ends_with(" 0 of others"), "{child}");
        let moved = within(&mut app, &A.to_string(), &format!("UPDATE {table} SET tenant_id = '{B}'")).await;
        assert!(moved.is_err() || child == "period_rest", "{child}: {moved:?}");
    }
    let found = ledger().lint(&mut root).await.unwrap();
    assert_eq!(found.iter().filter(|finding| finding.rule() == Rule::ExcessPrivilege).count(), 6, "{found:?}");
}

/// The control: what the plan does for a partition, and what a partition that no plan has seen shows to whoever is granted it.
#[sqlx::test]
async fn a_partition_that_was_attached_later_is_drift(pool: PgPool) {
    let mut root = protected(&pool).await;
    let plan = ledger().plan(&mut root).await.unwrap();
    assert!(plan.is_empty(), "{}", plan.up_sql());
    let before = catalogue(&mut root).await;
    let later = "SET ROLE rls_test_owner;
        CREATE TABLE ledger.posting_2026 PARTITION OF ledger.posting FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
        CREATE TABLE ledger.tiny () INHERITS (ledger.thing);
        RESET ROLE";
    run(&mut root, later).await.unwrap();
    let born = catalogue(&mut root).await;
    for tenant in [A, B] {
        commit(&mut root, tenant, &format!("INSERT INTO ledger.posting VALUES ('{tenant}', 3, '2026-03-01')"))
            .await
            .unwrap();
    }
    let mut app = connect(&pool, "rls_test_app").await;
    assert_eq!(seen(&mut app, "ledger.posting").await, "3 of A, 0 of others");
    run(&mut root, "GRANT SELECT ON ledger.posting_2026 TO rls_test_app").await.unwrap();
    assert_eq!(seen(&mut app, "ledger.posting_2026").await, "1 of A, 1 of others", "the leak");
    let rules: Vec<Rule> = ledger().lint(&mut root).await.unwrap().iter().map(|finding| finding.rule()).collect();
    assert!(rules.contains(&Rule::SecurityDisabled) && rules.contains(&Rule::GuardBroken), "{rules:?}");
    run(&mut root, "REVOKE SELECT ON ledger.posting_2026 FROM rls_test_app").await.unwrap();

    let plan = ledger().plan(&mut root).await.unwrap();
    assert!(plan.up_sql().contains("\"posting_2026\"") && plan.up_sql().contains("\"tiny\""));
    plan.apply(&mut root).await.unwrap();
    assert!(ledger().plan(&mut root).await.unwrap().is_empty());
    run(&mut root, "GRANT SELECT ON ledger.posting_2026 TO rls_test_app").await.unwrap();
    assert_eq!(seen(&mut app, "ledger.posting_2026").await, "1 of A, 0 of others");
    run(&mut root, "REVOKE SELECT ON ledger.posting_2026 FROM rls_test_app").await.unwrap();
    plan.revert(&mut root).await.unwrap();
    assert_same(&born, &catalogue(&mut root).await);
    run(&mut root, "DROP TABLE ledger.posting_2026, ledger.tiny").await.unwrap();
    assert_same(&before, &catalogue(&mut root).await);
}

#[sqlx::test]
async fn append_only_holds_on_each_partition(pool: PgPool) {
    let mut root = protected(&pool).await;
    for replica in ["", "SET session_replication_role = replica"] {
        run(&mut root, replica).await.unwrap();
        for table in ["note", "note_0"] {
            for change in ["UPDATE ledger.{} SET body = 'y'", "DELETE FROM ledger.{}", "TRUNCATE ledger.{}"] {
                let error = run(&mut root, &change.replace("{}", table)).await.unwrap_err();
                assert_eq!(Refusal::of(&error), Some(Refusal::Unchangeable), "{table}: {change}");
            }
        }
    }
    run(&mut root, "RESET session_replication_role").await.unwrap();
    // Switched off on the partition alone: PostgreSQL allows it, the next plan undoes it.
    run(&mut root, "ALTER TABLE ledger.note_0 DISABLE TRIGGER stockade_append_only").await.unwrap();
    let before = catalogue(&mut root).await;
    run(&mut root, "BEGIN; UPDATE ledger.note SET body = 'the hole'; ROLLBACK").await.unwrap();
    let plan = ledger().plan(&mut root).await.unwrap();
    assert_eq!(plan.up().iter().filter(|statement| statement.lock() != Lock::Catalogue).count(), 1);
    plan.apply(&mut root).await.unwrap();
    assert!(run(&mut root, "UPDATE ledger.note SET body = 'y'").await.is_err());
    assert!(ledger().plan(&mut root).await.unwrap().is_empty());
    plan.revert(&mut root).await.unwrap();
    assert_same(&before, &catalogue(&mut root).await);
}

/// The superuser writes here, because nobody else may name a partition.
#[sqlx::test]
async fn a_closed_period_holds_through_the_parent_and_on_each_partition(pool: PgPool) {
    let mut root = protected(&pool).await;
    let mut app = connect(&pool, "rls_test_app").await;
    let close = format!("INSERT INTO ledger.period VALUES ('{A}', '2024-12-31', now())");
    commit(&mut app, A, &close).await.unwrap();
    let closed = [
        "INSERT INTO {p} VALUES ('{A}', 7, '2024-02-01')",
        "UPDATE {p} SET body = 'y' WHERE tenant_id = '{A}' AND day < '2025-01-01'",
        "DELETE FROM {p} WHERE tenant_id = '{A}' AND day < '2025-01-01'",
    ];
    for replica in ["", "SET session_replication_role = replica"] {
        run(&mut root, replica).await.unwrap();
        for table in ["ledger.posting", "ledger.posting_2024", "ledger.posting_2024_h1"] {
            for statement in closed {
                let statement = statement.replace("{p}", table).replace("{A}", &A.to_string());
                let error = within(&mut root, &A.to_string(), &statement).await.unwrap_err();
                assert_eq!(Refusal::of(&error), Some(Refusal::ClosedPeriod), "{statement}: {error}");
            }
            let error = within(&mut root, &A.to_string(), &format!("TRUNCATE {table}")).await.unwrap_err();
            assert_eq!(Refusal::of(&error), Some(Refusal::Unchangeable), "{table}");
        }
    }
    // From an open partition into a closed one, and out of it: PostgreSQL deletes here and inserts there.
    for (from, to) in [("2025-03-01", "2024-02-01"), ("2024-03-01", "2025-02-01")] {
        let mv = format!("UPDATE ledger.posting SET day = '{to}' WHERE tenant_id = '{A}' AND day = '{from}'");
        for conn in [&mut root, &mut app] {
            let error = within(conn, &A.to_string(), &mv).await.unwrap_err();
            assert_eq!(Refusal::of(&error), Some(Refusal::ClosedPeriod), "{mv}: {error}");
        }
    }
    // By another tenant, and in an open year: as ever.
    commit(&mut app, B, "UPDATE ledger.posting SET day = '2025-03-01' WHERE id = 1").await.unwrap();
    within(&mut root, &A.to_string(), &format!("UPDATE ledger.posting_2025 SET body = 'y' WHERE tenant_id = '{A}'"))
        .await
        .unwrap();
}

#[sqlx::test]
async fn a_plan_for_partitions_is_whole_and_reversible(pool: PgPool) {
    let mut root = connect(&pool, "postgres").await;
    run(&mut root, TABLES).await.unwrap();
    let before = catalogue(&mut root).await;
    let plan = ledger().plan(&mut root).await.unwrap();
    plan.apply(&mut root).await.unwrap();
    plan.apply(&mut root).await.unwrap();
    assert!(ledger().plan(&mut root).await.unwrap().is_empty());
    let health = ledger().health(&mut root).await.unwrap();
    assert!(health.is_sound(), "{:?}", health.findings());
    let tables = text(
        &mut root,
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
          WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p')
            AND NOT (relrowsecurity AND relforcerowsecurity AND relowner = 'rls_test_owner'::regrole)",
    )
    .await;
    assert_eq!(tables, "", "each table and partition is protected");
    plan.revert(&mut root).await.unwrap();
    assert_same(&before, &catalogue(&mut root).await);
}
