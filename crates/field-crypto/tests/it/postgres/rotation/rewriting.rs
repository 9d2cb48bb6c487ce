//! What the rewriter does when nobody is in its way, and what it reports.

use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{JobEnd, Pace, RowFailureReason, RowKey};
use stockade_field_crypto::{FieldEvent, Sealed, Vault};
use uuid::Uuid;

use super::{Desk, to_the_end};
use crate::support::{DriverSsn, DriverSsnIndex, LedgerMemo, new_tenant, secret};

const HUNDRED: Pace = Pace::batches_of(NonZeroU32::new(100).unwrap());

#[sqlx::test(migrations = false)]
async fn every_value_and_tag_is_under_the_new_keys(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 450).await;
    // Rows with integer keys, one above 2^31, and rows without a value.
    let keys = desk.vault.tenant(desk.tenant).await.unwrap();
    for id in [-5_i64, 7, 1 << 40] {
        let memo: Sealed<LedgerMemo> = keys.seal(&id, &secret("toll")).unwrap();
        sqlx::query("INSERT INTO ledger (id, tenant_id, memo) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(desk.tenant.as_uuid())
            .bind(memo)
            .execute(&desk.admin)
            .await
            .unwrap();
    }
    // Another tenant, whose rows stay as they are.
    let other = new_tenant();
    desk.vault.provision(other).await.unwrap();
    desk.drivers(other, 10).await;
    let before: Vec<Vec<u8>> = sqlx::query_scalar("SELECT ssn FROM drivers WHERE tenant_id = $1 ORDER BY id")
        .bind(other.as_uuid())
        .fetch_all(&desk.admin)
        .await
        .unwrap();

    let new = desk.promote().await;
    let mut calls = Vec::new();
    let report = desk
        .rewriter()
        .with_pace(HUNDRED)
        .rewrite(desk.tenant, |progress| {
            calls.push((progress.column, progress.sealed));
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    assert_eq!((report.sealed, report.skipped, report.failed, report.busy), (453, 0, 0, 0));
    assert_eq!(report.end, JobEnd::Through);
    assert_eq!(calls, [("ssn", 100), ("ssn", 200), ("ssn", 300), ("ssn", 400), ("ssn", 450), ("memo", 3)]);
    desk.assert_intact(&drivers, new).await;
    let keys = desk.another_vault().tenant(desk.tenant).await.unwrap();
    let memos: Vec<(i64, Sealed<LedgerMemo>)> =
        sqlx::query_as("SELECT id, memo FROM ledger").fetch_all(&desk.admin).await.unwrap();
    for (id, memo) in memos {
        assert_eq!(memo.key_id(), new[0]);
        assert_eq!(keys.open(&id, &memo).unwrap().expose(), "toll");
    }
    let after: Vec<Vec<u8>> = sqlx::query_scalar("SELECT ssn FROM drivers WHERE tenant_id = $1 ORDER BY id")
        .bind(other.as_uuid())
        .fetch_all(&desk.admin)
        .await
        .unwrap();
    assert_eq!(before, after);

    // Once more finds nothing to do.
    let again = desk.rewriter().rewrite(desk.tenant, |progress| panic!("{progress:?}")).await.unwrap();
    assert_eq!((again.sealed, again.end), (0, JobEnd::Through));
}

/// Index keys rotate alone as well: the tags change and stay with their values.
#[sqlx::test(migrations = false)]
async fn a_new_index_key_alone_changes_the_tags(pool: PgPoolOptions, options: PgConnectOptions) {
    use stockade_field_crypto::{KeyChange, Purpose};
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 20).await;
    let sealing = desk.vault.provision(desk.tenant).await.unwrap();
    assert!(sealing.is_empty());
    let index = desk.vault.add_key(desk.tenant, Purpose::Index).await.unwrap().key;
    assert_eq!(desk.vault.promote(desk.tenant, index, super::AT_ONCE).await.unwrap(), KeyChange::Made);
    let report = desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!(report.sealed, 20);
    desk.assert_intact(&drivers, [crate::support::key_id(1), index]).await;
}

#[sqlx::test(migrations = false)]
async fn values_that_do_not_open_are_reported_and_left(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 250).await;
    // Values moved to other rows, one of them with its bits changed.
    let broken: Vec<Uuid> = drivers.keys().step_by(2).copied().collect();
    sqlx::query("UPDATE drivers SET ssn = set_byte(ssn, 20, get_byte(ssn, 20) # 1) WHERE id = ANY($1)")
        .bind(&broken)
        .execute(&desk.admin)
        .await
        .unwrap();
    let snapshot =
        "SELECT md5(string_agg(ssn::text || ssn_index::text, '' ORDER BY id)) FROM drivers WHERE id = ANY($1)";
    let before: String = sqlx::query_scalar(snapshot).bind(&broken).fetch_one(&desk.admin).await.unwrap();
    let [new, _] = desk.promote().await;
    let report = desk.rewriter().with_pace(HUNDRED).rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!((report.sealed, report.failed, report.end), (125, 125, JobEnd::Through));
    // The list is bounded, the count is not.
    assert_eq!(report.failures.len(), 100);
    for (failure, id) in report.failures.iter().zip(&broken) {
        assert_eq!((failure.table, failure.column, failure.row), ("public.drivers", "ssn", RowKey::Id(*id)));
        assert_eq!(failure.reason, RowFailureReason::DoesNotOpen);
    }
    let after: String = sqlx::query_scalar(snapshot).bind(&broken).fetch_one(&desk.admin).await.unwrap();
    assert_eq!(before, after);
    let sealed: i64 =
        sqlx::query_scalar("SELECT count(*) FROM drivers WHERE substring(ssn FROM 2 FOR 4) = int4send($1)")
            .bind(i32::try_from(new.as_u32()).unwrap())
            .fetch_one(&desk.admin)
            .await
            .unwrap();
    assert_eq!(sealed, 125);
}

