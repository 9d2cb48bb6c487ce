//! Purging, and those who would use it to hide a deletion.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{Connection as _, SqliteConnection};
use stockade_audit_chain::{
    Actor, Entry, ErasureRequest, ErrorKind, Finding, Head, PurgeRequest,
    sqlite::{
        Filter, LegalHold, Purge, PurgeRefusal, Subject, erase, lengthen_retention, place_hold, purge, record,
        record_at, release_hold, search,
    },
};
use uuid::Uuid;

use crate::support::{Log, append, code, count, disarm, entry, findings, report, tenant};

fn years(years: i64) -> DateTime<Utc> {
    Utc::now() - TimeDelta::days(years * 366)
}

fn request() -> PurgeRequest {
    PurgeRequest::new(Actor::system("retention"), "JOB-3")
}

/// Four entries of nine years ago, three of eight years ago, two of today.
async fn old_log() -> (Log, SqliteConnection, Head) {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    for number in 1..=7 {
        let time = years(if number < 5 { 9 } else { 8 });
        record_at(&mut connection, &entry(tenant(1), number), time).await.unwrap();
    }
    append(&mut connection, tenant(1), 2).await;
    append(&mut connection, tenant(2), 2).await;
    let head = *report(&mut connection, tenant(1)).await.head().unwrap();
    (log, connection, head)
}

async fn before(connection: &mut SqliteConnection, moment: DateTime<Utc>, kept: &Head) -> Purge {
    purge(connection, tenant(1), moment, &request(), kept).await.unwrap()
}

fn ranges(purge: &Purge) -> Vec<(u64, u64)> {
    let Purge::Done(Some(done)) = purge else { return Vec::new() };
    done.ranges.iter().map(|range| (range.first, range.last)).collect()
}

#[tokio::test]
async fn purges_what_is_old_and_everything_still_verifies() {
    let (_log, mut connection, head) = old_log().await;
    assert_eq!(ranges(&before(&mut connection, years(8) - TimeDelta::days(30), &head).await), [(1, 4)]);
    assert_eq!(ranges(&before(&mut connection, years(8) + TimeDelta::days(30), &head).await), [(5, 7)]);
    assert_eq!(before(&mut connection, years(8) + TimeDelta::days(30), &head).await, Purge::Done(None));
    let found = report(&mut connection, tenant(1)).await;
    assert!(found.is_intact(), "{:?}", found.verdicts());
    assert_eq!((found.checked(), found.purged()), (11, 7));
    assert_eq!(search(&mut connection, &Filter::new(tenant(1))).await.unwrap().rows.len(), 4);
    // Their values are gone too, and the other tenant's are there.
    assert_eq!(count(&mut connection, "SELECT count(*) FROM stockade_audit_payload").await, 4 * 5);
    assert!(report(&mut connection, tenant(2)).await.is_intact());
    append(&mut connection, tenant(1), 1).await;
    assert_eq!(report(&mut connection, tenant(1)).await.checked(), 12);
}

#[tokio::test]
async fn refuses_what_the_rules_keep() {
    let (_log, mut connection, head) = old_log().await;
    let moment = years(8) + TimeDelta::days(30);
    let refused = |refusal| Purge::Refused(refusal);
    assert_eq!(before(&mut connection, years(6), &head).await, refused(PurgeRefusal::BelowFloor));
    // A head that does not reach, of another history, of another tenant.
    let other = *report(&mut connection, tenant(2)).await.head().unwrap();
    let elsewhere = Head { chain: Uuid::from_u128(5).into(), ..head };
    let sixth = "SELECT hash FROM stockade_audit_link WHERE seq = 6";
    let sixth: Vec<u8> = sqlx::query_scalar(sixth).fetch_one(&mut connection).await.unwrap();
    let earlier = Head { seq: 6, hash: sixth.as_slice().try_into().unwrap(), ..head };
    for kept in [earlier, Head { hash: other.hash, ..head }, elsewhere, other] {
        assert_eq!(before(&mut connection, moment, &kept).await, refused(PurgeRefusal::Uncovered));
    }
    // The floor only rises.
    assert_eq!(
        lengthen_retention(&mut connection, 84.try_into().unwrap()).await.unwrap_err().kind(),
        ErrorKind::Refused
    );
    lengthen_retention(&mut connection, 100.try_into().unwrap()).await.unwrap();
    assert_eq!(before(&mut connection, moment, &head).await, refused(PurgeRefusal::BelowFloor));
    assert_eq!(ranges(&before(&mut connection, years(9) + TimeDelta::days(30), &head).await), [(1, 4)]);
    assert!(report(&mut connection, tenant(1)).await.is_intact());

    // Somebody was here before.
    disarm(&mut connection).await;
    let removed = "DELETE FROM stockade_audit_entry WHERE entity_id = 'L-6';
        DELETE FROM stockade_audit_retention WHERE months > 84";
    sqlx::raw_sql("DROP TRIGGER stockade_audit_retention_deletes").execute(&mut connection).await.unwrap();
    sqlx::raw_sql(removed).execute(&mut connection).await.unwrap();
    assert_eq!(before(&mut connection, moment, &head).await, refused(PurgeRefusal::Incomplete));
    let loose = "DELETE FROM stockade_audit_link WHERE seq = 5";
    sqlx::raw_sql(loose).execute(&mut connection).await.unwrap();
    assert_eq!(before(&mut connection, moment, &head).await, refused(PurgeRefusal::Unsealed));
}

