//! Verification of a log that nobody touched, and what it must not pass over.

use std::{num::NonZeroUsize, time::Duration};

use chrono::{TimeDelta, Utc};
use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use sqlx::PgPool;
use stockade_audit_chain::{
    Conclusion, ErrorKind, Finding,
    postgres::{Filter, VerifyOptions, record, search, tenants, verify},
};

use crate::{
    entries::any_entry,
    support::{APP, SEALER, append, connect, disarm, findings, install, number, report, scope, seal, tenant},
};

/// `STOCKADE_AUDIT_ENTRIES` entries.
#[sqlx::test(migrations = false)]
async fn no_false_alarm_after_a_round_trip(pool: PgPool) {
    install(&pool).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    let mut runner = TestRunner::deterministic();
    // More than one page.
    let entries = number("STOCKADE_AUDIT_ENTRIES", 300);
    for _ in 0..entries {
        let entry = any_entry().new_tree(&mut runner).unwrap().current();
        record(&mut *tx, &entry).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(seal(&pool).await.entries, entries);
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!((report.checked(), report.unsealed()), (entries, 0));
    // And every one can be shown.
    let page = search(&mut connect(&pool, SEALER).await, &Filter::new(tenant(1)).limit(1000.try_into().unwrap()))
        .await
        .unwrap();
    assert_eq!(page.rows.len() as u64, entries.min(1000));
}

#[sqlx::test(migrations = false)]
async fn a_page_that_is_just_full_is_not_the_last(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 256).await;
    seal(&pool).await;
    assert_eq!(report(&pool, tenant(1)).await.checked(), 256);
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert_eq!((report.checked(), report.is_intact()), (257, true));
}

#[sqlx::test(migrations = false)]
async fn refuses_a_tenant_it_cannot_see(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 1).await;
    seal(&pool).await;
    let mut app = connect(&pool, APP).await;
    let options = VerifyOptions::default();
    assert_eq!(verify(&mut app, tenant(1), &options).await.unwrap_err().kind(), ErrorKind::Refused);
    let mut tx = scope(&mut app, tenant(2)).await;
    assert_eq!(verify(&mut *tx, tenant(1), &options).await.unwrap_err().kind(), ErrorKind::Refused);
    assert_eq!(verify(&mut *tx, tenant(2), &options).await.unwrap().checked(), 0);
    drop(tx);
    let mut tx = scope(&mut app, tenant(1)).await;
    assert_eq!(verify(&mut *tx, tenant(1), &options).await.unwrap().checked(), 1);
    drop(tx);
    // A superuser sees everything, in whatever context.
    assert_eq!(verify(&mut *pool.acquire().await.unwrap(), tenant(1), &options).await.unwrap().checked(), 1);
}

#[sqlx::test(migrations = false)]
async fn what_is_not_sealed_in_time_is_overdue(pool: PgPool) {
    install(&pool).await;
    let receipt = append(&pool, tenant(1), 1).await[0];
    let mut sealer = connect(&pool, SEALER).await;
    let late = VerifyOptions::new().now(receipt.recorded_at + TimeDelta::milliseconds(10_001));
    let in_time = VerifyOptions::new().now(receipt.recorded_at + TimeDelta::milliseconds(10_000));
    let report = verify(&mut sealer, tenant(1), &in_time).await.unwrap();
    assert!(report.is_intact());
    assert_eq!((report.checked(), report.unsealed()), (0, 1));
    let report = verify(&mut sealer, tenant(1), &late).await.unwrap();
    assert_eq!(findings(&report), [(None, Finding::UnsealedOverdue { recorded_at: receipt.recorded_at })]);
    assert_eq!(report.conclusion(), Conclusion::Unverifiable);
    let patient = late.clone().max_merge_delay(Duration::MAX);
    assert!(verify(&mut sealer, tenant(1), &patient).await.unwrap().is_intact());

    // An entry that went around the queue is overdue as well.
    sqlx::raw_sql("DELETE FROM stockade.audit_unsealed").execute(&mut sealer).await.unwrap();
    assert_eq!(seal(&pool).await.entries, 0);
    assert_eq!(verify(&mut sealer, tenant(1), &late).await.unwrap().verdicts().len(), 1);
    // The database's clock, without an argument: the entry is new.
    assert!(verify(&mut sealer, tenant(1), &VerifyOptions::new()).await.unwrap().is_intact());
}

#[sqlx::test(migrations = false)]
async fn an_entry_removed_before_it_was_sealed_is_missed(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 2).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    sqlx::query("DELETE FROM stockade.audit_entry WHERE entity_id = 'L-2'").execute(&mut *superuser).await.unwrap();
    assert_eq!(seal(&pool).await.entries, 1);
    assert_eq!(findings(&report(&pool, tenant(1)).await), [(None, Finding::EntryMissing)]);
}

#[sqlx::test(migrations = false)]
async fn findings_are_capped_and_counted(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 10).await;
    seal(&pool).await;
    append(&pool, tenant(1), 10).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    sqlx::query("UPDATE stockade.audit_entry SET action = 'x'").execute(&mut *superuser).await.unwrap();
    let options = VerifyOptions::new().limit(NonZeroUsize::new(4).unwrap()).now(Utc::now() + TimeDelta::hours(1));
    let report = verify(&mut *superuser, tenant(1), &options).await.unwrap();
    assert_eq!((report.verdicts().len(), report.suppressed()), (4, 16));
    assert_eq!(report.conclusion(), Conclusion::Tampered);
}

#[sqlx::test(migrations = false)]
async fn every_tenant_is_listed(pool: PgPool) {
    install(&pool).await;
    let mut sealer = connect(&pool, SEALER).await;
    assert_eq!(tenants(&mut sealer).await.unwrap(), []);
    for number in [3, 1, 2] {
        append(&pool, tenant(number), 2).await;
    }
    seal(&pool).await;
    append(&pool, tenant(4), 1).await;
    // Also those of which only a part is left.
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    for remove in [
        "DELETE FROM stockade.audit_head WHERE tenant_id = '00000000-0000-0000-0000-000000000001'",
        "DELETE FROM stockade.audit_entry WHERE tenant_id = '00000000-0000-0000-0000-000000000002'",
        "DELETE FROM stockade.audit_link WHERE tenant_id = '00000000-0000-0000-0000-000000000003'",
    ] {
        sqlx::query(remove).execute(&mut *superuser).await.unwrap();
    }
    assert_eq!(tenants(&mut sealer).await.unwrap(), [1, 2, 3, 4].map(tenant));
    let mut app = connect(&pool, APP).await;
    assert_eq!(tenants(&mut *scope(&mut app, tenant(2)).await).await.unwrap(), [tenant(2)]);
}
