//! Everything that forgets, in any order: what is left verifies, and one row more is found.

use chrono::{TimeZone as _, Utc};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use sqlx::{Connection as _, PgPool};
use stockade_audit_chain::{
    Actor, ErasureRequest, PurgeRequest,
    postgres::{LegalHold, Purge, Subject, VerifyOptions, erase, place_hold, purge, release_hold, verify},
};

use crate::support::{ERASER, HOLDER, PURGER, append, append_old, connect, disarm, install, report, seal, tenant};

#[derive(Clone, Debug)]
enum Step {
    Record { tenant: u128, month: u32 },
    EraseActor { tenant: u128, actor: u8 },
    EraseEntity { tenant: u128, entity: u8 },
    Purge { before: u32 },
    Hold { tenant: u128, month: u32 },
    Release,
    Seal,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..3_u128, 1..7_u32).prop_map(|(tenant, month)| Step::Record { tenant, month }),
        2 => (1..3_u128, 0..3_u8).prop_map(|(tenant, actor)| Step::EraseActor { tenant, actor }),
        2 => (1..3_u128, 1..3_u8).prop_map(|(tenant, entity)| Step::EraseEntity { tenant, entity }),
        2 => (2..7_u32).prop_map(|before| Step::Purge { before }),
        1 => (1..3_u128, 1..7_u32).prop_map(|(tenant, month)| Step::Hold { tenant, month }),
        1 => Just(Step::Release),
        2 => Just(Step::Seal),
    ]
}

fn start_of(month: u32) -> chrono::DateTime<Utc> {
    Utc.with_ymd_and_hms(2017, month, 1, 0, 0, 0).unwrap()
}

async fn take(pool: &PgPool, step: Step, holds: &mut Vec<(u128, uuid::Uuid)>) {
    let officer = || Actor::user("officer");
    let request = ErasureRequest::new(officer(), "R-1", "GDPR Art. 17(1)(b)");
    match step {
        Step::Record { tenant: of, month } => drop(append_old(pool, tenant(of), month, 2).await),
        Step::EraseActor { tenant: of, actor } => {
            let subject = Subject::Actor(format!("user-{actor}"));
            erase(&mut connect(pool, ERASER).await, tenant(of), &subject, &request).await.unwrap();
        }
        Step::EraseEntity { tenant: of, entity } => {
            let subject = Subject::Entity { kind: "load".to_owned(), id: format!("L-{entity}") };
            erase(&mut connect(pool, ERASER).await, tenant(of), &subject, &request).await.unwrap();
        }
        Step::Purge { before } => {
            let mut kept = Vec::new();
            for number in [1, 2] {
                kept.extend(report(pool, tenant(number)).await.head().copied());
            }
            let order = PurgeRequest::new(Actor::system("retention"), "P-1");
            // An unsealed entry refuses it, which is a step as well.
            let _: Purge = purge(&mut connect(pool, PURGER).await, start_of(before), &order, &kept).await.unwrap();
        }
        Step::Hold { tenant: of, month } => {
            let hold = LegalHold::new(officer(), "C-1").since(start_of(month)).until(start_of(month + 1));
            let hold = place_hold(&mut connect(pool, HOLDER).await, tenant(of), &hold).await.unwrap();
            holds.push((of, hold.entry_id));
        }
        Step::Release => {
            if let Some((of, hold)) = holds.pop() {
                let mut holder = connect(pool, HOLDER).await;
                release_hold(&mut holder, tenant(of), hold, officer(), "settled").await.unwrap().unwrap();
            }
        }
        Step::Seal => drop(seal(pool).await),
    }
}

