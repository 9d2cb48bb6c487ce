//! Scopes on a SQLite file, several connections at once, where nothing but the guard protects a row.

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, FromRow, Row, SqlitePool};
use stockade_tenant_guard::sqlite::{SqliteTenantDb, TenantForm};
use stockade_tenant_guard::{Access, Dialect, ErrorKind, Guarantee, Refused, StatementGuard};
use tempfile::TempDir;

use crate::statement_guard::generated::mutations;
use crate::world::{A, B, cut, tenant};

const MINE: &str = "SELECT marker FROM loads WHERE tenant_id = ?1 ORDER BY id";

struct File {
    _directory: TempDir,
    /// The application's pool, kept here only so that the tests can look behind the guard's back.
    pool: SqlitePool,
    db: SqliteTenantDb,
}

async fn file() -> File {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(directory.path().join("db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await.unwrap();
    let schema = "
        CREATE TABLE loads (id INTEGER PRIMARY KEY, tenant_id BLOB NOT NULL, marker TEXT, rate INTEGER DEFAULT 1);
        CREATE TABLE drivers (id INTEGER PRIMARY KEY, tenant_id BLOB NOT NULL, marker TEXT, rate INTEGER DEFAULT 1);
        CREATE TABLE countries (id INTEGER, name TEXT);
        INSERT INTO countries VALUES (1, 'x'), (2, 'y');";
    sqlx::raw_sql(schema).execute(&pool).await.unwrap();
    for (id, tenant, marker) in [(1, A, "A one"), (2, A, "A two"), (5, B, "B's five"), (6, B, "B's six")] {
        for insert in [
            "INSERT INTO loads (id, tenant_id, marker) VALUES (?1, ?2, ?3)",
            "INSERT INTO drivers (id, tenant_id, marker) VALUES (?1, ?2, ?3)",
        ] {
            sqlx::query(insert).bind(id).bind(tenant).bind(marker).execute(&pool).await.unwrap();
        }
    }
    File { _directory: directory, db: SqliteTenantDb::new(pool.clone(), statements()), pool }
}

fn statements() -> StatementGuard {
    let guard = StatementGuard::new(Dialect::Sqlite);
    guard.protect("loads", "tenant_id").protect("drivers", "tenant_id").share("countries")
}

impl File {
    async fn of_b(&self) -> Vec<(i64, String, i64)> {
        let all = "SELECT id, marker, rate FROM loads WHERE tenant_id = ?1 ORDER BY id";
        sqlx::query_as(all).bind(B).fetch_all(&self.pool).await.unwrap()
    }

    async fn rows(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM loads").fetch_one(&self.pool).await.unwrap()
    }
}

#[tokio::test]
async fn interleaved_scopes_see_their_own_rows() {
    let file = file().await;
    let mut a = file.db.read(tenant(A)).await.unwrap();
    let mut b = file.db.read(tenant(B)).await.unwrap();
    let mut writer = file.db.begin(tenant(A)).await.unwrap();
    writer
        .query("INSERT INTO loads (tenant_id, id, marker) VALUES (?1, ?2, ?3)")
        .bind(9)
        .bind("A new")
        .execute()
        .await
        .unwrap();
    for _ in 0..3 {
        let of_a: Vec<(String,)> = a.query(MINE).fetch_all().await.unwrap();
        let of_b: Vec<(String,)> = b.query(MINE).fetch_all().await.unwrap();
        assert_eq!(of_a, [("A one".to_owned(),), ("A two".to_owned(),)]);
        assert_eq!(of_b, [("B's five".to_owned(),), ("B's six".to_owned(),)]);
    }
    writer.commit().await.unwrap();
    assert_eq!(file.rows().await, 5);
}

#[tokio::test]
async fn an_unbound_statement_is_refused_where_it_would_have_leaked() {
    let file = file().await;
    let all = "SELECT marker FROM loads";
    let control: Vec<(String,)> = sqlx::query_as(all).fetch_all(&file.pool).await.unwrap();
    assert_eq!(control.len(), 4, "the control: without the guard every row comes back");
    let mut tx = file.db.read(tenant(A)).await.unwrap();
    let error = tx.query(all).fetch_all::<(String,)>().await.unwrap_err();
    assert_eq!(Refused::of(&error), Some(&Refused::Unbound { table: "loads".into() }));
    assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::StatementFailed);
    let tally = file.db.counters().snapshot().tenant(tenant(A));
    assert_eq!((tally.queries, tally.refused_statements), (0, 1));
}

#[tokio::test]
async fn the_callers_values_do_not_reach_the_tenants_place() {
    let file = file().await;
    let mut tx = file.db.read(tenant(A)).await.unwrap();
    let error =
        tx.query("SELECT marker FROM loads WHERE tenant_id = ?2").bind(B).fetch_all::<(String,)>().await.unwrap_err();
    assert!(Refused::of(&error).is_some());
    let rows: Vec<(String,)> = tx.query(MINE).bind(B).fetch_all().await.unwrap();
    assert!(rows.iter().all(|(marker,)| marker.starts_with("A ")));
}

#[tokio::test]
async fn changes_reach_no_row_of_another_tenant() {
    let file = file().await;
    let before = file.of_b().await;
    let mut tx = file.db.begin(tenant(A)).await.unwrap();
    for sql in [
        "UPDATE loads SET rate = 7 WHERE tenant_id = ?1",
        "INSERT INTO loads (tenant_id, id, marker) VALUES (?1, 5, 'A') ON CONFLICT (id) DO UPDATE SET marker = 'A' WHERE loads.tenant_id = ?1",
        "INSERT INTO loads (tenant_id, id, marker) VALUES (?1, 6, 'A') ON CONFLICT DO NOTHING",
        "DELETE FROM loads WHERE tenant_id = ?1 AND id = 2",
    ] {
        tx.query(sql).execute().await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(file.of_b().await, before);
    assert_eq!(file.rows().await, 3);
}

#[tokio::test]
async fn a_read_scope_refuses_writes() {
    let file = file().await;
    let mut tx = file.db.read(tenant(A)).await.unwrap();
    let error = tx.query("DELETE FROM loads WHERE tenant_id = ?1").execute().await.unwrap_err();
    assert_eq!(Refused::of(&error), Some(&Refused::ReadOnly));
    drop(tx);
    assert_eq!(file.rows().await, 4);
}

#[tokio::test]
async fn commit_after_a_failure_is_an_error_and_writes_nothing() {
    let file = file().await;
    let insert = "INSERT INTO loads (tenant_id, id) VALUES (?1, ?2)";
    let mut tx = file.db.begin(tenant(A)).await.unwrap();
    tx.query(insert).bind(10).execute().await.unwrap();
    tx.query(insert).bind(5).execute().await.unwrap_err();
    tx.query(insert).bind(11).execute().await.unwrap();
    assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::StatementFailed);
    assert_eq!(file.rows().await, 4);
    let mut tx = file.db.begin(tenant(A)).await.unwrap();
    let missing = tx.query("SELECT marker FROM loads WHERE tenant_id = ?1 AND id = 99").fetch_one::<(String,)>().await;
    assert!(matches!(missing, Err(sqlx::Error::RowNotFound)));
    tx.query(insert).bind(10).execute().await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(file.rows().await, 5, "a row that was not found spoils nothing");
}

#[tokio::test]
async fn every_await_can_be_cut() {
    let file = file().await;
    for polls in 1..40 {
        let whole = cut(polls, async {
            let mut tx = file.db.begin(tenant(A)).await.unwrap();
            tx.query("UPDATE loads SET rate = rate + 1 WHERE tenant_id = ?1").execute().await.unwrap();
            tx.query("UPDATE loads SET rate = rate + 1 WHERE tenant_id = ?1").execute().await.unwrap();
            tx.rollback().await.unwrap();
        });
        let is_whole = whole.await.is_some();
        // The next scope, on whichever connection, begins outside a transaction and sees nothing of it.
        let mut tx = file.db.begin(tenant(B)).await.unwrap();
        let rates: Vec<(i64,)> = tx.query("SELECT rate FROM loads WHERE tenant_id = ?1").fetch_all().await.unwrap();
        assert_eq!(rates, [(1,), (1,)]);
        tx.commit().await.unwrap();
        let sum: i64 = sqlx::query_scalar("SELECT sum(rate) FROM loads").fetch_one(&file.pool).await.unwrap();
        assert_eq!(sum, 4, "after {polls} polls");
        if is_whole {
            return;
        }
    }
    unreachable!("it never came to its end");
}

#[tokio::test]
async fn a_dropped_statement_forbids_the_commit() {
    let file = file().await;
    for _ in 0..1_000 {
        let mut tx = file.db.begin(tenant(A)).await.unwrap();
        // SQLite works on a thread of its own, and may answer before the first poll is over.
        if cut(1, tx.query("UPDATE loads SET rate = 9 WHERE tenant_id = ?1").execute()).await.is_none() {
            assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::StatementAbandoned);
            break;
        }
        tx.rollback().await.unwrap();
    }
    assert_eq!(file.db.begin(tenant(A)).await.unwrap().rollback().await.map_err(|error| error.kind()), Ok(()));
    let sum: i64 = sqlx::query_scalar("SELECT sum(rate) FROM loads").fetch_one(&file.pool).await.unwrap();
    assert_eq!(sum, 4);
}

