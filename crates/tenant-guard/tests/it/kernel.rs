//! Batches on their way in, rows on their way out, with the database behind them.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use stockade_tenant_guard::{Batch, Straddle, TenantDb, TenantId, TenantScoped};

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

const STRADDLING: [Draft; 3] = [
    Draft { tenant: A, reference: "one" },
    Draft { tenant: B, reference: "two" },
    Draft { tenant: A, reference: "three" },
];

/// Imports drafts as an application would: the batch first, then one statement.
async fn import(db: &TenantDb, drafts: &[Draft]) -> Result<(), Box<dyn std::error::Error>> {
    let mut tx = db.begin(tenant(A)).await?;
    let mut batch = tx.guard().batch();
    for draft in drafts {
        batch.push(draft)?;
    }
    let (tenants, references): (Vec<Uuid>, Vec<&str>) =
        batch.finish()?.into_iter().map(|draft| (draft.tenant, draft.reference)).unzip();
    sqlx::query("INSERT INTO loads (tenant_id, reference) SELECT * FROM unnest($1::uuid[], $2::text[])")
        .bind(tenants)
        .bind(references)
        .execute(&mut tx)
        .await?;
    tx.commit().await?;
    Ok(())
}

#[sqlx::test]
async fn straddling_batch_writes_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let error = import(&world.db, &STRADDLING).await.unwrap_err();
    assert_eq!(*error.downcast::<Straddle>().unwrap(), Straddle { expected: tenant(A), found: tenant(B), index: 1 });
    let totals = world.db.counters().snapshot().total();
    assert_eq!((totals.refused_batches, totals.queries), (1, 0));
    assert_eq!((world.rows(A).await, world.rows(B).await), (SEEDED, SEEDED));

    import(&world.db, &STRADDLING[..1]).await.unwrap();
    assert_eq!(world.rows(A).await, SEEDED + 1);
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
    let rows: Vec<Load> =
        sqlx::query_as("SELECT tenant_id, gen_random_uuid() AS id FROM naked").fetch_all(&mut tx).await.unwrap();
    assert_eq!(rows.len(), 1, "the control: nothing hides this row");
    let foreign = tx.guard().check_rows(&rows).unwrap_err();
    assert_eq!((foreign.expected, foreign.found), (tenant(A), tenant(B)));
    drop(tx);
    world.end().await;
}

#[test]
fn batch_and_slice_agree() {
    let mut batch = Batch::new(tenant(A));
    let refused = STRADDLING.iter().find_map(|draft| batch.push(draft).err()).unwrap();
    assert_eq!(stockade_tenant_guard::guard(tenant(A), &STRADDLING), Err(refused));
}
