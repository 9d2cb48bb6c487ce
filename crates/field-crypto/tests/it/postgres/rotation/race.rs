//! Rotation that is killed, doubled, and overtaken by the application.

use std::collections::BTreeMap;
use std::env;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{Pace, Rewriter};
use stockade_field_crypto::{KeyChange, KeyId, Sealed};
use uuid::Uuid;

use super::{AT_ONCE, Desk, in_tenant, to_the_end};
use crate::support::{DriverSsn, DriverSsnIndex, key_id, secret};

pub(super) fn count(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |count| count.parse().unwrap())
}

/// The future is dropped after it was polled so and so often: before, within and after each statement. As many rotations
/// follow each other as there are kills (`STOCKADE_ROTATION_KILLS`).
#[sqlx::test(migrations = false)]
async fn rotation_killed_at_any_point_loses_and_doubles_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 60).await;
    // Whatever is committed leaves a trace.
    sqlx::raw_sql(
        "CREATE TABLE traces (id uuid, key bytea);
         GRANT INSERT ON traces TO stockade_rotator;
         CREATE FUNCTION trace() RETURNS trigger LANGUAGE plpgsql AS
             'BEGIN INSERT INTO public.traces VALUES (NEW.id, substring(NEW.ssn FROM 2 FOR 4)); RETURN NULL; END';
         CREATE TRIGGER trace AFTER UPDATE ON drivers FOR EACH ROW EXECUTE FUNCTION trace()",
    )
    .execute(&desk.admin)
    .await
    .unwrap();
    let mut kills = 0;
    let mut polls = 0;
    let mut halfway = 0;
    let target = count("STOCKADE_ROTATION_KILLS", 100);
    while kills < target {
        let keys = desk.promote().await;
        let mut worker = desk.rewriter().with_pace(Pace::batches_of(NonZeroU32::new(20).unwrap()));
        loop {
            polls = polls % 37 + 1;
            match abandon(worker.rewrite(desk.tenant, to_the_end), polls).await {
                Some(report) => {
                    let report = report.unwrap();
                    assert_eq!((report.failed, report.skipped), (0, 0));
                    break;
                }
                None => kills += 1,
            }
            halfway += u64::from((1..60).contains(&traces(&desk, keys[0]).await.0));
        }
        assert_eq!(traces(&desk, keys[0]).await, (60, 60));
        desk.assert_intact(&drivers, keys).await;
        let [sealing, indexing] = keys;
        for key in [sealing, indexing] {
            let before = key_id(key.as_u32() - 2);
            assert_eq!(desk.vault.retire(desk.tenant, before, &desk.uses(), AT_ONCE).await.unwrap(), KeyChange::Made);
        }
    }
    assert!(halfway > 0);
}

/// How many writes under a key were committed, and to how many rows.
async fn traces(desk: &Desk, key: KeyId) -> (i64, i64) {
    sqlx::query_as("SELECT count(*), count(DISTINCT id) FROM traces WHERE key = int4send($1)")
        .bind(i32::try_from(key.as_u32()).unwrap())
        .fetch_one(&desk.admin)
        .await
        .unwrap()
}

