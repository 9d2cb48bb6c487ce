//! Purging old months, and attacks on the way to do it.

use std::num::NonZeroU32;

use chrono::{DateTime, Months, TimeZone as _, Utc};
use sqlx::PgPool;
use stockade_audit_chain::{
    Actor, Conclusion, Digest, ErrorKind, Finding, Head, PurgeRequest,
    postgres::{
        IncrementalVerifier, LegalHold, Purge, PurgeRefusal, Subject, VerifyOptions, erase, lengthen_retention,
        place_hold, purge, release_hold, verify,
    },
};

use crate::support::{
    APP, ERASER, HOLDER, PURGER, SEALER, append, append_old, connect, disarm, findings, install, report, scope, seal,
    sqlstate, tenant,
};

fn order() -> PurgeRequest {
    PurgeRequest::new(Actor::system("retention"), "P-1")
}

fn month(number: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2017, number, 1, 0, 0, 0).unwrap()
}

async fn heads(pool: &PgPool) -> Vec<Head> {
    let mut heads = Vec::new();
    for number in [1, 2] {
        heads.extend(report(pool, tenant(number)).await.head().copied());
    }
    heads
}

async fn purged(pool: &PgPool, before: DateTime<Utc>, kept: &[Head]) -> Purge {
    purge(&mut connect(pool, PURGER).await, before, &order(), kept).await.unwrap()
}

/// Two tenants with entries in January, March and April of 2017 and now, all sealed.
async fn log(pool: &PgPool) -> Vec<Head> {
    install(pool).await;
    for (number, count) in [(1, 3), (2, 2)] {
        for month in [1, 3, 4] {
            append_old(pool, tenant(number), month, count).await;
            seal(pool).await;
        }
        append(pool, tenant(number), 2).await;
    }
    seal(pool).await;
    heads(pool).await
}

#[sqlx::test(migrations = false)]
async fn months_are_gone_and_the_log_verifies(pool: PgPool) {
    let kept = log(&pool).await;
    let Purge::Done { months, tenants } = purged(&pool, month(4), &kept).await else { unreachable!() };
    assert_eq!((months, tenants.len()), (2, 2));
    let range = tenants[0].ranges[0];
    assert_eq!((tenants[0].tenant, tenants[0].ranges.len(), range.first, range.last), (tenant(1), 1, 1, 6));
    for sealed in [false, true] {
        if sealed {
            assert_eq!(seal(&pool).await.entries, 2);
        }
        for (number, gone, all) in [(1, 6, 11), (2, 4, 8)] {
            let report = report(&pool, tenant(number)).await;
            assert!(report.is_intact(), "{:?}", report.verdicts());
            assert_eq!((report.purged(), report.checked()), (gone, all + u64::from(sealed)));
        }
    }
    let left: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM stockade.audit_payload WHERE entry_id < stockade.audit_id_at('2017-04-01Z')",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(left, 0);
    // A head that was kept before the purge is still part of the chain.
    let options = VerifyOptions::new().kept_head(kept[0]);
    assert!(verify(&mut connect(&pool, SEALER).await, tenant(1), &options).await.unwrap().is_intact());
    // Nothing is left to purge, and nothing is recorded for it.
    assert_eq!(purged(&pool, month(4), &kept).await, Purge::Done { months: 0, tenants: vec![] });
    assert_eq!(seal(&pool).await.entries, 0);
}

#[sqlx::test(migrations = false)]
async fn each_rule_refuses(pool: PgPool) {
    let kept = log(&pool).await;
    let refused = |before, kept: Vec<Head>| {
        let pool = pool.clone();
        async move {
            match purged(&pool, before, &kept).await {
                Purge::Refused(refusal) => refusal,
                Purge::Done { .. } => unreachable!("not refused"),
            }
        }
    };
    // The floor is seven years, can be lengthened, and never shortened.
    let floor = Utc::now().checked_sub_months(Months::new(84)).unwrap();
    assert_eq!(refused(floor + chrono::TimeDelta::hours(1), kept.clone()).await, PurgeRefusal::BelowFloor);
    let mut purger = connect(&pool, PURGER).await;
    let months = |months| NonZeroU32::new(months).unwrap();
    for shorter in [12, 84] {
        let error = lengthen_retention(&mut purger, months(shorter)).await.unwrap_err();
        assert!([ErrorKind::Refused, ErrorKind::Database].contains(&error.kind()));
    }
    // No head, one of another tenant, one that is too early, one of another history.
    assert_eq!(refused(month(4), vec![]).await, PurgeRefusal::Uncovered);
    assert_eq!(refused(month(4), vec![kept[0]]).await, PurgeRefusal::Uncovered);
    let early: (i64, Vec<u8>) =
        sqlx::query_as("SELECT seq, hash FROM stockade.audit_link WHERE seq = 5 AND tenant_id = '00000000-0000-0000-0000-000000000001'")
            .fetch_one(&pool)
            .await
            .unwrap();
    let early = Head { seq: early.0.unsigned_abs(), hash: Digest::try_from(&early.1[..]).unwrap(), ..kept[0] };
    assert_eq!(refused(month(4), vec![early, kept[1]]).await, PurgeRefusal::Uncovered);
    let other = Head { hash: Digest::leaf(b"x"), ..kept[0] };
    assert_eq!(refused(month(4), vec![other, kept[1]]).await, PurgeRefusal::Uncovered);
    // An entry that is not sealed, and one that is gone already.
    append_old(&pool, tenant(1), 3, 1).await;
    assert_eq!(refused(month(4), kept.clone()).await, PurgeRefusal::Unsealed);
    seal(&pool).await;
    let kept = heads(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    let hide = "DELETE FROM stockade.audit_entry WHERE entry_id = (SELECT entry_id FROM stockade.audit_link
        WHERE seq = 2 AND tenant_id = '00000000-0000-0000-0000-000000000001')";
    sqlx::raw_sql(hide).execute(&mut *superuser).await.unwrap();
    assert_eq!(refused(month(4), kept.clone()).await, PurgeRefusal::Incomplete);
    lengthen_retention(&mut purger, months(1_200)).await.unwrap();
    assert_eq!(refused(month(4), kept).await, PurgeRefusal::BelowFloor);
    // Nothing was purged by any of this.
    assert_eq!(findings(&report(&pool, tenant(1)).await), [(Some(2), Finding::EntryMissing)]);
    assert!(report(&pool, tenant(2)).await.is_intact());
}

