//! The facts of the actor, as policies see them, and writes that a read-only actor tries.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use stockade_tenant_guard::{Actor, Principal, Scopes, TenantTx};

use crate::world::{A, B, World, tenant};

pub(crate) const USER: Uuid = Uuid::from_u128(0xcafe);

pub(crate) fn dispatcher() -> Actor {
    Actor::new(USER).with_scopes(Scopes::try_from("2.0_1-z").unwrap())
}

type Facts = (Option<Uuid>, String, bool);

pub(crate) async fn facts(tx: &mut TenantTx) -> Facts {
    sqlx::query_as("SELECT actor_id, scopes, read_only FROM stockade.current_actor").fetch_one(tx).await.unwrap()
}

/// What INSERT, UPDATE and DELETE say: a refusal's SQLSTATE, or how many rows.
pub(crate) async fn writes(tx: &mut TenantTx) -> Vec<Result<u64, String>> {
    let mut answers = Vec::new();
    for write in [
        "INSERT INTO loads (tenant_id, reference) SELECT tenant_id, 'new' FROM stockade.current_tenant",
        "UPDATE loads SET rate_cents = 1",
        "DELETE FROM loads",
    ] {
        let mut savepoint = tx.savepoint().await.unwrap();
        let answer = sqlx::query(write).execute(&mut *savepoint).await;
        savepoint.roll_back().await.unwrap();
        answers.push(match answer {
            Ok(done) => Ok(done.rows_affected()),
            Err(error) => Err(error.as_database_error().unwrap().code().unwrap().into_owned()),
        });
    }
    answers
}

pub(crate) fn refused() -> Vec<Result<u64, String>> {
    vec![Err("42501".to_owned()), Ok(0), Ok(0)]
}

#[sqlx::test]
async fn policies_see_the_actor_and_nobody_elses(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    for round in 0..3 {
        let mut tx = world.db.begin(Principal::new(tenant(A), dispatcher())).await.unwrap();
        assert_eq!(facts(&mut tx).await, (Some(USER), "2.0_1-z".to_owned(), false));
        match round {
            0 => tx.commit().await.unwrap(),
            1 => tx.rollback().await.unwrap(),
            _ => drop(tx),
        }
        let mut tx = world.db.begin(tenant(B)).await.unwrap();
        assert_eq!(facts(&mut tx).await, (None, String::new(), false));
    }
    world.end().await;
}

#[sqlx::test]
async fn facts_left_on_the_session_do_not_show_through(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    // For the session, not for the transaction.
    sqlx::query(
        "SELECT set_config('stockade.actor_id', $1, false), set_config('stockade.actor_scopes', 'all', false), \
         set_config('stockade.read_only', 'on', false)",
    )
    .bind(USER.to_string())
    .execute(&mut tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();

    let left: String =
        sqlx::query_scalar("SELECT current_setting('stockade.actor_scopes')").fetch_one(&world.pool).await.unwrap();
    assert_eq!(left, "all", "the control: the session holds the forged facts");
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    assert_eq!(facts(&mut tx).await, (None, String::new(), false));
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn writes_of_a_read_only_actor_are_refused_by_policy_alone(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    // Neither the type nor the transaction is read-only here.
    let mut tx = world.db.begin(Principal::new(tenant(A), dispatcher().read_only())).await.unwrap();
    assert_eq!(writes(&mut tx).await, refused());
    drop(tx);
    let mut tx = world.db.begin(Principal::new(tenant(A), dispatcher())).await.unwrap();
    assert_eq!(writes(&mut tx).await, [Ok(1), Ok(3), Ok(3)], "the control: another actor may write");
    drop(tx);
    world.end().await;
}
