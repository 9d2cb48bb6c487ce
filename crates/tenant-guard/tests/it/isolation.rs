//! What a scope sees, and what it cannot touch.

use std::sync::Arc;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use sqlx::{Executor, Postgres};
use stockade_tenant_guard::ForeignRow;
use tokio::task::JoinSet;

use crate::world::{A, B, Dice, Load, SEEDED, World, tenant};

fn sql_state(error: &sqlx::Error) -> String {
    let error = error.as_database_error().unwrap();
    error.code().unwrap().into_owned()
}

/// Written as a sibling crate writes it: for a connection, and for a scope that is none.
async fn owners<E>(executor: &mut E) -> Vec<Uuid>
where
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let mut owners: Vec<Uuid> =
        sqlx::query_scalar("SELECT tenant_id FROM loads").fetch_all(&mut *executor).await.unwrap();
    let context: Option<Uuid> =
        sqlx::query_scalar("SELECT tenant_id FROM stockade.current_tenant").fetch_one(executor).await.unwrap();
    owners.extend(context);
    owners.sort();
    owners.dedup();
    owners
}

#[sqlx::test]
async fn the_role_is_subject_to_the_policies(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let free: bool = sqlx::query_scalar(
        "SELECT rolsuper OR rolbypassrls OR pg_has_role(current_user, c.relowner, 'MEMBER') \
         FROM pg_roles, pg_class c WHERE rolname = current_user AND c.oid = 'loads'::regclass",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert!(!free);
    let outside: i64 = sqlx::query_scalar("SELECT count(*) FROM loads").fetch_one(&world.pool).await.unwrap();
    assert_eq!(outside, 0, "a query without a scope sees rows");
    world.end().await;
}

#[sqlx::test]
async fn one_connection_serves_tenants_in_turn(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    for round in 0..6 {
        let id = if round % 2 == 0 { A } else { B };
        let mut tx = world.db.begin(tenant(id)).await.unwrap();
        assert_eq!(tx.tenant_id(), tenant(id));
        assert_eq!(owners(&mut tx).await, [id]);
        if round % 3 == 0 {
            tx.commit().await.unwrap();
        } else {
            drop(tx);
        }
        let mut tx = world.db.read(tenant(id)).await.unwrap();
        assert_eq!(owners(&mut tx).await, [id]);
        tx.close().await.unwrap();
    }
    world.end().await;
}

#[sqlx::test]
async fn interleaved_scopes_see_their_own_rows(_: PgPoolOptions, options: PgConnectOptions) {
    let world = Arc::new(World::new(options, 3).await);
    let mut tasks = JoinSet::new();
    for worker in 0..8 {
        let db = world.db.clone();
        tasks.spawn(async move {
            let mut dice = Dice::new(worker);
            for _ in 0..40 {
                let id = [A, B][dice.below(2)];
                if dice.below(2) == 0 {
                    let mut tx = db.begin(tenant(id)).await.unwrap();
                    assert_eq!(owners(&mut tx).await, [id]);
                    match dice.below(3) {
                        0 => tx.commit().await.unwrap(),
                        1 => tx.rollback().await.unwrap(),
                        _ => drop(tx),
                    }
                } else {
                    let mut tx = db.read(tenant(id)).await.unwrap();
                    assert_eq!(owners(&mut tx).await, [id]);
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    world.no_open_transaction().await;
    world.pool.close().await;
}

#[sqlx::test]
async fn sibling_scopes_stay_apart(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 2).await;
    let mut a = world.db.begin(tenant(A)).await.unwrap();
    let mut b = world.db.begin(tenant(B)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(owners(&mut a).await, [A]);
        assert_eq!(owners(&mut b).await, [B]);
    }
    drop(a);
    assert_eq!(owners(&mut b).await, [B]);
    b.commit().await.unwrap();
    world.end().await;
}

#[sqlx::test]
async fn stream_survives_another_tenants_scope(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 2).await;
    let mut a = world.db.read(tenant(A)).await.unwrap();
    let guard = a.guard().clone();
    let mut rows = sqlx::query_as::<_, Load>("SELECT tenant_id, id FROM loads").fetch(&mut a);
    let mut seen = 0;
    while let Some(row) = std::future::poll_fn(|cx| rows.as_mut().poll_next(cx)).await {
        guard.check_row(&row.unwrap()).unwrap();
        seen += 1;
        let mut b = world.db.begin(tenant(B)).await.unwrap();
        assert_eq!(owners(&mut b).await, [B]);
    }
    assert_eq!(seen, SEEDED);
    drop(rows);
    drop(a);
    world.end().await;
}

#[sqlx::test]
async fn prepared_statement_is_shared_without_rows(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    // More than five runs, so that PostgreSQL may settle on a generic plan.
    for id in [A, B].into_iter().cycle().take(16) {
        let mut tx = world.db.read(tenant(id)).await.unwrap();
        let rows: Vec<Load> = sqlx::query_as("SELECT tenant_id, id FROM loads WHERE rate_cents >= $1")
            .bind(0_i64)
            .fetch_all(&mut tx)
            .await
            .unwrap();
        assert_eq!(rows.len(), usize::try_from(SEEDED).unwrap());
        tx.guard().check_rows(&rows).unwrap();
    }
    let mut tx = world.db.read(tenant(A)).await.unwrap();
    let prepared: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%rate_cents >= %'")
            .persistent(false)
            .fetch_one(&mut tx)
            .await
            .unwrap();
    assert_eq!(prepared, 1, "the statement was not shared");
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn another_tenants_id_is_worth_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.read(tenant(B)).await.unwrap();
    let foreign: Load = sqlx::query_as("SELECT tenant_id, id FROM loads LIMIT 1").fetch_one(&mut tx).await.unwrap();
    drop(tx);

    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    let read: Option<i64> = sqlx::query_scalar("SELECT rate_cents FROM loads WHERE id = $1")
        .bind(foreign.id)
        .fetch_optional(&mut tx)
        .await
        .unwrap();
    assert_eq!(read, None);
    for write in ["UPDATE loads SET rate_cents = 1 WHERE id = $1", "DELETE FROM loads WHERE id = $1"] {
        let done = sqlx::query(write).bind(foreign.id).execute(&mut tx).await.unwrap();
        assert_eq!(done.rows_affected(), 0, "{write}");
    }
    tx.commit().await.unwrap();

    for write in ["INSERT INTO loads (tenant_id, reference) VALUES ($1, 'stolen')", "UPDATE loads SET tenant_id = $1"] {
        let mut tx = world.db.begin(tenant(A)).await.unwrap();
        let error = sqlx::query(write).bind(B).execute(&mut tx).await.unwrap_err();
        assert_eq!(sql_state(&error), "42501", "{write}");
    }
    assert_eq!((world.rows(A).await, world.rows(B).await), (SEEDED, SEEDED));
    world.end().await;
}

#[sqlx::test]
async fn read_scope_refuses_writes(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    for write in [
        "INSERT INTO loads (tenant_id, reference) SELECT tenant_id, 'x' FROM stockade.current_tenant",
        "UPDATE loads SET rate_cents = 1",
        "DELETE FROM loads",
        "WITH gone AS (DELETE FROM loads RETURNING 1) SELECT * FROM gone",
        "SELECT id FROM loads FOR UPDATE",
    ] {
        let mut tx = world.db.read(tenant(A)).await.unwrap();
        let error = sqlx::query(write).execute(&mut tx).await.unwrap_err();
        assert_eq!(sql_state(&error), "25006", "{write}");
    }
    // The next scope on the same connection may write again.
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    sqlx::query("UPDATE loads SET rate_cents = 1").execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    world.end().await;
}

#[sqlx::test]
async fn known_limit_set_config_forges_the_context(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.read(tenant(A)).await.unwrap();
    sqlx::query("SELECT set_config('stockade.tenant_id', $1::text, true)").bind(B).execute(&mut tx).await.unwrap();
    let renamed = "SELECT DISTINCT tenant_id AS owner FROM loads";
    let forged: Vec<Uuid> = sqlx::query_scalar(renamed).fetch_all(&mut tx).await.unwrap();
    assert_eq!(forged, [B]);
    // Under its own name the column gives it away.
    let error = sqlx::query("SELECT tenant_id FROM loads").fetch_all(&mut tx).await.unwrap_err();
    let foreign = ForeignRow::of(&error).unwrap();
    assert_eq!((foreign.expected, foreign.found), (tenant(A), tenant(B)));
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn forged_context_ends_with_its_scope(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    // For the session, not for the transaction: it outlives the commit.
    sqlx::query("SELECT set_config('stockade.tenant_id', $1::text, false)").bind(B).execute(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..2 {
        let mut tx = world.db.read(tenant(A)).await.unwrap();
        assert_eq!(owners(&mut tx).await, [A]);
        tx.close().await.unwrap();
    }
    world.end().await;
}

#[sqlx::test]
async fn inherited_transaction_gets_the_new_context(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    // Another user of the pool leaves a transaction of tenant B open, as sqlx 0.9.0 does on cancellation.
    let mut left = world.pool.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN; SET LOCAL stockade.tenant_id = '00000000-0000-0000-0000-00000000000b'")
        .execute(&mut *left)
        .await
        .unwrap();
    drop(left);

    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    assert_eq!(owners(&mut tx).await, [A]);
    drop(tx);
    world.no_open_transaction().await;
    world.end().await;
}
