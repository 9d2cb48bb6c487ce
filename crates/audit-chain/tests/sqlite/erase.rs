//! Forgetting, and those who would use it to hide a change.

use sqlx::{Connection as _, SqliteConnection};
use stockade_audit_chain::{
    Actor, Entry, ErasureRequest, Finding,
    sqlite::{Filter, Subject, VerifyOptions, erase, record, search, verify},
};
use uuid::Uuid;

use crate::support::{Log, append, code, count, disarm, entry, findings, report, tenant};

fn request() -> ErasureRequest {
    ErasureRequest::new(Actor::user("dpo-1"), "REQ-17", "GDPR Art. 17(1)(b)").subject("user-1")
}

async fn values_left(connection: &mut SqliteConnection) -> i64 {
    count(connection, "SELECT count(*) FROM stockade_audit_payload WHERE value IS NOT NULL").await
}

#[tokio::test]
async fn forgets_an_actor_or_an_entity_and_everything_still_verifies() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    append(&mut connection, tenant(2), 5).await;
    let kept = *report(&mut connection, tenant(1)).await.head().unwrap();

    // Entries 1 and 4 are user-1's: name, address and user agent of each.
    let actor = Subject::Actor("user-1".to_owned());
    let erasure = erase(&mut connection, tenant(1), &actor, &request()).await.unwrap();
    assert_eq!((erasure.erased.len(), erasure.altered.len()), (6, 0));
    assert_eq!(erasure.receipt.unwrap().link.unwrap().seq, 6);
    let entity = Subject::Entity { kind: "load".to_owned(), id: "L-3".to_owned() };
    let erasure = erase(&mut connection, tenant(1), &entity, &request()).await.unwrap();
    assert_eq!(
        erasure.erased.iter().map(|value| value.path.as_str()).collect::<Vec<_>>(),
        ["after/driver/ssn", "before/driver/ssn"]
    );
    let one = Subject::Values(vec![(erasure.erased[0].entry_id, "request/ip".to_owned())]);
    assert_eq!(erase(&mut connection, tenant(1), &one, &request()).await.unwrap().erased.len(), 1);

    let found = verify(&mut connection, tenant(1), &VerifyOptions::new().kept_head(kept)).await.unwrap();
    assert!(found.is_intact(), "{:?}", found.verdicts());
    assert_eq!((found.checked(), found.erased()), (8, 9));
    let rows = search(&mut connection, &Filter::new(tenant(1)).actor("user-1")).await.unwrap().rows;
    assert!(rows.iter().all(|row| row.actor_name.is_none() && row.ip.is_none() && row.user_agent.is_none()));
    assert!(rows.iter().all(|row| row.after.as_ref().unwrap().pointer("/driver/ssn").unwrap() == "219-09-9999"));

    // The other tenant's are all there. What is gone cannot go again, and says nothing.
    assert_eq!(report(&mut connection, tenant(2)).await.erased(), 0);
    let again = erase(&mut connection, tenant(1), &actor, &request()).await.unwrap();
    assert_eq!((again.receipt, again.erased.len()), (None, 0));
    let foreign = Subject::Values(vec![(erasure.erased[0].entry_id, "request/user_agent".to_owned())]);
    assert_eq!(erase(&mut connection, tenant(2), &foreign, &request()).await.unwrap().erased, []);
}

#[tokio::test]
async fn commits_and_rolls_back_with_the_caller() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let before = values_left(&mut connection).await;
    for (commit, entries) in [(false, 5), (true, 6)] {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
        erase(&mut tx, tenant(1), &Subject::Actor("user-1".to_owned()), &request()).await.unwrap();
        let end = if commit { tx.commit().await } else { tx.rollback().await };
        end.unwrap();
        let found = report(&mut connection, tenant(1)).await;
        assert!(found.is_intact(), "{:?}", found.verdicts());
        assert_eq!((found.checked(), found.erased()), (entries, if commit { 6 } else { 0 }));
    }
    assert_eq!(values_left(&mut connection).await, before - 6);
}

#[tokio::test]
async fn a_value_goes_only_where_an_erasure_says_so() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let attacks = [
        "UPDATE stockade_audit_payload SET value = NULL, salt = NULL",
        "UPDATE stockade_audit_payload SET value = x'00' WHERE value IS NULL",
        // Without an entry that says so, with an entry that says something else, with one of the past.
        "INSERT INTO stockade_audit_erased SELECT entry_id, path, zeroblob(32), randomblob(16)
            FROM stockade_audit_payload LIMIT 1",
        "INSERT INTO stockade_audit_erased SELECT p.entry_id, p.path, zeroblob(32), l.entry_id
            FROM stockade_audit_payload p, stockade_audit_link l WHERE l.seq = 5 LIMIT 1",
        "INSERT INTO stockade_audit_erased SELECT p.entry_id, p.path, zeroblob(32), e.entry_id
            FROM stockade_audit_payload p, stockade_audit_entry e
            WHERE e.action = 'audit.erased' AND p.value IS NOT NULL LIMIT 1",
        "REPLACE INTO stockade_audit_erased SELECT * FROM stockade_audit_erased",
        "UPDATE stockade_audit_erased SET erased_by = randomblob(16)",
        "DELETE FROM stockade_audit_erased",
        "UPDATE stockade_audit_payload SET value = x'00', salt = zeroblob(32) WHERE value IS NULL",
        "DELETE FROM stockade_audit_payload WHERE value IS NULL",
    ];
    let actor = Subject::Actor("user-1".to_owned());
    erase(&mut connection, tenant(1), &actor, &request()).await.unwrap();
    record(&mut connection, &entry(tenant(1), 6)).await.unwrap();
    let before = values_left(&mut connection).await;
    for attack in attacks {
        assert_eq!(code(sqlx::raw_sql(attack).execute(&mut connection).await), "1811", "{attack}");
    }
    assert_eq!(values_left(&mut connection).await, before);
    // Another tenant's erasure covers nothing here.
    let foreign = Entry::new(tenant(2), Actor::system("x"), "audit.erased");
    let by = record(&mut connection, &foreign).await.unwrap().entry_id;
    let attack = "INSERT INTO stockade_audit_erased SELECT entry_id, path, zeroblob(32), ?1 FROM stockade_audit_payload
        WHERE value IS NOT NULL LIMIT 1";
    assert_eq!(code(sqlx::query(attack).bind(by).execute(&mut connection).await), "1811");
}

