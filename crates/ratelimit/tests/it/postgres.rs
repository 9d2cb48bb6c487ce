//! The store in PostgreSQL, as a login that has nothing but `stockade_limiter`.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha384};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection, PgPool};
use stockade_ratelimit::postgres::{MIGRATIONS, PgStore, migrator};
use stockade_ratelimit::store::Gathered;
use stockade_ratelimit::{Cost, ErrorKind, Key, ManualClock, Rule};

use crate::bench::n;
use crate::contract::{self, limiter};

const LOGIN: &str = "stockade_ratelimit_test";
const HOUR: Duration = Duration::from_secs(3600);

/// A database with the schema, seen by the superuser and by the login of the store.
pub(crate) struct Database {
    pub(crate) admin: PgPool,
    options: PgConnectOptions,
}

impl Database {
    pub(crate) async fn install(pool: PgPoolOptions, options: PgConnectOptions) -> Self {
        let admin = pool.max_connections(4).connect_with(options.clone()).await.unwrap();
        migrator().run(&admin).await.unwrap();
        // Roles belong to the cluster, and tests run at the same time.
        for _ in 0..50 {
            let _ = admin.execute("CREATE ROLE stockade_ratelimit_test LOGIN").await;
            let _ = admin.execute("GRANT stockade_limiter TO stockade_ratelimit_test").await;
            let member = "SELECT count(*) FROM pg_auth_members m
                          WHERE m.roleid = to_regrole('stockade_limiter') AND m.member = to_regrole('stockade_ratelimit_test')";
            if sqlx::query_scalar::<_, i64>(member).fetch_one(&admin).await.unwrap() > 0 {
                return Self { admin, options };
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("no login")
    }

    pub(crate) fn pool(&self, connections: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(60))
            .connect_lazy_with(self.options.clone().username(LOGIN))
    }

    pub(crate) fn store(&self) -> PgStore {
        PgStore::new(self.pool(12))
    }

    async fn rows(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM stockade.rate_limit").fetch_one(&self.admin).await.unwrap()
    }
}

#[sqlx::test(migrations = false)]
async fn postgres_decides_as_memory_does(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    for seed in [1, 2] {
        let clock = ManualClock::new();
        // The rows of the first trace would count in the second.
        database.admin.execute("DELETE FROM stockade.rate_limit").await.unwrap();
        let store = database.store().with_client_time(clock.clone());
        contract::decides_as_memory(store, clock, seed, 500).await;
    }
}

#[sqlx::test(migrations = false)]
async fn a_hundred_guesses_pass_five_in_postgres(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    contract::a_hundred_guesses_pass_five(async || PgStore::new(database.pool(5))).await;
}

#[sqlx::test(migrations = false)]
async fn a_clock_that_goes_back_admits_nothing_in_postgres(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let clock = ManualClock::new();
    contract::a_clock_that_goes_back_admits_nothing(database.store().with_client_time(clock.clone()), clock).await;
}

#[sqlx::test(migrations = false)]
async fn mistakes_are_errors_in_front_of_postgres(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    contract::mistakes_are_errors_and_off_is_off(database.store()).await;
}

/// Requests for the same keys in any order, each key new to some of them, while rows are swept away.
#[sqlx::test(migrations = false)]
async fn crossing_requests_do_not_deadlock_and_lose_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    const TASKS: u64 = 8;
    const ROUNDS: u64 = 40;
    let database = Database::install(pool, options).await;
    let rules: Vec<Rule> = ["a", "b", "c", "d"].iter().map(|name| Rule::window(*name, n(1_000_000), HOUR)).collect();
    let shared = limiter(PgStore::new(database.pool(10)), &rules);
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let shared = shared.clone();
        tasks.push(tokio::spawn(async move {
            let mut dice = contract::Dice(task + 1);
            for _ in 0..ROUNDS {
                let mut keys: Vec<(&str, Key)> =
                    ["a", "b", "c", "d"].map(|rule| (rule, Key::text("k"))).into_iter().collect();
                keys.push(("a", Key::text(&dice.below(50).to_string())));
                let by = usize::try_from(dice.below(5)).unwrap();
                keys.rotate_left(by);
                let decision = shared.check(&keys, Cost::ONE).await.unwrap();
                assert!(decision.allowed, "{decision:?}");
            }
        }));
    }
    let sweeper = PgStore::new(database.pool(1));
    for _ in 0..20 {
        sweeper.sweep(10).await.unwrap();
    }
    for task in tasks {
        task.await.unwrap();
    }
    let counted = shared.peek(&[("d", Key::text("k"))], Cost::ONE).await.unwrap();
    assert_eq!(u64::from(counted.limit - counted.remaining), TASKS * ROUNDS);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(sqlx::query_scalar::<_, i64>(deadlocks).fetch_one(&database.admin).await.unwrap(), 0);
}

