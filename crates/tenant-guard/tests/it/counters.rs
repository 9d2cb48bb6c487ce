//! The numbers of the tenant-isolation page.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::world::{A, B, Load, World, tenant};

#[sqlx::test]
async fn page_shows_what_happened(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 2).await;
    let db = world.db.clone();
    let load = |id| Load { tenant_id: tenant(id), id };

    let mut tx = db.begin(tenant(A)).await.unwrap();
    for _ in 0..3 {
        sqlx::query("SELECT 1").execute(&mut tx).await.unwrap();
    }
    sqlx::query("SELECT 1").fetch_one(&mut tx).await.unwrap();
    tx.commit().await.unwrap();

    let midnight = db.counters().snapshot();

    let mut tx = db.read(tenant(B)).await.unwrap();
    sqlx::query("SELECT 1").fetch_all(&mut tx).await.unwrap();
    sqlx::query("COMMIT").execute(&mut tx).await.unwrap_err();
    sqlx::raw_sql("SELECT 1").execute(&mut tx).await.unwrap_err();
    tx.guard().check_rows(&[load(B), load(A), load(A)]).unwrap_err();
    tx.guard().check_batch(&[load(A), load(A)]).unwrap_err();
    drop(tx);
    let mut batch = db.guard(tenant(B)).batch();
    batch.push(load(A)).unwrap_err();
    batch.push(load(A)).unwrap_err();

    let snapshot = db.counters().snapshot();
    let a = snapshot.tenant(tenant(A));
    let b = snapshot.tenant(tenant(B));
    assert_eq!((a.queries, a.refused_statements), (4, 0));
    assert_eq!((b.queries, b.refused_statements), (1, 2));
    assert_eq!((b.refused_batches, b.foreign_rows), (2, 2));
    assert_eq!(snapshot.total().queries, 5);
    assert_eq!(snapshot.since(&midnight).total().queries, 1);
    assert_eq!(snapshot.tenants().count(), 2);
    world.end().await;
}
