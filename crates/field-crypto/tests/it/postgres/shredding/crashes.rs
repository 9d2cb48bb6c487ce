//! A shred that is interrupted.

use std::pin::pin;
use std::task::Poll;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::ErrorKind;
use stockade_field_crypto::postgres::{Execution, Retention, SealedColumns, ShredState, ShredTarget, Site};

use super::MONTH;
use super::desk::{Desk, report, request};
use crate::support::{PatientName, PatientNameIndex};

/// Polls so often, and then drops what is not done: whatever it waits for, it never hears the answer.
async fn cut<T>(after: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut polls = 0;
    std::future::poll_fn(move |context| {
        if polls == after {
            return Poll::Ready(None);
        }
        polls += 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

#[sqlx::test(migrations = false)]
async fn an_aborted_execution_destroys_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let tenant = desk.tenant().await;
    let (subject, row) = desk.patient(tenant, "Ada").await;
    for target in [ShredTarget::Subject(tenant, subject), ShredTarget::Tenant(tenant)] {
        let shred = desk.planner.schedule(&request(target)).await.unwrap();
        // After the keys, and after the indexes.
        for statement in [
            "SELECT count(*) FROM stockade.field_shred_execute($1, 'job')",
            "SELECT count(*) FROM stockade.field_shred_run($1, 'job', '{public.patients}', '{tenant_id}', '{name}', '{true}', '{name_index}')",
        ] {
            let mut transaction = desk.shredder_pool.begin().await.unwrap();
            let id = uuid::Uuid::from(shred.id);
            sqlx::query(statement).bind(id).execute(&mut *transaction).await.unwrap_or_else(|e| panic!("{e}"));
            drop(transaction);
            desk.opens(tenant, subject, row, "Ada").await;
            assert_eq!(desk.index_entries().await, 1);
        }
        // An index that cannot be emptied: no such column, and one that the role may not write.
        for index in ["nothing", "id"] {
            let columns = SealedColumns::new()
                .column::<PatientName>(Site::table("public.patients").index_in::<PatientNameIndex>(index));
            let error = desk.shredder.execute(shred.id, "job", &columns, MONTH).await.unwrap_err();
            assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
            desk.opens(tenant, subject, row, "Ada").await;
        }
        assert_eq!(desk.planner.find(shred.id).await.unwrap().unwrap().state, ShredState::Scheduled);
        if target.subject().is_some() {
            desk.planner.cancel(shred.id, "tester").await.unwrap();
        }
    }
}

/// The process dies at any of its waits: the shred has happened as a whole, or can still be executed.
#[sqlx::test(migrations = false)]
async fn an_execution_that_is_cut_off_is_whole_or_has_not_happened(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let tenant = desk.tenant().await;
    let mut cuts = 0;
    loop {
        let (subject, row) = desk.patient(tenant, "Ada").await;
        let entries = desk.index_entries().await;
        let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, subject))).await.unwrap();
        let columns = desk.columns();
        let done = cut(cuts, desk.shredder.execute(shred.id, "job", &columns, Retention::Unlimited)).await;
        if let Some(done) = done {
            report(done.unwrap());
            assert!(cuts > 0, "something was cut");
            break;
        }
        let execution = desk.shredder.execute(shred.id, "job", &columns, MONTH).await.unwrap();
        match execution {
            Execution::Executed(report) => assert_eq!((report.keys.len(), report.index_entries), (1, 1)),
            Execution::Repeated(report) => assert_eq!((report.keys.len(), report.index_entries), (0, 0)),
            other => panic!("{other:?}"),
        }
        desk.open(tenant, subject, row).await.unwrap_err();
        assert_eq!(desk.index_entries().await, entries - 1);
        cuts += 1;
    }
}