/// The output, or `None` if the future was not ready after so many polls, and was dropped.
async fn abandon<T>(future: impl Future<Output = T>, polls: u32) -> Option<T> {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return std::task::Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// The application writes a few rows over and over, under the new key and, where it has an older cache, the old one, while they are
/// sealed anew. Before each write it finds what it wrote last (`STOCKADE_ROTATION_RACES` rotations).
#[sqlx::test(migrations = false)]
async fn concurrent_writes_of_the_application_win(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let mut drivers = desk.drivers(desk.tenant, 40).await;
    let stale = desk.another_vault().tenant(desk.tenant).await.unwrap();
    let keys = desk.promote().await;
    let fresh = desk.vault.tenant(desk.tenant).await.unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = [stale, fresh.clone()]
        .into_iter()
        .zip(0_usize..)
        .map(|(sealing, half)| {
            let (pool, done, opening) = (desk.admin.clone(), Arc::clone(&done), fresh.clone());
            // Each has its own rows, so that it knows what was written last.
            let mut mine: BTreeMap<Uuid, String> = drivers.clone().into_iter().skip(4 * half).take(4).collect();
            tokio::spawn(async move {
                for turn in 0_usize.. {
                    let (id, last) = mine.iter_mut().nth(turn % 4).unwrap();
                    let stored: Sealed<DriverSsn> = sqlx::query_scalar("SELECT ssn FROM drivers WHERE id = $1")
                        .bind(*id)
                        .fetch_one(&pool)
                        .await
                        .unwrap();
                    assert_eq!(opening.open(id, &stored).unwrap().expose(), last, "a write was undone");
                    *last = format!("9{half}{turn:08}");
                    sqlx::query("UPDATE drivers SET ssn = $2, ssn_index = $3 WHERE id = $1")
                        .bind(*id)
                        .bind(sealing.seal::<DriverSsn>(id, &secret(last)).unwrap())
                        .bind(sealing.index::<DriverSsnIndex>(&secret(last)).unwrap())
                        .execute(&pool)
                        .await
                        .unwrap();
                    if done.load(Ordering::Relaxed) {
                        return (mine, turn);
                    }
                }
                unreachable!()
            })
        })
        .collect();
    let mut rewritten = 0;
    for _ in 0..count("STOCKADE_ROTATION_RACES", 15) {
        rewritten += desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap().sealed;
    }
    done.store(true, Ordering::Relaxed);
    for writer in writers {
        let (last, turns) = writer.await.unwrap();
        assert!(turns > 20, "{turns}");
        drivers.extend(last);
    }
    assert!(rewritten > 40, "{rewritten}");
    desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap();
    desk.assert_intact(&drivers, keys).await;
}

/// The control of the test above: an UPDATE that does not compare with what was read undoes a write.
#[sqlx::test(migrations = false)]
async fn a_write_between_reading_and_writing_wins(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 1).await;
    let keys = desk.vault.tenant(desk.tenant).await.unwrap();
    let (id, _) = drivers.first_key_value().unwrap();
    let read: Sealed<DriverSsn> = sqlx::query_scalar("SELECT ssn FROM drivers").fetch_one(&desk.admin).await.unwrap();
    let write = async |value: &Sealed<DriverSsn>| {
        sqlx::query("UPDATE drivers SET ssn = $1").bind(value).execute(&desk.admin).await.unwrap();
    };
    let application: Sealed<DriverSsn> = keys.seal(id, &secret("2")).unwrap();
    let anew: Sealed<DriverSsn> = keys.seal(id, &keys.open(id, &read).unwrap()).unwrap();
    write(&application).await;
    write(&anew).await;
    let now: Sealed<DriverSsn> = sqlx::query_scalar("SELECT ssn FROM drivers").fetch_one(&desk.admin).await.unwrap();
    assert_eq!(keys.open(id, &now).unwrap().expose(), "000000000");

    write(&application).await;
    let mut transaction = in_tenant(&desk.pool, desk.tenant).await;
    let written: i64 = sqlx::query_scalar(
        "SELECT stockade.field_write('drivers'::regclass, 'id', 'tenant_id', 'ssn', NULL, '{}', $1, $2, $3, $4, '{}')",
    )
    .bind(desk.tenant.as_uuid())
    .bind([id.to_string()])
    .bind([&read])
    .bind([&anew])
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(written, 0);
    let now: Sealed<DriverSsn> = sqlx::query_scalar("SELECT ssn FROM drivers").fetch_one(&desk.admin).await.unwrap();
    assert_eq!(keys.open(id, &now).unwrap().expose(), "2");
}

/// Rows that the application has locked are left for later: nobody waits, and the report says so.
#[sqlx::test(migrations = false)]
async fn locked_rows_are_left_for_the_next_call(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 10).await;
    let keys = desk.promote().await;
    let mut application = desk.admin.begin().await.unwrap();
    let held: Vec<Uuid> = drivers.keys().take(3).copied().collect();
    sqlx::query("UPDATE drivers SET name = 'x' WHERE id = ANY($1)")
        .bind(&held)
        .execute(&mut *application)
        .await
        .unwrap();
    let report = desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!((report.sealed, report.skipped, report.failed), (7, 3, 0));
    application.commit().await.unwrap();
    let report = desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!((report.sealed, report.skipped), (3, 0));
    desk.assert_intact(&drivers, keys).await;
}

/// A second worker leaves the first alone while it is heard of, and takes over when it is not.
#[sqlx::test(migrations = false)]
async fn two_workers_share_a_job_without_doubling_it(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let drivers = desk.drivers(desk.tenant, 100).await;
    let keys = desk.promote().await;
    let pace = Pace::batches_of(NonZeroU32::new(10).unwrap());
    let mut first = desk.rewriter().with_pace(pace);
    // It dies after its first batch.
    let reported = std::sync::atomic::AtomicU64::new(0);
    let mut run = Box::pin(first.rewrite(desk.tenant, |progress| {
        reported.store(progress.sealed, Ordering::Relaxed);
        std::ops::ControlFlow::Continue(())
    }));
    while reported.load(Ordering::Relaxed) == 0 {
        abandon(&mut run, 1).await;
        tokio::task::yield_now().await;
    }
    drop(run);
    let second = || desk.rewriter().with_pace(pace);
    let report = second().rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!((report.sealed, report.busy), (0, 1));
    sqlx::query("UPDATE stockade.field_jobs SET leased_until = clock_timestamp()").execute(&desk.admin).await.unwrap();
    let report = second().rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!(report.busy, 0);
    assert!((1..=90).contains(&report.sealed), "{}", report.sealed);
    desk.assert_intact(&drivers, keys).await;

    // Many at once, each of which takes every other for dead at once: still every row is counted once.
    let keys = desk.promote().await;
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let (vault, columns) = (desk.another_vault(), desk.columns.clone());
            let (scope, tenant) = (desk.pool.clone(), desk.tenant);
            tokio::spawn(async move {
                let worker = Rewriter::new(&vault, columns, scope).unwrap();
                worker.with_pace(pace).with_lease(Duration::ZERO).rewrite(tenant, to_the_end).await.unwrap().sealed
            })
        })
        .collect();
    let mut sum = 0;
    for task in tasks {
        sum += task.await.unwrap();
    }
    assert_eq!(sum, 100);
    desk.assert_intact(&drivers, keys).await;
}
