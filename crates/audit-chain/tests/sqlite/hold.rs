//! Legal holds.

use chrono::TimeDelta;
use sqlx::Connection as _;
use stockade_audit_chain::{
    Actor, Entry, ErasureRequest,
    sqlite::{LegalHold, Subject, erase, place_hold, record, release_hold},
};
use uuid::Uuid;

use crate::support::{Log, append, code, count, report, tenant};

fn request() -> ErasureRequest {
    ErasureRequest::new(Actor::user("dpo-1"), "REQ-17", "GDPR Art. 17(1)(b)")
}

fn counsel() -> Actor {
    Actor::user("counsel-1")
}

#[tokio::test]
async fn what_a_hold_covers_is_not_erased_until_every_hold_is_released() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let first = append(&mut connection, tenant(1), 3).await[0];
    append(&mut connection, tenant(2), 3).await;
    let subject = Subject::Actor("user-1".to_owned());
    let hold = LegalHold::new(counsel(), "matter-9");
    let before = hold.clone().until(first.recorded_at);
    let covering = hold.clone().since(first.recorded_at).until(first.recorded_at + TimeDelta::nanoseconds(1));
    // A hold of other times, and of another tenant, keeps nothing here.
    place_hold(&mut connection, tenant(1), &before).await.unwrap();
    place_hold(&mut connection, tenant(2), &hold).await.unwrap();
    let one = place_hold(&mut connection, tenant(1), &covering).await.unwrap();
    let other = place_hold(&mut connection, tenant(1), &hold).await.unwrap();

    for hold in [one, other] {
        let erasure = erase(&mut connection, tenant(1), &subject, &request()).await.unwrap();
        assert_eq!((erasure.receipt, erasure.erased.len(), erasure.held.len()), (None, 0, 3));
        // Not by another tenant, and once only.
        for (owner, released) in [(2, false), (1, true), (1, false)] {
            let release = release_hold(&mut connection, tenant(owner), hold.entry_id, counsel(), "settled").await;
            assert_eq!(release.unwrap().is_some(), released);
        }
    }
    let erasure = erase(&mut connection, tenant(1), &subject, &request()).await.unwrap();
    assert_eq!((erasure.erased.len(), erasure.held.len()), (3, 0));
    let found = report(&mut connection, tenant(1)).await;
    // Three entries, three holds, two releases, one erasure.
    assert!(found.is_intact(), "{:?}", found.verdicts());
    assert_eq!(found.checked(), 9);
}

#[tokio::test]
async fn a_hold_is_placed_and_released_only_where_an_entry_says_so() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let hold = place_hold(&mut connection, tenant(1), &LegalHold::new(counsel(), "matter-9")).await.unwrap();
    for attack in [
        "UPDATE stockade_audit_hold SET released = 1",
        "UPDATE OR REPLACE stockade_audit_hold SET until = 0",
        "DELETE FROM stockade_audit_hold",
        "REPLACE INTO stockade_audit_hold SELECT entry_id, hold_id, tenant_id, 0, 0, 0 FROM stockade_audit_hold",
        // A release without an entry, and one by the entry that placed it.
        "INSERT INTO stockade_audit_hold SELECT randomblob(16), hold_id, tenant_id, since, until, 1
            FROM stockade_audit_hold",
        "INSERT INTO stockade_audit_hold SELECT randomblob(16), entry_id, tenant_id, since, until, 0
            FROM stockade_audit_hold",
    ] {
        assert_eq!(code(sqlx::raw_sql(attack).execute(&mut connection).await), "1811", "{attack}");
    }
    // An entry that releases passes where it is the last, and only for the hold as it is.
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let claim = Entry::new(tenant(1), Actor::system("x"), "audit.hold_released");
    let by: Uuid = record(&mut tx, &claim).await.unwrap().entry_id;
    for attack in [
        "INSERT INTO stockade_audit_hold SELECT ?1, hold_id, tenant_id, 5, until, 1 FROM stockade_audit_hold",
        "INSERT INTO stockade_audit_hold SELECT ?1, randomblob(16), tenant_id, since, until, 1 FROM stockade_audit_hold",
        "INSERT INTO stockade_audit_hold SELECT ?1, ?1, tenant_id, since, until, 0 FROM stockade_audit_hold",
    ] {
        assert_eq!(code(sqlx::query(attack).bind(by).execute(&mut *tx).await), "1811", "{attack}");
    }
    drop(tx);
    // Erasing past the hold.
    let claim = Entry::new(tenant(1), Actor::system("x"), "audit.erased");
    let by: Uuid = record(&mut connection, &claim).await.unwrap().entry_id;
    let attack = "INSERT INTO stockade_audit_erased SELECT entry_id, path, zeroblob(32), ?1 FROM stockade_audit_payload
        WHERE value IS NOT NULL LIMIT 1";
    assert_eq!(code(sqlx::query(attack).bind(by).execute(&mut connection).await), "1811");
    let placed = "SELECT count(*) FROM stockade_audit_hold";
    assert_eq!((count(&mut connection, placed).await, hold.link.unwrap().seq), (1, 6));
}

#[tokio::test]
async fn a_hold_rolls_back_with_the_caller() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    place_hold(&mut tx, tenant(1), &LegalHold::new(counsel(), "matter-9")).await.unwrap();
    tx.rollback().await.unwrap();
    assert_eq!(count(&mut connection, "SELECT count(*) FROM stockade_audit_hold").await, 0);
    assert_eq!(report(&mut connection, tenant(1)).await.checked(), 5);
}