#[sqlx::test(migrations = false)]
async fn a_held_month_stays_whole_until_the_release(pool: PgPool) {
    let kept = log(&pool).await;
    let mut holder = connect(&pool, HOLDER).await;
    let counsel = || Actor::user("counsel");
    let hold = LegalHold::new(counsel(), "C-1").since(month(3)).until(month(4));
    let hold = place_hold(&mut holder, tenant(2), &hold).await.unwrap().entry_id;
    let Purge::Done { months, tenants } = purged(&pool, month(5), &kept).await else { unreachable!() };
    assert_eq!(months, 2);
    // January and April went; March stays between them, for both tenants.
    let ranges: Vec<Vec<_>> =
        tenants.iter().map(|purged| purged.ranges.iter().map(|range| (range.first, range.last)).collect()).collect();
    assert_eq!(ranges, [[(1, 3), (7, 9)], [(1, 2), (5, 6)]]);
    seal(&pool).await;
    assert_eq!(report(&pool, tenant(1)).await.purged(), 6);
    release_hold(&mut holder, tenant(2), hold, counsel(), "settled").await.unwrap().unwrap();
    let Purge::Done { months, .. } = purged(&pool, month(5), &kept).await else { unreachable!() };
    assert_eq!(months, 1);
    seal(&pool).await;
    for (number, gone) in [(1, 9), (2, 6)] {
        let report = report(&pool, tenant(number)).await;
        assert!(report.is_intact(), "{:?}", report.verdicts());
        assert_eq!(report.purged(), gone);
    }
}

#[sqlx::test(migrations = false)]
async fn a_month_whose_numbers_are_not_consecutive_is_purged_as_ranges(pool: PgPool) {
    install(&pool).await;
    // Around a border, the order of recording and of sealing differ.
    for month in [1, 2, 1, 3, 1, 1] {
        append_old(&pool, tenant(1), month, 1).await;
        seal(&pool).await;
    }
    let kept = heads(&pool).await;
    let Purge::Done { tenants, .. } = purged(&pool, month(2), &kept).await else { unreachable!() };
    let ranges: Vec<_> = tenants[0].ranges.iter().map(|range| (range.first, range.last)).collect();
    assert_eq!(ranges, [(1, 1), (3, 3), (5, 6)]);
    seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!(report.purged(), 4);
}

#[sqlx::test(migrations = false)]
async fn only_the_purger_purges_and_only_by_the_function(pool: PgPool) {
    let kept = log(&pool).await;
    for role in [APP, SEALER, ERASER, HOLDER] {
        let refused = purge(&mut connect(&pool, role).await, month(4), &order(), &kept).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Refused, "{role}");
    }
    let mut purger = connect(&pool, PURGER).await;
    for attack in [
        "DROP TABLE stockade.audit_entry_2017_01",
        "ALTER TABLE stockade.audit_entry DETACH PARTITION stockade.audit_entry_2017_01",
        "DELETE FROM stockade.audit_entry_2017_01",
        "SELECT stockade.audit_drop_partition('_2017_01')",
        "SELECT FROM stockade.audit_entry",
        "DELETE FROM stockade.audit_link",
        "INSERT INTO stockade.audit_purged VALUES (gen_random_uuid(), gen_random_uuid(), 1, 2, sha256(''), sha256(''))",
        // Without a statement, for nobody.
        "SELECT stockade.audit_purge('{}', '{}', '{}', '{}', '{}', '{}')",
        "SELECT FROM stockade.audit_purgeable('2017-04-01Z'); SELECT stockade.audit_purge('{}', '{}', '{}', '{}', '{}', '{}')",
        "INSERT INTO stockade.audit_purge_plan (months, lists) VALUES ('{_2017_01}', '{}')",
    ] {
        let mut tx = scope(&mut purger, tenant(1)).await;
        let code = sqlstate(sqlx::raw_sql(attack).execute(&mut *tx).await);
        assert!(["42501", "40001"].contains(&code.as_str()), "{code}: {attack}");
    }
    assert_eq!(report(&pool, tenant(1)).await.conclusion(), Conclusion::Intact);
    assert_eq!(report(&pool, tenant(1)).await.purged(), 0);
}

