//! Lockouts in PostgreSQL, as a login that has nothing but `stockade_limiter`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool};
use stockade_ratelimit::postgres::Lockouts;
use stockade_ratelimit::{Decision, FingerprintKey, Key, Lockout, ManualClock, Reservation, Rule};

use crate::bench::{build, cost, n};
use crate::contract::Dice;
use crate::postgres::Database;

const MINUTE: Duration = Duration::from_secs(60);

fn lockouts(terms: Lockout) -> Lockouts {
    Lockouts::new("login", terms, FingerprintKey::new([7; 32])).unwrap()
}

fn key() -> Key {
    Key::account("ana@acme.test")
}

/// Fails until there is a lock, and says how often it could and how long the lock is.
async fn fail(lockouts: &Lockouts, pool: &PgPool) -> (u32, Duration) {
    let mut failures = 0;
    loop {
        let mut connection = pool.acquire().await.unwrap();
        match lockouts.reserve(&mut connection, &key()).await.unwrap() {
            Reservation::Granted(attempt) => attempt.commit(),
            Reservation::Refused(decision) => return (failures, decision.retry_after),
        }
        failures += 1;
    }
}

/// The same attempts on a lockout in memory, whose nanosecond is the store's microsecond.
#[sqlx::test(migrations = false)]
async fn a_lockout_in_postgres_decides_as_one_in_memory(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let pool = database.pool(1);
    let terms = |unit: fn(u64) -> Duration, kind: u32| {
        let terms = Lockout::new(n(3), unit(10)).doubling_up_to(unit(70)).forgetting_after(unit(200));
        if kind == 0 { terms } else { terms.for_good_at(n(kind)) }
    };
    for kind in [0, 6] {
        let (clock, memory_clock) = (ManualClock::new(), ManualClock::new());
        let rule = Rule::lockout("login", terms(Duration::from_nanos, kind));
        let memory = build(&memory_clock, &[rule], |builder| builder);
        let shared =
            Lockouts::new(format!("login.{kind}"), terms(Duration::from_micros, kind), FingerprintKey::new([7; 32]));
        let shared = shared.unwrap().with_client_time(clock.clone());
        let mut dice = Dice(u64::from(kind) + 1);
        let (mut refused, mut for_good) = (0, 0);
        for step in 0..1_500 {
            let gap = [0, 0, 1, 5, 10, 40, 70, 199, 200, 450][usize::try_from(dice.below(10)).unwrap()];
            clock.advance(Duration::from_micros(gap));
            memory_clock.advance(Duration::from_nanos(gap));
            let mut connection = pool.acquire().await.unwrap();
            let peeked = shared.peek(&mut *connection, &key()).await.unwrap();
            same(step, memory.peek(&[("login", key())], cost(1)).unwrap(), peeked);
            let one = memory.reserve(&[("login", key())], cost(1)).unwrap();
            let other = shared.reserve(&mut connection, &key()).await.unwrap();
            match (one, other) {
                (Reservation::Granted(one), Reservation::Granted(other)) => {
                    same(step, one.decision(), other.decision());
                    let later = dice.below(2) * dice.below(90);
                    clock.advance(Duration::from_micros(later));
                    memory_clock.advance(Duration::from_nanos(later));
                    match dice.below(12) {
                        0 => {
                            one.succeed();
                            other.succeed(&mut *connection).await.unwrap();
                        }
                        1 | 2 => {
                            one.refund();
                            other.refund(&mut *connection).await.unwrap();
                        }
                        _ => {}
                    }
                }
                (Reservation::Refused(one), Reservation::Refused(other)) => {
                    same(step, one, other);
                    refused += 1;
                    if other.retry_after > Duration::from_secs(1) {
                        for_good += 1;
                        let forgotten = memory.forget("login", &key()).unwrap();
                        assert_eq!(shared.forget(&mut *connection, &key()).await.unwrap(), forgotten);
                    }
                }
                (one, other) => panic!("step {step}: {one:?} in memory, {other:?} in PostgreSQL"),
            }
        }
        assert!(refused > 50 && (for_good > 0) == (kind > 0), "the trace must try both: {refused} {for_good}");
    }
}

fn same(step: u32, one: Decision, other: Decision) {
    // What does not end, ends after 2^63 nanoseconds in one and as many in the other.
    let short = |micros: Duration| match u64::try_from(micros.as_micros()).unwrap() {
        finite @ 0..1_000_000 => Duration::from_nanos(finite),
        _ => Duration::MAX,
    };
    let long = |nanos: Duration| if nanos < Duration::from_millis(1) { nanos } else { Duration::MAX };
    let told = (other.allowed, other.limit, other.remaining, short(other.retry_after), short(other.reset_after));
    assert_eq!(
        told,
        (one.allowed, one.limit, one.remaining, long(one.retry_after), long(one.reset_after)),
        "step {step}"
    );
}

