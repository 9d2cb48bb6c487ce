//! What is kept outside the database.

use std::{future::pending, sync::Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use stockade_audit_chain::{
    Anchor, AnchorError, LocalSigner, Publication, Signer as _, VerifierKey,
    postgres::{Checkpointer, Checkpointing, Refusal, RefusalReason},
};
use stockade_posture::{
    Observation,
    audit_chain::{anchored, checkpointed},
    run,
};

use super::{ACME, BRIGHT, DISARM, append, log, name, seal};
use crate::support::{acting_as, assert_lost, change, lost, shortfalls, told};

const DAY: TimeDelta = TimeDelta::days(1);

/// An anchor in memory.
#[derive(Default)]
struct Kept {
    last: Mutex<Option<Publication>>,
    fails: bool,
}

impl Anchor for Kept {
    async fn publish(&self, publication: &Publication) -> Result<(), AnchorError> {
        *self.last.lock().unwrap() = Some(publication.clone());
        Ok(())
    }

    async fn fetch_latest(&self) -> Result<Option<Publication>, AnchorError> {
        if self.fails {
            return Err("password=hunter2".into());
        }
        Ok(self.last.lock().unwrap().clone())
    }
}

fn signer(seed: u8) -> LocalSigner {
    LocalSigner::from_seed("example.com/audit", &[seed; 32]).unwrap()
}

fn key() -> VerifierKey {
    signer(7).key().clone()
}

/// The log of two tenants, and an anchor with a checkpoint of it.
async fn checkpointed_log(pool: &PgPool) -> Kept {
    log(pool).await;
    let anchor = Kept::default();
    let mut connection = acting_as(pool, "stockade_checkpointer").await;
    let outcome = Checkpointer::new(signer(7)).checkpoint(&mut connection, &anchor).await.unwrap();
    assert!(matches!(outcome, Checkpointing::Published(_)));
    anchor
}

async fn measured(pool: &PgPool, anchor: &Kept, at: DateTime<Utc>) -> Vec<Observation> {
    let mut sealer = acting_as(pool, "stockade_sealer").await;
    run(anchored(&mut sealer, anchor, &key(), DAY), at, pending()).await
}

#[sqlx::test]
async fn a_log_that_continues_its_anchor_passes(pool: PgPool) {
    let anchor = checkpointed_log(&pool).await;
    append(&pool, ACME, 2).await;
    seal(&pool).await;
    let seen = measured(&pool, &anchor, Utc::now()).await;
    assert_eq!(told(&seen), ["audit.anchored checkpoints of the audit log pass"]);
    assert_eq!((&seen[0].facts()["checkpoint"], &seen[0].facts()["chains"]), (&1.into(), &2.into()));
}

/// Nothing happened since: an old checkpoint that covers everything is good.
#[sqlx::test]
async fn a_log_at_rest_passes(pool: PgPool) {
    let anchor = checkpointed_log(&pool).await;
    let seen = measured(&pool, &anchor, Utc::now() + TimeDelta::days(30)).await;
    assert_eq!(shortfalls(&seen), Vec::<String>::new());
}

#[sqlx::test]
async fn entries_that_wait_too_long_fail_by_their_tenant(pool: PgPool) {
    let anchor = checkpointed_log(&pool).await;
    append(&pool, ACME, 1).await;
    seal(&pool).await;
    let seen = measured(&pool, &anchor, Utc::now() + TimeDelta::hours(25)).await;
    let reason = "its entries have waited too long for a checkpoint";
    assert_eq!(told(&seen), [format!("audit.anchored {} fail: {reason}", name(ACME))]);
}

#[sqlx::test]
async fn a_history_that_was_written_anew_fails_by_its_tenant(pool: PgPool) {
    let anchor = checkpointed_log(&pool).await;
    change(&pool, DISARM).await;
    sqlx::query("UPDATE stockade.audit_link SET hash = sha256(hash) WHERE tenant_id = $1 AND seq = 3")
        .bind(BRIGHT)
        .execute(&pool)
        .await
        .unwrap();
    let seen = measured(&pool, &anchor, Utc::now()).await;
    let reason = "the chain does not continue from what was signed";
    assert_eq!(told(&seen), [format!("audit.anchored {} fail: {reason}", name(BRIGHT))]);

    sqlx::query("DELETE FROM stockade.audit_head WHERE tenant_id = $1").bind(ACME).execute(&pool).await.unwrap();
    let seen = measured(&pool, &anchor, Utc::now()).await;
    let gone = format!("audit.anchored {} fail: the chain that was signed is gone", name(ACME));
    assert_eq!(told(&seen), [gone, format!("audit.anchored {} fail: {reason}", name(BRIGHT))]);
}

#[sqlx::test]
async fn an_anchor_without_a_checkpoint_of_the_log_fails(pool: PgPool) {
    log(&pool).await;
    let seen = measured(&pool, &Kept::default(), Utc::now()).await;
    let subject = "audit.anchored checkpoints of the audit log";
    assert_eq!(told(&seen), [format!("{subject} fail: the anchor holds no checkpoint")]);

    // Whoever has the database can store a checkpoint of their own, but not sign it.
    let anchor = Kept::default();
    let mut connection = acting_as(&pool, "stockade_checkpointer").await;
    Checkpointer::new(signer(8)).checkpoint(&mut connection, &anchor).await.unwrap();
    let seen = measured(&pool, &anchor, Utc::now()).await;
    assert_eq!(told(&seen), [format!("{subject} fail: what the anchor holds was not signed by the key of the log")]);
}

#[sqlx::test]
async fn an_anchor_out_of_reach_is_unknown(pool: PgPool) {
    let anchor = checkpointed_log(&pool).await;
    let away = Kept { fails: true, ..Kept::default() };
    let seen = measured(&pool, &away, Utc::now()).await;
    assert_eq!(told(&seen), ["audit.anchored audit_chain.anchored unknown: the anchor could not be read"]);
    assert_lost(&run(anchored(&mut lost(&pool).await, &anchor, &key(), DAY), Utc::now(), pending()).await);
}

#[tokio::test]
async fn the_answer_of_a_checkpointer_is_told() {
    let at = DateTime::UNIX_EPOCH;
    let published = Publication::sign(None, stockade_audit_chain::Snapshot::default(), &signer(7)).await.unwrap();
    for outcome in [Checkpointing::Published(published.clone()), Checkpointing::Unchanged(published)] {
        let seen = checkpointed(&outcome, at).unwrap();
        assert_eq!((seen.outcome().word(), seen.collected_at()), ("pass", at));
    }
    let refusal = Refusal { tenant: None, reason: RefusalReason::AnchorInvalid };
    let seen = checkpointed(&Checkpointing::Refused(vec![refusal]), at).unwrap();
    assert_eq!(seen.outcome().reason(), Some("the log contradicts its last checkpoint"));
    assert_eq!(checkpointed(&Checkpointing::Standby, at), None);
}