/// What the triggers let pass, because they cannot hash: somebody with SQL records an entry that
/// claims to be an erasure, and erases in its name. The root tells.
#[tokio::test]
async fn an_erasure_that_does_not_state_its_list_is_forged() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let claim = Entry::new(tenant(1), Actor::system("x"), "audit.erased");
    let by: Uuid = record(&mut connection, &claim).await.unwrap().entry_id;
    let attack = "INSERT INTO stockade_audit_erased SELECT entry_id, path, zeroblob(32), ?1 FROM stockade_audit_payload
        WHERE path = 'request/ip' AND entry_id = (SELECT entry_id FROM stockade_audit_link WHERE seq = 3)";
    sqlx::query(attack).bind(by).execute(&mut connection).await.unwrap();
    let found = findings(&report(&mut connection, tenant(1)).await);
    let missing = (Some(3), Finding::PersonalMissing { path: "request/ip".to_owned() });
    assert!(found.contains(&missing) && found.contains(&(Some(6), Finding::ForgedErasure)), "{found:?}");
}

#[tokio::test]
async fn what_was_altered_is_not_erased_but_named() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    let alter = "DROP TRIGGER stockade_audit_payload_updates;
        UPDATE stockade_audit_payload SET value = x'00' WHERE path = 'request/ip'
            AND entry_id = (SELECT entry_id FROM stockade_audit_link WHERE seq = 1)";
    sqlx::raw_sql(alter).execute(&mut connection).await.unwrap();
    let actor = Subject::Actor("user-1".to_owned());
    let erasure = erase(&mut connection, tenant(1), &actor, &request()).await.unwrap();
    assert_eq!((erasure.erased.len(), erasure.altered.len()), (5, 1));
    let found = findings(&report(&mut connection, tenant(1)).await);
    assert_eq!(found, [(Some(1), Finding::PersonalAltered { path: "request/ip".to_owned() })]);

    // An entry with a value too many, and one that is not what was sealed: nothing of them goes.
    disarm(&mut connection).await;
    let alter = "
        INSERT INTO stockade_audit_payload SELECT entry_id, 'after/new', x'00', zeroblob(32) FROM stockade_audit_link
            WHERE seq = 2;
        UPDATE stockade_audit_entry SET action = 'x' WHERE entity_id = 'L-5'";
    sqlx::raw_sql(alter).execute(&mut connection).await.unwrap();
    let actor = Subject::Actor("user-2".to_owned());
    let erasure = erase(&mut connection, tenant(1), &actor, &request()).await.unwrap();
    assert_eq!((erasure.receipt, erasure.erased.len(), erasure.altered.len()), (None, 0, 6));
}

#[tokio::test]
async fn evidence_that_was_tampered_with_covers_nothing() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    erase(&mut connection, tenant(1), &Subject::Actor("user-1".to_owned()), &request()).await.unwrap();
    disarm(&mut connection).await;
    for forgery in [
        "DELETE FROM stockade_audit_erased",
        "DELETE FROM stockade_audit_erased WHERE rowid = 2",
        "UPDATE stockade_audit_erased SET commitment = zeroblob(32) WHERE rowid = 2",
        "UPDATE stockade_audit_erased SET path = 'after/driver/ssn' WHERE rowid = 2",
        "UPDATE stockade_audit_erased SET erased_by = (SELECT entry_id FROM stockade_audit_link WHERE seq = 5)",
        "INSERT INTO stockade_audit_erased SELECT entry_id, 'after/driver/ssn', commitment, erased_by
            FROM stockade_audit_erased LIMIT 1",
        "DELETE FROM stockade_audit_entry WHERE action = 'audit.erased'",
        "UPDATE stockade_audit_entry SET after = replace(after, 'REQ-17', 'REQ-18') WHERE action = 'audit.erased'",
        "DELETE FROM stockade_audit_link WHERE seq = 6",
    ] {
        let mut tx = connection.begin().await.unwrap();
        sqlx::raw_sql(forgery).execute(&mut *tx).await.unwrap();
        let found = report(&mut tx, tenant(1)).await;
        assert!(!found.is_intact(), "not found: {forgery}");
        assert_eq!(found.erased(), 0, "{forgery}");
    }
    assert!(report(&mut connection, tenant(1)).await.is_intact());
}