#[tokio::test]
async fn holds_erasures_and_purges_in_any_order_verify() {
    let (_log, mut connection, head) = old_log().await;
    let subject = Subject::Actor("user-1".to_owned());
    let erasing = ErasureRequest::new(Actor::user("dpo-1"), "REQ-17", "GDPR Art. 17(1)(b)");
    let moment = years(8) + TimeDelta::days(30);
    erase(&mut connection, tenant(1), &subject, &erasing).await.unwrap();
    let hold = LegalHold::new(Actor::user("counsel-1"), "matter-9").since(years(8) - TimeDelta::days(30));
    let hold = place_hold(&mut connection, tenant(1), &hold).await.unwrap();
    assert_eq!(ranges(&before(&mut connection, moment, &head).await), [(1, 4)]);
    release_hold(&mut connection, tenant(1), hold.entry_id, Actor::user("counsel-1"), "settled").await.unwrap();
    erase(&mut connection, tenant(1), &Subject::Actor("user-2".to_owned()), &erasing).await.unwrap();
    assert_eq!(ranges(&before(&mut connection, moment, &head).await), [(5, 7)]);
    let found = report(&mut connection, tenant(1)).await;
    assert!(found.is_intact(), "{:?}", found.verdicts());
    assert_eq!(found.purged(), 7);
}

#[tokio::test]
async fn an_entry_goes_only_where_a_purge_says_so() {
    let (_log, mut connection, head) = old_log().await;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let claim = Entry::new(tenant(1), Actor::system("x"), "audit.purged");
    let by: Uuid = record(&mut tx, &claim).await.unwrap().entry_id;
    macro_rules! range {
        ($first:literal, $last:literal, $after:literal) => {
            concat!(
                "INSERT INTO stockade_audit_purged SELECT f.tenant_id, f.seq, l.seq, f.prev, ",
                $after,
                ", ?1 FROM stockade_audit_link f JOIN stockade_audit_link l USING (tenant_id) WHERE f.seq = ",
                $first,
                " AND l.seq = ",
                $last
            )
        };
    }
    // Under a hold.
    let mut held = tx.begin().await.unwrap();
    let hold = LegalHold::new(Actor::user("counsel-1"), "matter-9").until(years(9) + TimeDelta::days(30));
    place_hold(&mut held, tenant(1), &hold).await.unwrap();
    let again: Uuid = record(&mut held, &claim).await.unwrap().entry_id;
    let attack = range!(4, 5, "l.hash");
    assert_eq!(code(sqlx::query(attack).bind(again).execute(&mut *held).await), "1811");
    sqlx::query(range!(5, 6, "l.hash")).bind(again).execute(&mut *held).await.unwrap();
    held.rollback().await.unwrap();
    // Too young, the wrong border, into the future, the claim itself.
    for attack in [range!(8, 9, "l.hash"), range!(1, 8, "l.hash"), range!(1, 3, "f.hash"), range!(9, 10, "l.hash")] {
        assert_eq!(code(sqlx::query(attack).bind(by).execute(&mut *tx).await), "1811", "{attack}");
    }
    // What the triggers let pass, because they cannot hash: the root tells.
    sqlx::query(range!(1, 3, "l.hash")).bind(by).execute(&mut *tx).await.unwrap();
    assert_eq!(code(sqlx::query(range!(3, 4, "l.hash")).bind(by).execute(&mut *tx).await), "1811");
    let found = findings(&report(&mut tx, tenant(1)).await);
    assert!(found.contains(&(Some(10), Finding::ForgedPurge)), "{found:?}");
    assert!(found.iter().any(|(_, finding)| *finding == Finding::EntryMissing), "{found:?}");
    drop(tx);

    assert_eq!(ranges(&before(&mut connection, years(9) + TimeDelta::days(30), &head).await), [(1, 4)]);
    let purged = "SELECT entry_id FROM stockade_audit_link WHERE seq = 2";
    let id: Uuid = sqlx::query_scalar(purged).fetch_one(&mut connection).await.unwrap();
    for attack in [
        // An entry in the place of a purged one.
        "INSERT INTO stockade_audit_entry SELECT ?1, tenant_id, format, recorded_at, occurred_at, action, severity, outcome,
            actor_kind, actor_id, actor_role, on_behalf_of, impersonation, entity_type, entity_id, method, endpoint,
            status, request_id, before, after, changes, commitments, leaf FROM stockade_audit_entry LIMIT 1",
        "REPLACE INTO stockade_audit_purged SELECT tenant_id, first_seq, 9, before, after, ?1 FROM stockade_audit_purged",
        "UPDATE stockade_audit_purged SET last_seq = 9 WHERE purged_by <> ?1",
        "DELETE FROM stockade_audit_purged WHERE purged_by <> ?1",
        "DELETE FROM stockade_audit_entry WHERE entry_id <> ?1",
        "UPDATE stockade_audit_retention SET months = 85 WHERE months <> ?1",
        "REPLACE INTO stockade_audit_retention SELECT 84 WHERE 1 <> ?1",
        "DELETE FROM stockade_audit_retention WHERE months <> ?1",
    ] {
        assert_eq!(code(sqlx::query(attack).bind(id).execute(&mut connection).await), "1811", "{attack}");
    }
    assert!(report(&mut connection, tenant(1)).await.is_intact());
}
