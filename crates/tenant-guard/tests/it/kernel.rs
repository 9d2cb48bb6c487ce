//! Batches on their way in, rows on their way out, with the database behind them.

use std::future::poll_fn;
use std::pin::Pin;

use futures_core::Stream;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions};
use sqlx::query::Query;
use sqlx::types::Uuid;
use sqlx::{FromRow, Postgres};
use stockade_tenant_guard::{Batch, ErrorKind, ForeignRow, Straddle, TenantDb, TenantId, TenantScoped};

use crate::world::{A, B, Load, SEEDED, World, tenant};

#[derive(Clone)]
struct Draft {
    tenant: Uuid,
    reference: &'static str,
}

impl TenantScoped for Draft {
    fn tenant_id(&self) -> TenantId {
        TenantId::from(self.tenant)
    }
}

#[derive(FromRow)]
struct Renamed {
    tenant: TenantId,
}

impl TenantScoped for Renamed {
    fn tenant_id(&self) -> TenantId {
        self.tenant
    }
}

const FOREIGN: ForeignRow = ForeignRow { expected: tenant(A), found: tenant(B) };

const STRADDLING: [Draft; 3] = [
    Draft { tenant: A, reference: "one" },
    Draft { tenant: B, reference: "two" },
    Draft { tenant: A, reference: "three" },
];

/// Imports drafts as an application would: the batch first, then one statement.
async fn import(db: &TenantDb, drafts: &[Draft]) -> Result<u64, Box<dyn std::error::Error>> {
    let mut tx = db.begin(tenant(A)).await?;
    let mut batch = tx.guard().batch();
    for draft in drafts {
        batch.push(draft.clone())?;
    }
    let rows = tx.bulk_insert(batch, insert).await?;
    tx.commit().await?;
    Ok(rows)
}

fn insert(drafts: Vec<Draft>) -> Query<'static, Postgres, PgArguments> {
    let (tenants, references): (Vec<Uuid>, Vec<&str>) =
        drafts.into_iter().map(|draft| (draft.tenant, draft.reference)).unzip();
    sqlx::query("INSERT INTO loads (tenant_id, reference) SELECT * FROM unnest($1::uuid[], $2::text[])")
        .bind(tenants)
        .bind(references)
}

#[sqlx::test]
async fn straddling_batch_writes_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let error = import(&world.db, &STRADDLING).await.unwrap_err();
    assert_eq!(*error.downcast::<Straddle>().unwrap(), Straddle { expected: tenant(A), found: tenant(B), index: 1 });
    let totals = world.db.counters().snapshot().total();
    assert_eq!((totals.refused_batches, totals.queries), (1, 0));
    assert_eq!((world.rows(A).await, world.rows(B).await), (SEEDED, SEEDED));

    assert_eq!(import(&world.db, &STRADDLING[..1]).await.unwrap(), 1);
    assert_eq!(import(&world.db, &[]).await.unwrap(), 0);
    assert_eq!(world.rows(A).await, SEEDED + 1);
    world.end().await;
}

#[sqlx::test]
async fn bulk_insert_takes_only_a_whole_batch_of_its_tenant(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let straddle = Straddle { expected: tenant(A), found: tenant(B), index: 1 };

    // A refusal that nobody looked at.
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let mut batch = tx.guard().batch();
    for draft in STRADDLING {
        let _ = batch.push(draft);
    }
    let error = tx.bulk_insert(batch, insert).await.unwrap_err();
    assert_eq!(Straddle::of(&error), Some(straddle));

    // A batch of another tenant, whole and empty.
    let mut other = Batch::new(tenant(B));
    other.push(STRADDLING[1].clone()).unwrap();
    for batch in [other, Batch::new(tenant(B))] {
        let error = tx.bulk_insert(batch, insert).await.unwrap_err();
        assert_eq!(Straddle::of(&error), Some(Straddle { index: 0, ..straddle }));
    }
    tx.commit().await.unwrap();
    let totals = world.db.counters().snapshot().total();
    assert_eq!((totals.refused_batches, totals.queries), (3, 0));
    assert_eq!((world.rows(A).await, world.rows(B).await), (SEEDED, SEEDED));
    world.end().await;
}