/// A number was entered twice: once before the rotation, once after, by an application that did not look for it. The
/// unique index refuses the second tag, and the rest of the batch is rewritten all the same.
#[sqlx::test(migrations = false)]
async fn a_duplicate_does_not_stop_the_others(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 30).await;
    desk.promote().await;
    let keys = desk.vault.tenant(desk.tenant).await.unwrap();
    let id = Uuid::now_v7();
    let sealed: Sealed<DriverSsn> = keys.seal(&id, &secret("000000007")).unwrap();
    sqlx::query("INSERT INTO drivers (id, tenant_id, ssn, ssn_index) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(desk.tenant.as_uuid())
        .bind(sealed)
        .bind(keys.index::<DriverSsnIndex>(&secret("000000007")).unwrap())
        .execute(&desk.admin)
        .await
        .unwrap();
    let report = desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!((report.sealed, report.skipped, report.failed), (29, 0, 1));
    let twin = drivers.iter().find(|(_, ssn)| *ssn == "000000007").unwrap().0;
    assert_eq!(report.failures[0].row, RowKey::Id(*twin));
    assert_eq!(report.failures[0].reason, RowFailureReason::Duplicate);
}

/// A guard of the application over some of the rows, which knows who is at work.
#[sqlx::test(migrations = false)]
async fn a_trigger_that_refuses_does_not_stop_the_others(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 30).await;
    sqlx::raw_sql(
        "CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF OLD.name = 'closed' AND current_setting('stockade.field_job', true) = 'on' THEN RAISE EXCEPTION 'closed'; END IF;
             RETURN NEW; END $$;
         CREATE TRIGGER guard BEFORE UPDATE ON drivers FOR EACH ROW EXECUTE FUNCTION guard()",
    )
    .execute(&desk.admin)
    .await
    .unwrap();
    let closed: Vec<Uuid> = drivers.keys().take(2).copied().collect();
    sqlx::query("UPDATE drivers SET name = 'closed' WHERE id = ANY($1)")
        .bind(&closed)
        .execute(&desk.admin)
        .await
        .unwrap();
    desk.promote().await;
    let report = desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!((report.sealed, report.skipped, report.failed), (28, 0, 2));
    for (failure, id) in report.failures.iter().zip(&closed) {
        assert_eq!((failure.row, failure.reason), (RowKey::Id(*id), RowFailureReason::Refused));
    }
}