/// Rows that nobody has asked for yet are the harder half: two calls may both be creating them.
#[sqlx::test(migrations = false)]
async fn slots_created_by_several_at_once_do_not_deadlock(pool: PgPoolOptions, options: PgConnectOptions) {
    const TASKS: u64 = 8;
    const ROUNDS: u64 = 60;
    let database = Database::install(pool, options).await;
    let rules: Vec<Rule> = ["a", "b", "c", "d"].iter().map(|name| Rule::window(*name, n(1_000_000), HOUR)).collect();
    let shared = limiter(PgStore::new(database.pool(10)), &rules);
    let start = Arc::new(tokio::sync::Barrier::new(usize::try_from(TASKS).unwrap()));
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let (shared, start) = (shared.clone(), Arc::clone(&start));
        tasks.push(tokio::spawn(async move {
            let mut dice = contract::Dice(task + 1);
            let (mut charged, mut refused) = (0, 0);
            for round in 0..ROUNDS {
                let keys: Vec<_> = ["a", "b", "c", "d"]
                    .into_iter()
                    .flat_map(|rule| [(rule, round), (rule, round + 1)])
                    .filter(|_| dice.below(3) > 0)
                    .map(|(rule, key)| (rule, Key::text(&key.to_string())))
                    .collect();
                start.wait().await;
                if !keys.is_empty() {
                    let allowed = shared.check(&keys, Cost::ONE).await.unwrap().allowed;
                    *(if allowed { &mut charged } else { &mut refused }) += keys.len();
                }
            }
            (charged, refused)
        }));
    }
    let (mut charged, mut refused) = (0, 0);
    for task in tasks {
        let counts = task.await.unwrap();
        charged += counts.0;
        refused += counts.1;
    }
    // A deadlock is a failure of the store, which this limiter answers with a refusal.
    assert_eq!(refused, 0);
    let counted = "SELECT sum(cost)::bigint FROM stockade.rate_limit, unnest(costs) AS cost";
    assert_eq!(
        sqlx::query_scalar::<_, i64>(counted).fetch_one(&database.admin).await.unwrap(),
        i64::try_from(charged).unwrap()
    );
}

/// The control: the same rows locked in the order of the request do deadlock.
#[sqlx::test(migrations = false)]
async fn rows_locked_in_any_order_would_deadlock(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let insert = "INSERT INTO stockade.rate_limit (slot) VALUES ('aaaaaaaaaaaaaaaa'), ('bbbbbbbbbbbbbbbb')";
    database.admin.execute(insert).await.unwrap();
    let lock = "SELECT FROM stockade.rate_limit WHERE slot = $1 FOR UPDATE";
    let (mut one, mut other) = (database.admin.begin().await.unwrap(), database.admin.begin().await.unwrap());
    let (a, b) = (b"aaaaaaaaaaaaaaaa".as_slice(), b"bbbbbbbbbbbbbbbb".as_slice());
    sqlx::query(lock).bind(a).execute(&mut *one).await.unwrap();
    sqlx::query(lock).bind(b).execute(&mut *other).await.unwrap();
    let crossed =
        tokio::join!(sqlx::query(lock).bind(b).execute(&mut *one), sqlx::query(lock).bind(a).execute(&mut *other));
    let code = [crossed.0.err(), crossed.1.err()].into_iter().flatten().next().unwrap();
    assert_eq!(code.as_database_error().unwrap().code().unwrap(), "40P01");
}

