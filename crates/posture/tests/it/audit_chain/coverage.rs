//! What should have left entries.

use chrono::{TimeDelta, Utc};
use sqlx::PgPool;
use stockade_posture::audit_chain::{Writes, coverage, last_recorded};

use super::{ACME, BRIGHT, append, log};
use crate::support::{acting_as, assert_lost, lost, measured, told};

fn week() -> Writes {
    Writes::within(TimeDelta::days(7))
}

#[sqlx::test]
async fn what_left_entries_passes(pool: PgPool) {
    log(&pool).await;
    append(&pool, ACME, 1).await; // not sealed yet, and an entry all the same
    let mut sealer = acting_as(&pool, "stockade_sealer").await;
    let seen = measured(coverage(&mut sealer, week().action("load.update").route("POST", "/loads/{id}"))).await;
    assert_eq!(told(&seen), ["audit.coverage action load.update pass", "audit.coverage route POST /loads/{id} pass"]);
    assert_eq!(seen[1].facts()["entries"], 7.into());
}

#[sqlx::test]
async fn what_left_none_fails_by_its_name(pool: PgPool) {
    log(&pool).await;
    let mut sealer = acting_as(&pool, "stockade_sealer").await;
    let writes =
        week().route("DELETE", "/loads/{id}").action("load.update").action("load.Update").route("POST", "/loads");
    let seen = measured(coverage(&mut sealer, writes)).await;
    let reason = "it has left no entry in the audit log in its time";
    assert_eq!(
        told(&seen),
        [
            format!("audit.coverage route DELETE /loads/{{id}} fail: {reason}"),
            "audit.coverage action load.update pass".to_owned(),
            format!("audit.coverage action load.Update fail: {reason}"),
            format!("audit.coverage route POST /loads fail: {reason}"),
        ]
    );
}

/// The entries of today are of no use to the week after.
#[sqlx::test]
async fn what_left_entries_long_ago_fails(pool: PgPool) {
    log(&pool).await;
    let mut sealer = acting_as(&pool, "stockade_sealer").await;
    let later = Utc::now() + TimeDelta::days(8);
    let measured = |collector| stockade_posture::run(collector, later, std::future::pending());
    let seen = measured(coverage(&mut sealer, week().action("load.update"))).await;
    assert_eq!(seen[0].outcome().word(), "fail");
}

#[sqlx::test]
async fn a_log_that_cannot_be_read_is_unknown(pool: PgPool) {
    let mut nobody = pool.acquire().await.unwrap();
    let seen = measured(coverage(&mut nobody, week().action("load.update"))).await;
    let reason = "the database answered with error 42P01";
    assert_eq!(told(&seen), [format!("audit.coverage audit_chain.coverage unknown: {reason}")]);
    assert_lost(&measured(coverage(&mut lost(&pool).await, week().action("load.update"))).await);
}

#[sqlx::test]
async fn the_last_of_an_action_is_found_for_each_tenant(pool: PgPool) {
    log(&pool).await;
    let mut sealer = acting_as(&pool, "stockade_sealer").await;
    let last = last_recorded(&mut sealer, "load.update").await.unwrap();
    assert_eq!(last.keys().copied().collect::<Vec<_>>(), [ACME, BRIGHT]);
    assert!(last.values().all(|at| Utc::now() - *at < TimeDelta::minutes(5)));
    assert_eq!(last_recorded(&mut sealer, "access.review").await.unwrap().len(), 0);
}