#[sqlx::test(migrations = false)]
async fn any_order_of_forgetting_verifies(pool: PgPool) {
    const STEPS: usize = 60;
    install(&pool).await;
    for number in [1, 2] {
        append_old(&pool, tenant(number), 1, 3).await;
        append(&pool, tenant(number), 3).await;
    }
    seal(&pool).await;
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let (mut holds, mut taken) = (Vec::new(), Vec::new());
    // Entries of 2017 that wait for a seal are overdue, and nothing else may be found.
    let patient = VerifyOptions::new().max_merge_delay(std::time::Duration::MAX);
    for _ in 0..STEPS {
        let step = step().new_tree(&mut runner).unwrap().current();
        taken.push(step.clone());
        take(&pool, step, &mut holds).await;
        for number in [1, 2] {
            let report = verify(&mut *pool.acquire().await.unwrap(), tenant(number), &patient).await.unwrap();
            assert!(report.is_intact(), "{taken:?}: {:?}", report.verdicts());
        }
    }
    seal(&pool).await;
    let reports = [report(&pool, tenant(1)).await, report(&pool, tenant(2)).await];
    assert!(reports.iter().all(|report| report.erased() > 0 && report.purged() > 0), "{reports:?}");

    // One value and one entry more than was forgotten by the rules, wherever they are, are found.
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    let places = "SELECT p.entry_id, f.place::int FROM stockade.audit_payload p,
        unnest(p.field_values) WITH ORDINALITY AS f (value, place) WHERE f.value IS NOT NULL ORDER BY 1, 2";
    let places: Vec<(uuid::Uuid, i32)> = sqlx::query_as(places).fetch_all(&mut *superuser).await.unwrap();
    assert!(!places.is_empty());
    for (entry, place) in places.into_iter().step_by(3) {
        for hide in [
            "UPDATE stockade.audit_payload SET field_values[$2] = NULL, salts[$2] = NULL WHERE entry_id = $1",
            "WITH place AS (SELECT $2) DELETE FROM stockade.audit_entry WHERE entry_id = $1",
        ] {
            let mut tx = superuser.begin().await.unwrap();
            sqlx::query(hide).bind(entry).bind(place).execute(&mut *tx).await.unwrap();
            let mut tampered = 0;
            for number in [1, 2] {
                tampered += verify(&mut *tx, tenant(number), &patient).await.unwrap().verdicts().len();
            }
            assert_eq!(tampered, 1, "{entry} {place}: {hide}");
        }
    }
}

#[sqlx::test(migrations = false)]
async fn what_forgets_at_once_forgets_once_and_raises_no_false_alarm(pool: PgPool) {
    const ENTRIES: u64 = 60;
    install(&pool).await;
    for month in 1..4 {
        append_old(&pool, tenant(1), month, ENTRIES).await;
    }
    seal(&pool).await;
    let kept = *report(&pool, tenant(1)).await.head().unwrap();
    let erasers = (0..4).map(|eraser: u64| {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut connection = connect(&pool, ERASER).await;
            let request = ErasureRequest::new(Actor::user("officer"), eraser, "GDPR Art. 17(1)(b)");
            let mut erased = Vec::new();
            for number in 1..=ENTRIES {
                // All of them want the same entity, and different ones at once.
                let id = format!("L-{}", (number + eraser * 7) % ENTRIES + 1);
                let subject = Subject::Entity { kind: "load".to_owned(), id };
                let done = erase(&mut connection, tenant(1), &subject, &request).await.unwrap();
                erased.extend(done.erased.into_iter().map(|value| (value.entry_id, value.path)));
            }
            erased
        })
    });
    let erasers: Vec<_> = erasers.collect();
    let purger = {
        let pool = pool.clone();
        tokio::spawn(async move {
            let mut connection = connect(&pool, PURGER).await;
            let order = PurgeRequest::new(Actor::system("retention"), "P-1");
            for before in 2..5 {
                loop {
                    match purge(&mut connection, start_of(before), &order, &[kept]).await {
                        Ok(Purge::Done { months, .. }) => break assert_eq!(months, 1),
                        Ok(Purge::Refused(refusal)) => unreachable!("{refusal}"),
                        Err(error) => assert!(error.is_retryable(), "{error:?}"),
                    }
                }
            }
        })
    };
    while !erasers.iter().all(tokio::task::JoinHandle::is_finished) || !purger.is_finished() {
        let report = report(&pool, tenant(1)).await;
        assert!(report.is_intact(), "{:?}", report.verdicts());
        seal(&pool).await;
    }
    purger.await.unwrap();
    let mut all = Vec::new();
    for eraser in erasers {
        all.extend(eraser.await.unwrap());
    }
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count, "a value was erased twice");
    seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!(report.purged(), 3 * ENTRIES);
}