#[tokio::test]
async fn the_guarantee_claims_no_isolation_by_the_database() {
    assert_eq!(file().await.db.guarantee(), Guarantee::ApplicationOnly);
}

#[tokio::test]
async fn tenants_stored_as_text_are_found() {
    let file = file().await;
    sqlx::query("INSERT INTO loads (id, tenant_id, marker) VALUES (20, ?1, 'A text')")
        .bind(A.to_string())
        .execute(&file.pool)
        .await
        .unwrap();
    let db = file.db.clone().tenants_as(TenantForm::Text);
    let rows: Vec<(String,)> = db.read(tenant(A)).await.unwrap().query(MINE).fetch_all().await.unwrap();
    assert_eq!(rows, [("A text".to_owned(),)]);
}

/// Every column as text.
struct Text(String);

impl<'r> FromRow<'r, SqliteRow> for Text {
    fn from_row(row: &'r SqliteRow) -> Result<Self, sqlx::Error> {
        let columns = 0..row.columns().len();
        Ok(Self(
            columns
                .map(|at| row.try_get_unchecked::<Option<String>, _>(at).ok().flatten().unwrap_or_default())
                .collect(),
        ))
    }
}

#[tokio::test]
async fn mutations_that_pass_return_and_change_no_foreign_row() {
    let file = file().await;
    let before = file.of_b().await;
    let mut ran = 0;
    for sql in mutations(10_000) {
        let sql = sql.replace("$1::uuid", "?1").replace('$', "?").replace("public.", "main.");
        let Ok(checked) = statements().check(&sql) else { continue };
        let mut tx = file.db.begin(tenant(A)).await.unwrap();
        if let Ok(rows) = tx.query(AssertSqlSafe(sql.clone())).fetch_all::<Text>().await {
            ran += 1;
            assert!(!rows.iter().any(|row| row.0.contains("B's")), "{sql}");
            match checked.access() {
                Access::Read => tx.rollback().await.unwrap(),
                Access::Write => {
                    tx.commit().await.unwrap();
                    assert_eq!(file.of_b().await, before, "{sql}");
                }
            }
        }
    }
    assert!(ran > 30, "{ran} ran: too few to say anything");
}