#[sqlx::test(migrations = false)]
async fn a_hundred_parallel_guesses_are_five(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let pool = database.pool(10);
    let lockouts = lockouts(Lockout::nist());
    let granted = Arc::new(AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (pool, lockouts, granted) = (pool.clone(), lockouts.clone(), Arc::clone(&granted));
        tasks.spawn(async move {
            let mut transaction = pool.begin().await.unwrap();
            let reserved = lockouts.reserve(&mut transaction, &key()).await.unwrap();
            transaction.commit().await.unwrap();
            granted.fetch_add(u32::from(matches!(reserved, Reservation::Granted(_))), Ordering::SeqCst);
        });
    }
    tasks.join_all().await;
    assert_eq!(granted.load(Ordering::SeqCst), 5);
}

/// NIST SP 800-63B: not more than a hundred failures, whatever is restarted on the way.
#[sqlx::test(migrations = false)]
async fn the_hundredth_failure_outlasts_a_restart(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let clock = ManualClock::new();
    clock.advance(MINUTE);
    let mut failures = 0;
    for _ in 0..20 {
        // A new process: nothing but the database is left of the last one.
        let (lockouts, pool) = (lockouts(Lockout::nist()).with_client_time(clock.clone()), database.pool(1));
        let (more, wait) = fail(&lockouts, &pool).await;
        failures += more;
        clock.advance(wait.min(MINUTE * 60));
    }
    assert_eq!(failures, 100);
    clock.advance(MINUTE * 60 * 24 * 36_500);
    let (lockouts, pool) = (lockouts(Lockout::nist()).with_client_time(clock), database.pool(1));
    assert_eq!(fail(&lockouts, &pool).await.0, 0);
    assert_eq!(lockouts.sweep(&pool, 100).await.unwrap(), 0, "a lock that does not end is not swept away");
    assert!(lockouts.forget(&pool, &key()).await.unwrap());
    assert!(!lockouts.forget(&pool, &key()).await.unwrap());
    assert_eq!(fail(&lockouts, &pool).await.0, 5);
}

#[sqlx::test(migrations = false)]
async fn a_lock_and_its_audit_entry_are_one_transaction(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    database.admin.execute("CREATE TABLE audit (entry text)").await.unwrap();
    database.admin.execute("GRANT SELECT, INSERT ON audit TO stockade_limiter").await.unwrap();
    let (pool, lockouts) = (database.pool(1), lockouts(Lockout::pci_dss()));
    for (round, commits) in [(0, false), (1, true)] {
        for attempt in 0..10 {
            let mut transaction = pool.begin().await.unwrap();
            transaction.execute("SET LOCAL synchronous_commit = off").await.unwrap();
            let Reservation::Granted(reserved) = lockouts.reserve(&mut transaction, &key()).await.unwrap() else {
                panic!("refused {round} {attempt}")
            };
            let setting: String =
                sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *transaction).await.unwrap();
            assert_eq!(setting, "on", "a lock is as durable as the server can make it");
            assert_eq!(reserved.locks_for(), (attempt == 9).then_some(MINUTE * 30));
            if attempt < 9 {
                transaction.commit().await.unwrap();
                continue;
            }
            transaction.execute("INSERT INTO audit VALUES ('locked')").await.unwrap();
            if commits {
                transaction.commit().await.unwrap();
            } else {
                transaction.rollback().await.unwrap();
            }
        }
        let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(&pool).await.unwrap();
        let locked = !lockouts.peek(&pool, &key()).await.unwrap().allowed;
        assert_eq!((entries, locked), (i64::from(commits), commits));
        lockouts.forget(&pool, &key()).await.unwrap();
    }
}

#[sqlx::test(migrations = false)]
async fn the_limiters_role_cannot_unlock_by_hand(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let login = database.pool(1);
    fail(&lockouts(Lockout::pci_dss()), &login).await;
    for statement in [
        "SELECT * FROM stockade.rate_lockout",
        "DELETE FROM stockade.rate_lockout",
        "UPDATE stockade.rate_lockout SET until = 0",
        "TRUNCATE stockade.rate_lockout",
        "DROP FUNCTION stockade.rate_lockout_sweep",
    ] {
        assert!(login.execute(statement).await.is_err(), "{statement}");
    }
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT slot FROM stockade.rate_lockout").fetch_all(&database.admin).await.unwrap();
    assert!(rows.len() == 1 && rows[0].len() == 16, "a row names nobody");
}

#[sqlx::test(migrations = false)]
async fn forgotten_rows_are_swept(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let pool = database.pool(1);
    let clock = ManualClock::new();
    // Long ago by the server's clock, which sweeps.
    clock.advance(MINUTE);
    fail(&lockouts(Lockout::pci_dss()).with_client_time(clock), &pool).await;
    let now = lockouts(Lockout::pci_dss());
    let mut connection = pool.acquire().await.unwrap();
    let Reservation::Granted(attempt) = now.reserve(&mut connection, &Key::account("bo")).await.unwrap() else {
        panic!("refused")
    };
    attempt.commit();
    assert_eq!(now.sweep(&mut *connection, 100).await.unwrap(), 1);
    assert_eq!(now.sweep(&mut *connection, 100).await.unwrap(), 0);
}