#[sqlx::test]
async fn copy_is_refused_by_postgresql_itself(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut connection = world.pool.acquire().await.unwrap();
    let error = connection.copy_in_raw("COPY loads (tenant_id, reference) FROM STDIN").await.err().unwrap();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "0A000");
    drop(connection);
    world.end().await;
}

#[sqlx::test]
async fn database_refuses_the_batch_without_the_guard(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let error = sqlx::query("INSERT INTO loads (tenant_id, reference) SELECT t, t::text FROM unnest($1::uuid[]) t")
        .bind(vec![A, B, A])
        .execute(&mut tx)
        .await
        .unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501");
    tx.commit().await.unwrap_err();
    assert_eq!((world.rows(A).await, world.rows(B).await), (SEEDED, SEEDED));
    world.end().await;
}

#[sqlx::test]
async fn row_of_a_table_without_policies_is_stopped(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(B)).await.unwrap();
    sqlx::query("INSERT INTO naked VALUES ($1)").bind(B).execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = world.db.read(tenant(A)).await.unwrap();
    let renamed = "SELECT tenant_id AS tenant FROM naked";
    let rows: Vec<Uuid> = sqlx::query_scalar(renamed).fetch_all(&mut tx).await.unwrap();
    assert_eq!(rows, [B], "the control: nothing hides this row");

    // By its column, whichever way it is read.
    for error in [
        sqlx::query("SELECT * FROM naked").fetch_all(&mut tx).await.map(drop).unwrap_err(),
        sqlx::query("SELECT * FROM naked").fetch_optional(&mut tx).await.map(drop).unwrap_err(),
        sqlx::query_as::<_, Load>("SELECT *, gen_random_uuid() AS id FROM naked")
            .fetch_one(&mut tx)
            .await
            .map(drop)
            .unwrap_err(),
        sqlx::query("SELECT l.tenant_id, n.tenant_id FROM loads l, naked n")
            .fetch_all(&mut tx)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert_eq!(ForeignRow::of(&error), Some(FOREIGN));
    }
    // By its type, where the column has another name.
    let typed = || sqlx::query_as::<_, Renamed>("SELECT tenant_id AS tenant FROM naked");
    let rows = typed().fetch_all(&mut tx).await.unwrap();
    assert_eq!(tx.guard().check_rows(&rows), Err(FOREIGN));
    let guard = tx.guard().clone();
    let mut stream = guard.check_stream(typed().fetch(&mut tx));
    let first = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await.unwrap();
    assert_eq!(ForeignRow::of(&first.err().unwrap()), Some(FOREIGN));
    assert!(poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await.is_none());
    drop(stream);
    assert_eq!(world.db.counters().snapshot().tenant(tenant(A)).foreign_rows, 6);
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn a_write_that_returned_a_foreign_row_cannot_be_committed(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let write = sqlx::query("INSERT INTO naked VALUES ($1) RETURNING tenant_id").bind(B);
    assert_eq!(ForeignRow::of(&write.fetch_one(&mut tx).await.unwrap_err()), Some(FOREIGN));
    assert_eq!(tx.commit().await.unwrap_err().kind(), ErrorKind::StatementFailed);
    world.end().await;
}

#[sqlx::test]
async fn rows_without_a_tenant_pass(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.read(tenant(A)).await.unwrap();
    for sql in ["SELECT NULL::uuid AS tenant_id", "SELECT 'x' AS tenant_id", "SELECT gen_random_uuid() AS id"] {
        sqlx::query(sql).fetch_one(&mut tx).await.unwrap();
    }
    drop(tx);
    // The column's name is the application's.
    let db = world.db.clone().with_tenant_column("org");
    let mut tx = db.read(tenant(A)).await.unwrap();
    sqlx::query("SELECT gen_random_uuid() AS tenant_id").fetch_one(&mut tx).await.unwrap();
    let error = sqlx::query("SELECT $1 AS org").bind(B).fetch_one(&mut tx).await.unwrap_err();
    assert_eq!(ForeignRow::of(&error), Some(FOREIGN));
    drop(tx);
    world.end().await;
}

#[test]
fn batch_and_slice_agree() {
    let mut batch = Batch::new(tenant(A));
    let refused = STRADDLING.iter().find_map(|draft| batch.push(draft).err()).unwrap();
    assert_eq!(stockade_tenant_guard::guard(tenant(A), &STRADDLING), Err(refused));
}