#[sqlx::test(migrations = false)]
async fn a_batch_decides_as_single_checks_do(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    contract::a_batch_decides_as_single_checks_do(database.store()).await;
}

#[sqlx::test(migrations = false)]
async fn gathered_guesses_pass_five_in_postgres(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    contract::a_hundred_guesses_pass_five(async || Gathered::new(PgStore::new(database.pool(2)), HOUR)).await;
}

#[sqlx::test(migrations = false)]
async fn a_lockout_and_its_audit_entry_are_one_transaction(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    database.admin.execute("CREATE TABLE audit (what text); GRANT INSERT ON audit TO PUBLIC").await.unwrap();
    let shared = limiter(database.store(), &[Rule::exact("account", n(2), HOUR)]);
    let keys = [("account", Key::account("ana"))];
    let logins = database.pool(1);
    let durable = "SHOW synchronous_commit";
    for (commits, expected) in [(true, 1), (false, 1), (true, 0)] {
        let mut transaction = logins.begin().await.unwrap();
        transaction.execute("SET LOCAL synchronous_commit = on").await.unwrap();
        let decision = shared.check_durably(&mut transaction, &keys, Cost::ONE).await.unwrap();
        assert!(decision.allowed);
        sqlx::query("INSERT INTO audit VALUES ('failed sign-in')").execute(&mut *transaction).await.unwrap();
        let after: String = sqlx::query_scalar(durable).fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(after, "on", "the application's commit stays as durable as it was");
        if commits {
            transaction.commit().await.unwrap();
        } else {
            transaction.rollback().await.unwrap();
        }
        assert_eq!(shared.peek(&keys, Cost::ONE).await.unwrap().remaining, expected);
    }
    let entries: i64 = sqlx::query_scalar("SELECT count(*) FROM audit").fetch_one(&database.admin).await.unwrap();
    assert_eq!(entries, 2);
    let mut transaction = logins.begin().await.unwrap();
    assert!(!shared.check_durably(&mut transaction, &keys, Cost::ONE).await.unwrap().allowed);
}

#[sqlx::test(migrations = false)]
async fn counts_do_not_wait_for_the_disk_and_lockouts_do(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let mut connection = database.pool(1).acquire().await.unwrap();
    let call = |durable: &str| {
        format!(
            "SELECT used FROM stockade.rate_limit_call('charge', {durable}, NULL, '{{0}}', '{{1}}',
             ARRAY['aaaaaaaaaaaaaaaa'::bytea], '{{1}}', '{{1000}}', '{{5}}', '{{true}}', '{{0}}', '{{false}}')"
        )
    };
    for (durable, expected) in [("false", "off"), ("true", "on")] {
        let mut transaction = connection.begin().await.unwrap();
        transaction.execute("SET LOCAL synchronous_commit = on").await.unwrap();
        let sql = sqlx::AssertSqlSafe(call(durable));
        sqlx::query(sql).execute(&mut *transaction).await.unwrap();
        let setting: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(setting, expected);
        transaction.rollback().await.unwrap();
    }
}