#[sqlx::test(migrations = false)]
async fn a_stopped_job_goes_on_where_it_was(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 350).await;
    let new = desk.promote().await;
    let report = desk.rewriter().with_pace(HUNDRED).rewrite(desk.tenant, |_| ControlFlow::Break(())).await.unwrap();
    assert_eq!((report.sealed, report.end), (100, JobEnd::Stopped));
    // Another worker may go on at once, and counts on.
    let mut calls = Vec::new();
    let report = desk
        .rewriter()
        .with_pace(HUNDRED)
        .rewrite(desk.tenant, |progress| {
            calls.push(progress.sealed);
            ControlFlow::Continue(())
        })
        .await
        .unwrap();
    assert_eq!((report.sealed, report.end), (250, JobEnd::Through));
    assert_eq!(calls, [200, 300, 350]);
    desk.assert_intact(&drivers, new).await;
}

/// A job that was begun under one key starts anew under the next: nothing stays under the one between.
#[sqlx::test(migrations = false)]
async fn a_job_with_other_keys_begins_anew(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 250).await;
    desk.promote().await;
    let mut worker = desk.rewriter().with_pace(HUNDRED);
    let mut promoted = None;
    worker.rewrite(desk.tenant, |_| ControlFlow::Break(())).await.unwrap();
    promoted.replace(desk.promote().await);
    let report = worker.rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!(report.sealed, 250);
    desk.assert_intact(&drivers, promoted.unwrap()).await;
}

#[sqlx::test(migrations = false)]
async fn each_batch_is_one_event(pool: PgPoolOptions, options: PgConnectOptions) {
    let mut desk = Desk::open(pool, &options).await;
    desk.drivers(desk.tenant, 250).await;
    let events: Arc<Mutex<Vec<FieldEvent>>> = Arc::default();
    let heard = Arc::clone(&events);
    desk.vault = Vault::new(Arc::clone(&desk.kms), stockade_field_crypto::postgres::PgKeyStore::new(desk.pool.clone()))
        .with_observer(move |event: &FieldEvent| heard.lock().unwrap().push(event.clone()));
    let [key, _] = desk.promote().await;
    desk.rewriter().with_pace(HUNDRED).rewrite(desk.tenant, to_the_end).await.unwrap();
    let events = events.lock().unwrap();
    assert!(matches!(
        events[..4],
        [
            FieldEvent::KeyCreated(_),
            FieldEvent::KeyPromoted { .. },
            FieldEvent::KeyCreated(_),
            FieldEvent::KeyPromoted { .. }
        ]
    ));
    let batch =
        |rows| FieldEvent::RowsSealed { tenant: desk.tenant, table: "public.drivers", column: "ssn", key, rows };
    assert_eq!(events[4..], [batch(100), batch(100), batch(50)]);
}

/// As in an embedded engine: no step holds one connection while it waits for another.
#[sqlx::test(migrations = false)]
async fn one_connection_is_enough_for_a_rotation(pool: PgPoolOptions, options: PgConnectOptions) {
    let mut desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 30).await;
    let one = options.options([("role", "stockade_rotator")]);
    desk.pool = PgPoolOptions::new().max_connections(1).connect_with(one).await.unwrap();
    desk.vault = desk.another_vault();
    let keys = desk.promote().await;
    assert_eq!(desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap().sealed, 30);
    for key in [1, 2] {
        let key = crate::support::key_id(key);
        for step in ["retire", "destroy"] {
            let change = match step {
                "retire" => desk.vault.retire(desk.tenant, key, &desk.uses(), super::AT_ONCE).await,
                _ => desk.vault.destroy_retired(desk.tenant, key, &desk.uses(), super::AT_ONCE).await,
            };
            assert_eq!(change.unwrap(), stockade_field_crypto::KeyChange::Made);
        }
    }
    desk.assert_intact(&drivers, keys).await;
}
