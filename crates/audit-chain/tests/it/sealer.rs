//! The sealer's loop.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use sqlx::PgPool;
use stockade_audit_chain::postgres::{SealEvent, Sealer, lag, record};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::support::{APP, SEALER, append, connect, disarm, entry, install, report, scope, tenant};

#[derive(Debug, Default)]
struct Seen {
    entries: u64,
    verdicts: usize,
    lags: usize,
    failures: usize,
}

struct Running {
    seen: Arc<Mutex<Seen>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(pool: &PgPool, sealer: Sealer) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (stop, stopped) = oneshot::channel::<()>();
        let options = pool.connect_options().as_ref().clone().username(SEALER).application_name("sealer");
        let notes = seen.clone();
        let task = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap() };
            let observe = |event: SealEvent<'_>| {
                let mut seen = notes.lock().unwrap();
                match event {
                    SealEvent::Sealed(sealed) => {
                        seen.entries += sealed.entries;
                        seen.verdicts += sealed.verdicts.len();
                    }
                    SealEvent::Lag(_) => seen.lags += 1,
                    SealEvent::Failed(_) => seen.failures += 1,
                    _ => unreachable!(),
                }
            };
            sealer.run(&options, stopped, observe).await;
        });
        Self { seen, stop, task }
    }

    async fn until(&self, reached: impl Fn(&Seen) -> bool) {
        for _ in 0..4_000 {
            if reached(&self.seen.lock().unwrap()) {
                return;
            }
            assert!(!self.task.is_finished());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{:?}", self.seen);
    }

    async fn stop(self) -> Seen {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
        Arc::into_inner(self.seen).unwrap().into_inner().unwrap()
    }
}

#[sqlx::test(migrations = false)]
async fn the_loop_seals_what_comes_and_stops_when_told(pool: PgPool) {
    install(&pool).await;
    let running = Running::start(&pool, Sealer::new().batch(NonZeroU32::new(7).unwrap()));
    for round in 1..=3 {
        append(&pool, tenant(1), 10).await;
        append(&pool, tenant(2), 2).await;
        running.until(|seen| seen.entries == round * 12).await;
    }
    running.until(|seen| seen.lags > 0).await;
    let seen = running.stop().await;
    assert_eq!((seen.entries, seen.failures, seen.verdicts), (36, 0, 0), "{seen:?}");
    append(&pool, tenant(1), 1).await;
    let report = report(&pool, tenant(1)).await;
    assert_eq!((report.checked(), report.unsealed()), (30, 1));
}

#[sqlx::test(migrations = false)]
async fn the_loop_survives_the_loss_of_its_connection_and_of_its_rights(pool: PgPool) {
    install(&pool).await;
    let running = Running::start(&pool, Sealer::new());
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE application_name = 'sealer' AND datname = current_database()";
    let mut killed = 0;
    for round in 1..=4 {
        append(&pool, tenant(1), 5).await;
        running.until(|seen| seen.entries == round * 5).await;
        killed += sqlx::query_scalar::<_, i64>(kill).fetch_one(&pool).await.unwrap();
    }
    assert!(killed > 0);
    sqlx::raw_sql("REVOKE INSERT ON stockade.audit_link FROM stockade_sealer").execute(&pool).await.unwrap();
    let failures = running.seen.lock().unwrap().failures;
    append(&pool, tenant(1), 5).await;
    running.until(|seen| seen.failures > failures + 1).await;
    sqlx::raw_sql("GRANT INSERT ON stockade.audit_link TO stockade_sealer").execute(&pool).await.unwrap();
    running.until(|seen| seen.entries == 25).await;
    running.stop().await;
    assert!(report(&pool, tenant(1)).await.is_intact());
}

#[sqlx::test(migrations = false)]
async fn another_replica_takes_over(pool: PgPool) {
    install(&pool).await;
    let (first, second) = (Running::start(&pool, Sealer::new()), Running::start(&pool, Sealer::new()));
    let total =
        |first: &Running, second: &Running| first.seen.lock().unwrap().entries + second.seen.lock().unwrap().entries;
    append(&pool, tenant(1), 20).await;
    while total(&first, &second) < 20 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let before = first.stop().await.entries;
    append(&pool, tenant(1), 20).await;
    second.until(|seen| seen.entries == 40 - before).await;
    second.stop().await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!(report.checked(), 40);
}

/// A tenant whose strict transactions never pause still gets its other entries sealed.
#[sqlx::test(migrations = false)]
async fn a_busy_head_is_waited_for_a_little(pool: PgPool) {
    install(&pool).await;
    append(&pool, tenant(1), 3).await;
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(1)).await;
    stockade_audit_chain::postgres::record_strict(&mut *tx, &[entry(tenant(1), 9)]).await.unwrap();
    let mut sealer = connect(&pool, SEALER).await;
    // Held for longer than the sealer waits: it says so, and nothing is lost.
    let sealed = Sealer::new().seal_pending(&mut sealer).await.unwrap();
    assert_eq!((sealed.entries, sealed.busy), (0, vec![tenant(1)]));
    // Held, and let go while the sealer waits.
    let pending = tokio::spawn(async move { Sealer::new().seal_pending(&mut sealer).await.unwrap() });
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = $1 AND wait_event_type = 'Lock'";
    let mut seen = 0;
    while seen == 0 && !pending.is_finished() {
        seen = sqlx::query_scalar::<_, i64>(waiting).bind(SEALER).fetch_one(&pool).await.unwrap();
    }
    tx.commit().await.unwrap();
    let sealed = pending.await.unwrap();
    // On a machine that took longer than the sealer's patience it is still waiting.
    assert!(sealed.entries == 3 || sealed.busy == [tenant(1)], "{sealed:?}");
    crate::support::seal(&pool).await;
    let report = report(&pool, tenant(1)).await;
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!(report.checked(), 4);
}

#[sqlx::test(migrations = false)]
async fn lag_is_what_waits_and_for_how_long(pool: PgPool) {
    install(&pool).await;
    let mut sealer = connect(&pool, SEALER).await;
    assert_eq!(lag(&mut sealer).await.unwrap(), stockade_audit_chain::postgres::SealLag::default());
    append(&pool, tenant(1), 4).await;
    let mut superuser = pool.acquire().await.unwrap();
    disarm(&mut superuser).await;
    // What was removed before it was sealed waits for ever, and is verification's business.
    sqlx::raw_sql(
        "ALTER TABLE stockade.audit_entry DROP CONSTRAINT audit_entry_id_check;
        DELETE FROM stockade.audit_entry WHERE entity_id IN ('L-1', 'L-3');
        UPDATE stockade.audit_entry SET recorded_at = recorded_at - interval '1 hour'",
    )
    .execute(&mut *superuser)
    .await
    .unwrap();
    let behind = lag(&mut sealer).await.unwrap();
    assert_eq!(
        (behind.waiting, behind.oldest.as_secs() / 60),
        (3, 60),
        "from the second on, the removed third among them"
    );
    // The application sees its own.
    let mut app = connect(&pool, APP).await;
    let mut tx = scope(&mut app, tenant(2)).await;
    record(&mut *tx, &entry(tenant(2), 1)).await.unwrap();
    assert_eq!(lag(&mut *tx).await.unwrap().waiting, 1);
    sqlx::raw_sql("DELETE FROM stockade.audit_entry").execute(&mut *superuser).await.unwrap();
    assert_eq!(lag(&mut sealer).await.unwrap(), stockade_audit_chain::postgres::SealLag::default());
}