#[sqlx::test(migrations = false)]
async fn the_limiters_role_may_call_and_not_read(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options.clone()).await;
    let login = database.pool(1);
    for statement in [
        "SELECT * FROM stockade.rate_limit",
        "DELETE FROM stockade.rate_limit",
        "UPDATE stockade.rate_limit SET fresh_at = 0",
        "TRUNCATE stockade.rate_limit",
        "DROP FUNCTION stockade.rate_limit_sweep",
    ] {
        let error = login.execute(statement).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501", "{statement}");
    }
    database.admin.execute("CREATE ROLE stockade_ratelimit_stranger LOGIN").await.ok();
    let stranger =
        PgPoolOptions::new().max_connections(1).connect_lazy_with(options.username("stockade_ratelimit_stranger"));
    let error = stranger.execute("SELECT stockade.rate_limit_sweep(1)").await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501");
}

#[sqlx::test(migrations = false)]
async fn a_sweep_forgets_only_what_no_longer_counts(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let clock = ManualClock::new();
    let old = limiter(database.store().with_client_time(clock), &[Rule::exact("old", n(1), Duration::from_secs(1))]);
    let live = limiter(database.store(), &[Rule::exact("live", n(1), HOUR)]);
    for key in ["1", "2", "3"] {
        assert!(old.check(&[("old", Key::text(key))], Cost::ONE).await.unwrap().allowed);
        assert!(live.check(&[("live", Key::text(key))], Cost::ONE).await.unwrap().allowed);
    }
    let store = database.store();
    assert_eq!((store.sweep(2).await.unwrap(), store.sweep(9).await.unwrap(), database.rows().await), (2, 1, 3));
    assert!(!live.check(&[("live", Key::text("1"))], Cost::ONE).await.unwrap().allowed);
}

#[sqlx::test(migrations = false)]
async fn names_and_addresses_are_not_stored(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let shared = limiter(database.store(), &[Rule::exact("account", n(1), HOUR)]);
    let _ = shared.check(&[("account", Key::account("ana@acme.test"))], Cost::ONE).await.unwrap();
    let row: String = sqlx::query_scalar("SELECT encode(slot, 'escape') FROM stockade.rate_limit")
        .fetch_one(&database.admin)
        .await
        .unwrap();
    assert!(!row.contains("ana"));
}

#[sqlx::test(migrations = false)]
async fn a_failing_statement_is_an_error_without_sql(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    database.admin.execute("DROP FUNCTION stockade.rate_limit_sweep").await.unwrap();
    let error = database.store().sweep(1).await.unwrap_err();
    assert_eq!((error.kind(), error.to_string()), (ErrorKind::Store, "the rate limit store failed".to_owned()));
}

#[sqlx::test(migrations = false)]
async fn a_role_that_is_no_superuser_migrates_twice(_: PgPoolOptions, options: PgConnectOptions) {
    let mut admin = PgConnection::connect_with(&options).await.unwrap();
    for _ in 0..20 {
        let _ = admin.execute("CREATE ROLE stockade_ratelimit_admin LOGIN CREATEROLE").await;
        // From version 16 on, only who administers a role may grant it.
        let _ = admin
            .execute(
                "DO $$ BEGIN IF to_regrole('stockade_owner') IS NOT NULL THEN
            GRANT stockade_owner TO stockade_ratelimit_admin WITH ADMIN OPTION; END IF; END $$",
            )
            .await;
        let database = options.get_database().unwrap().to_owned();
        let grant = sqlx::AssertSqlSafe(format!("GRANT CREATE ON DATABASE \"{database}\" TO stockade_ratelimit_admin"));
        if admin.execute(grant).await.is_ok() {
            break;
        }
    }
    let options = options.username("stockade_ratelimit_admin");
    for _ in 0..2 {
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        migrator().run(&mut connection).await.unwrap();
    }
}

#[test]
fn released_migrations_are_as_they_were() {
    let sums = MIGRATIONS.iter().map(|(version, name, sql)| {
        let digest = Sha384::digest(sql);
        let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("{version} {name} {hex}")
    });
    assert_eq!(sums.collect::<Vec<_>>(), ["1 ratelimit 1f38815bb8ba4087", "2 lockouts 19f8d887018f12be"]);
}
