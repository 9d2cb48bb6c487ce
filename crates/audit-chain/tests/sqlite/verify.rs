//! Verification of a log that nobody touched, and what it must not pass over.

use std::num::NonZeroUsize;

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::TestRunner,
};
use sqlx::Connection as _;
use stockade_audit_chain::{
    Conclusion,
    sqlite::{Filter, VerifyOptions, record, search, tenants, verify},
};

use crate::{
    entries::any_entry,
    support::{Log, append, disarm, report, tenant},
};

#[tokio::test]
async fn no_false_alarm_after_a_round_trip() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let mut runner = TestRunner::deterministic();
    // More than one page.
    for _ in 0..300 {
        let entry = any_entry().new_tree(&mut runner).unwrap().current();
        record(&mut tx, &entry).await.unwrap();
    }
    tx.commit().await.unwrap();
    let report = report(&mut connection, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!((report.checked(), report.unsealed()), (300, 0));
    let all = Filter::new(tenant(1)).limit(1000.try_into().unwrap());
    assert_eq!(search(&mut connection, &all).await.unwrap().rows.len(), 300);
}

#[tokio::test]
async fn a_page_that_is_just_full_is_not_the_last() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    for (more, checked) in [(256, 256), (1, 257), (255, 512)] {
        append(&mut connection, tenant(1), more).await;
        let report = report(&mut connection, tenant(1)).await;
        assert_eq!((report.checked(), report.is_intact()), (checked, true));
    }
}

#[tokio::test]
async fn runs_beside_writers_without_false_alarms() {
    let log = Log::of_five().await;
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let file = log.file();
            tokio::spawn(async move {
                let options = crate::support::options(&file);
                let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
                for _ in 0..40 {
                    append(&mut connection, tenant(1), 2).await;
                }
            })
        })
        .collect();
    let mut connection = log.connect().await;
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        let report = report(&mut connection, tenant(1)).await;
        assert!(report.is_intact(), "{:?}", report.verdicts());
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(report(&mut connection, tenant(1)).await.checked(), 5 + 3 * 40 * 2);
}

#[tokio::test]
async fn findings_are_capped_and_counted() {
    let log = Log::of_five().await;
    let mut connection = log.connect().await;
    disarm(&mut connection).await;
    let forgery = "UPDATE stockade_audit_entry SET action = 'x'";
    sqlx::raw_sql(forgery).execute(&mut connection).await.unwrap();
    let options = VerifyOptions::new().limit(NonZeroUsize::new(2).unwrap());
    let report = verify(&mut connection, tenant(1), &options).await.unwrap();
    assert_eq!((report.verdicts().len(), report.suppressed()), (2, 3));
    assert_eq!(report.conclusion(), Conclusion::Tampered);

    // Entries without links are counted in the database, and read up to the limit.
    sqlx::raw_sql("DELETE FROM stockade_audit_link; DELETE FROM stockade_audit_head")
        .execute(&mut connection)
        .await
        .unwrap();
    let report = verify(&mut connection, tenant(1), &options).await.unwrap();
    assert_eq!((report.verdicts().len(), report.suppressed(), report.unsealed()), (2, 3, 5));
}

#[tokio::test]
async fn every_tenant_is_listed() {
    let log = Log::new().await;
    let mut connection = log.connect().await;
    assert_eq!(tenants(&mut connection).await.unwrap(), []);
    for number in [3, 1, 2] {
        append(&mut connection, tenant(number), 2).await;
    }
    // Also those of which only a part is left.
    disarm(&mut connection).await;
    for remove in [
        "DELETE FROM stockade_audit_head WHERE hex(tenant_id) LIKE '%01'",
        "DELETE FROM stockade_audit_entry WHERE hex(tenant_id) LIKE '%02'",
        "DELETE FROM stockade_audit_link WHERE hex(tenant_id) LIKE '%03'",
    ] {
        sqlx::raw_sql(remove).execute(&mut connection).await.unwrap();
    }
    assert_eq!(tenants(&mut connection).await.unwrap(), [1, 2, 3].map(tenant));
    for number in 1..=3 {
        assert!(!report(&mut connection, tenant(number)).await.is_intact());
    }
}