#[sqlx::test(migrations = false)]
async fn forged_evidence_in_the_tables_is_named(pool: PgPool) {
    let kept = log(&pool).await;
    purged(&pool, month(2), &kept).await;
    let subject = Subject::Actor("user-1".to_owned());
    let request = stockade_audit_chain::ErasureRequest::new(Actor::user("officer"), "R-1", "GDPR Art. 17(1)(b)");
    assert!(erase(&mut connect(&pool, ERASER).await, tenant(1), &subject, &request).await.unwrap().receipt.is_some());
    seal(&pool).await;
    let mut superuser = pool.acquire().await.unwrap();
    let loosen = "
        ALTER TABLE stockade.audit_evidence DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_erased DISABLE TRIGGER USER;
        ALTER TABLE stockade.audit_purged DISABLE TRIGGER USER;";
    disarm(&mut superuser).await;
    sqlx::raw_sql(loosen).execute(&mut *superuser).await.unwrap();
    for (forgery, finding, missing) in [
        ("UPDATE stockade.audit_purged SET last_seq = last_seq + 1", Some(Finding::ForgedPurge), true),
        ("UPDATE stockade.audit_purged SET after = sha256('x')", Some(Finding::ForgedPurge), true),
        ("DELETE FROM stockade.audit_purged", None, true),
        ("DELETE FROM stockade.audit_evidence", None, true),
        ("UPDATE stockade.audit_evidence SET envelope = ''", None, true),
        ("UPDATE stockade.audit_erased SET commitment = sha256('x')", Some(Finding::ForgedErasure), true),
        ("DELETE FROM stockade.audit_erased WHERE path = 'actor/name'", Some(Finding::ForgedErasure), true),
        (
            "DELETE FROM stockade.audit_link WHERE entry_id IN (SELECT entry_id FROM stockade.audit_evidence)",
            None,
            true,
        ),
        // One entry and one value more than was stated.
        ("DELETE FROM stockade.audit_entry WHERE entry_id < stockade.audit_id_at('2017-04-01Z')", None, true),
        ("UPDATE stockade.audit_payload SET field_values[2] = NULL", None, true),
        // What was restored from a copy is no contradiction.
        ("SELECT", None, false),
    ] {
        let mut tx = sqlx::Connection::begin(&mut *superuser).await.unwrap();
        sqlx::raw_sql(forgery).execute(&mut *tx).await.unwrap();
        let report = verify(&mut *tx, tenant(1), &VerifyOptions::default()).await.unwrap();
        let found = findings(&report);
        assert_eq!(!report.is_intact(), missing, "{forgery}: {found:?}");
        if let Some(finding) = finding {
            assert!(found.iter().any(|(_, found)| *found == finding), "{forgery}: {found:?}");
        }
    }
}

/// Links of a purged range are left in every part of the log; where the part begins and ends must not matter.
#[sqlx::test(migrations = false)]
async fn a_part_that_begins_or_ends_inside_a_purged_range_raises_no_false_alarm(pool: PgPool) {
    let kept = log(&pool).await;
    let Purge::Done { tenants, .. } = purged(&pool, month(4), &kept).await else { unreachable!() };
    assert_eq!((tenants[0].ranges[0].first, tenants[0].ranges[0].last), (1, 6));
    seal(&pool).await;
    let mut sealer = connect(&pool, SEALER).await;
    let hashes = "SELECT l.hash FROM stockade.audit_link l WHERE l.tenant_id = $1 AND l.seq = $2";
    for (after, until) in [(0, 3), (2, 4), (2, 6), (3, 99), (5, 5), (6, 7), (0, 99)] {
        let hash = sqlx::query_scalar(hashes).bind(uuid::Uuid::from(tenant(1))).bind(after);
        let hash: Option<Vec<u8>> = hash.fetch_optional(&mut sealer).await.unwrap();
        let genesis = Head::genesis(tenant(1), kept[0].chain);
        let start = hash.map_or(genesis, |hash| Head {
            seq: u64::try_from(after).unwrap(),
            hash: Digest::try_from(hash.as_slice()).unwrap(),
            ..genesis
        });
        let part = VerifyOptions::new().part(start, Some(until));
        let report = verify(&mut sealer, tenant(1), &part).await.unwrap();
        assert!(report.is_intact(), "after {after} until {until}: {:?}", report.verdicts());
        assert_eq!(report.purged(), until.min(6).saturating_sub(start.seq));
    }
    let mut walk = IncrementalVerifier::new(std::num::NonZeroU64::new(2).unwrap(), VerifyOptions::new());
    for _ in 0..24 {
        let report = walk.step(&mut sealer).await.unwrap().unwrap();
        assert!(report.is_intact(), "{:?}", report.verdicts());
    }
}
