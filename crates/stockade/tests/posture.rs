//! The state of the audit log, as controls see it.

#![cfg(all(feature = "audit-chain", feature = "posture", feature = "postgres", feature = "bundle"))]

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use stockade::{
    audit_chain::{
        Actor, ChainId, Content, Entry, Head, LocalSigner, Publication, Snapshot, Verifier,
        postgres::{Checkpointing, Refusal, RefusalReason, health, migrator},
    },
    bridge::{log_anchored, log_rules, log_verified},
    posture::{Fact, Observation, Subject},
};
use uuid::Uuid;

const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;

fn told(observation: &Observation) -> (&str, &'static str, Option<&str>) {
    let outcome = observation.outcome();
    assert_eq!(observation.collected_at(), AT, "as old as what it tells of");
    (observation.control().as_str(), outcome.word(), outcome.reason())
}

#[test]
fn a_verification_is_told_with_its_first_finding() {
    let tenant = Uuid::from_u128(7).into();
    let mut head = Head::genesis(tenant, ChainId::random().unwrap());
    let record = Entry::new(tenant, Actor::system("test"), "load.create").record_at(AT).unwrap();
    let link = head.append(record.entry_id(), record.leaf()).unwrap();
    let verified = |content| {
        let mut verifier = Verifier::new(tenant, Some(head));
        verifier.check(&link, content);
        log_verified(Subject::new("the log"), &verifier.finish(), AT)
    };
    let good = verified(Content::Record(&record));
    assert_eq!(told(&good), ("audit.verifies", "pass", None));
    assert_eq!(good.facts().get("entries"), Some(&Fact::Count(1)));
    assert_eq!(told(&verified(Content::Missing)), ("audit.verifies", "fail", Some("entry 1: the entry is missing")));
}

#[tokio::test]
async fn a_checkpoint_is_told_as_an_anchor_that_holds() {
    let signer = LocalSigner::from_seed("example.com/audit", &[7; 32]).unwrap();
    let published = Publication::sign(None, Snapshot::default(), &signer).await.unwrap();
    for outcome in [Checkpointing::Published(published.clone()), Checkpointing::Unchanged(published)] {
        assert_eq!(told(&log_anchored(&outcome, AT).unwrap()), ("audit.anchored", "pass", None));
    }
    let refusal = Refusal { tenant: None, reason: RefusalReason::AnchorInvalid };
    let refused = log_anchored(&Checkpointing::Refused(vec![refusal]), AT).unwrap();
    assert_eq!(told(&refused), ("audit.anchored", "fail", Some("the log contradicts its last checkpoint")));
    assert_eq!(log_anchored(&Checkpointing::Standby, AT), None);
}

#[sqlx::test(migrations = false)]
async fn rules_that_were_changed_are_told_by_name(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    let mut found = health(&pool).await.unwrap();
    // Roles belong to the whole server, and other tests join them.
    found.deviations.retain(|deviation| !deviation.to_string().contains(", membership "));
    assert_eq!(told(&log_rules(&found, AT)), ("audit.append_only", "pass", None));
    sqlx::query("ALTER TABLE stockade.audit_link DISABLE TRIGGER audit_append_only").execute(&pool).await.unwrap();
    let mut found = health(&pool).await.unwrap();
    found.deviations.retain(|deviation| !deviation.to_string().contains(", membership "));
    let observation = log_rules(&found, AT);
    let (control, word, reason) = told(&observation);
    assert_eq!((control, word), ("audit.append_only", "fail"));
    assert!(reason.unwrap().contains("audit_append_only"), "{reason:?}");
}
