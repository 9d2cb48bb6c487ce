//! What is admitted, run where nothing else protects a row.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, Row};
use stockade_tenant_guard::{Access, StatementGuard};

use super::evasions::READS;
use super::{ADMITTED, CHANGES, guard};
use crate::world::{A, B};

const SCHEMA: &str = "
    CREATE TABLE loads (id int PRIMARY KEY, tenant_id uuid NOT NULL, marker text, rate int DEFAULT 1);
    CREATE TABLE drivers (LIKE loads INCLUDING ALL);
    CREATE TABLE secrets (LIKE loads INCLUDING ALL);
    CREATE TABLE countries (id int, name text);
    CREATE VIEW every_load AS SELECT * FROM loads;
    CREATE FUNCTION all_loads() RETURNS SETOF loads LANGUAGE sql AS 'SELECT * FROM loads';
    INSERT INTO countries VALUES (1, 'x'), (2, 'y');";

pub(super) struct Unprotected(pub(super) PgConnection);

impl Unprotected {
    pub(super) async fn new(pool: &PgPool) -> Self {
        let mut connection = pool.acquire().await.unwrap().detach();
        sqlx::raw_sql(SCHEMA).execute(&mut connection).await.unwrap();
        for (id, tenant, marker) in [(1, A, "A one"), (2, A, "A two"), (5, B, "B's five"), (6, B, "B's six")] {
            for insert in [
                "INSERT INTO loads VALUES ($1, $2, $3)",
                "INSERT INTO drivers VALUES ($1, $2, $3)",
                "INSERT INTO secrets VALUES ($1, $2, $3)",
            ] {
                sqlx::query(insert).bind(id).bind(tenant).bind(marker).execute(&mut connection).await.unwrap();
            }
        }
        Self(connection)
    }

    /// Everything that a statement returns for tenant A, as text; the statement is undone. `None` if PostgreSQL refuses it.
    pub(super) async fn seen_by_a(&mut self, sql: &str) -> Option<String> {
        let mut tx = self.0.begin().await.unwrap();
        // The parameter has its type from the outside, so that every statement has it.
        let wrapped = format!("SELECT to_json(q)::text FROM ({sql}) q WHERE $1::uuid IS NOT NULL");
        let rows = sqlx::query(AssertSqlSafe(wrapped)).persistent(false).bind(A).fetch_all(&mut *tx).await;
        tx.rollback().await.unwrap();
        Some(rows.ok()?.iter().map(|row| row.get::<Option<String>, _>(0).unwrap_or_default() + "\n").collect())
    }

    /// Runs a change for tenant A; whether tenant B has what it had. `None` if PostgreSQL refuses it.
    pub(super) async fn change_by_a_spares_b(&mut self, sql: &str) -> Option<bool> {
        const OF_B: &str = "SELECT string_agg(l::text, ',' ORDER BY id) FROM loads l WHERE tenant_id <> $1";
        let before: String = sqlx::query_scalar(OF_B).bind(A).fetch_one(&mut self.0).await.unwrap();
        let mut tx = self.0.begin().await.unwrap();
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false).bind(A).fetch_all(&mut *tx).await;
        let after = match &done {
            Ok(_) => sqlx::query_scalar::<_, Option<String>>(OF_B).bind(A).fetch_one(&mut *tx).await.unwrap(),
            Err(_) => None,
        };
        tx.rollback().await.unwrap();
        done.ok().map(|_| after == Some(before))
    }

    /// Whether a statement that the guard admits keeps to tenant A. True if it is refused, by the guard or by PostgreSQL.
    pub(super) async fn holds(&mut self, guard: &StatementGuard, sql: &str) -> bool {
        match guard.check(sql).map(|checked| checked.access()) {
            Ok(Access::Read) => !self.seen_by_a(sql).await.is_some_and(|seen| seen.contains("B's")),
            Ok(Access::Write) => self.change_by_a_spares_b(sql).await.unwrap_or(true),
            Err(_) => true,
        }
    }
}

#[sqlx::test]
async fn admitted_statements_return_and_change_only_the_tenants_rows(
    options: PgPoolOptions,
    connect: PgConnectOptions,
) {
    let mut database = Unprotected::new(&options.connect_with(connect).await.unwrap()).await;
    for sql in ADMITTED {
        let seen = database.seen_by_a(sql).await.unwrap_or_else(|| panic!("not valid: {sql}"));
        assert!(!seen.contains("B's"), "{sql}: {seen}");
        assert!(!sql.contains("marker FROM loads") || seen.contains("A "), "{sql}: {seen}");
    }
    for sql in CHANGES {
        assert_ne!(database.change_by_a_spares_b(sql).await, Some(false), "{sql}");
    }
}

#[sqlx::test]
async fn control_evasions_work_where_nobody_refuses_them(options: PgPoolOptions, connect: PgConnectOptions) {
    let mut database = Unprotected::new(&options.connect_with(connect).await.unwrap()).await;
    let mut leaking = 0;
    for sql in READS.iter().filter(|sql| !sql.contains('\0')) {
        leaking += usize::from(database.seen_by_a(sql).await.is_some_and(|seen| seen.contains("B's")));
    }
    assert!(leaking > 60, "{leaking} of {}", READS.len());
    for sql in [
        "UPDATE loads SET rate = 2 WHERE tenant_id = $1 OR true",
        "INSERT INTO loads (tenant_id, id) VALUES ($1, 5) ON CONFLICT (id) DO UPDATE SET marker = 'x'",
    ] {
        assert!(guard().check(sql).is_err());
        assert_eq!(database.change_by_a_spares_b(sql).await, Some(false), "{sql}");
    }
}
