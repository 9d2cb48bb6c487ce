//! The controls of `races`: the usual ways, which read first and write what they have decided, fail in the same races.

use std::sync::Arc;

use sqlx::{
    Executor, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
    query, query_as, query_scalar,
};
use tokio::{sync::Barrier, task::JoinSet};

const TRIALS: i64 = 50;

async fn database(pool: PgPoolOptions, options: PgConnectOptions, table: &'static str) -> PgPool {
    let pool = pool.max_connections(10).connect_with(options).await.unwrap();
    pool.execute(table).await.unwrap();
    pool
}

/// Runs `racers` at once, each with a barrier to wait at after it has read, and counts those that answered true.
async fn together<F: Future<Output = bool> + Send + 'static>(
    racers: usize,
    racer: impl Fn(usize, Arc<Barrier>) -> F,
) -> usize {
    let barrier = Arc::new(Barrier::new(racers));
    let mut tasks = JoinSet::new();
    for number in 0..racers {
        tasks.spawn(racer(number, Arc::clone(&barrier)));
    }
    tasks.join_all().await.into_iter().filter(|won| *won).count()
}

const SESSIONS: &str = "CREATE TABLE naive_session (id bigint PRIMARY KEY, mfa_verified boolean, last_path text)";
const LOAD: &str = "SELECT mfa_verified, last_path FROM naive_session WHERE id = $1";
const SAVE: &str = "INSERT INTO naive_session VALUES ($1, $2, $3)
                    ON CONFLICT (id) DO UPDATE SET mfa_verified = excluded.mfa_verified, last_path = excluded.last_path";

type Data = (bool, String);

async fn load(pool: &PgPool, id: i64) -> Option<Data> {
    query_as(LOAD).bind(id).fetch_optional(pool).await.unwrap()
}

async fn save(pool: &PgPool, id: i64, (mfa_verified, last_path): Data) {
    query(SAVE).bind(id).bind(mfa_verified).bind(last_path).execute(pool).await.unwrap();
}

/// A session that is loaded whole and saved whole, as session stores do that keep a blob, beside a logout that deletes it.
#[sqlx::test(migrations = false)]
async fn saving_a_whole_session_revives_it(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = database(pool, options, SESSIONS).await;
    let mut revived = 0;
    for id in 0..TRIALS {
        save(&pool, id, (false, String::new())).await;
        together(2, |number, barrier| {
            let pool = pool.clone();
            async move {
                let data = load(&pool, id).await.unwrap();
                barrier.wait().await;
                if number == 0 {
                    save(&pool, id, data).await;
                } else {
                    query("DELETE FROM naive_session WHERE id = $1").bind(id).execute(&pool).await.unwrap();
                }
                true
            }
        })
        .await;
        revived += usize::from(load(&pool, id).await.is_some());
    }
    assert!(revived > 0, "no session came back in {TRIALS} trials");
}

/// One request verifies the second factor, another one notes its path; the last one to save takes the other's change back.
#[sqlx::test(migrations = false)]
async fn saving_a_whole_session_loses_a_change(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = database(pool, options, SESSIONS).await;
    let mut lost = 0;
    for id in 0..TRIALS {
        save(&pool, id, (false, String::new())).await;
        together(2, |number, barrier| {
            let pool = pool.clone();
            async move {
                let (mfa_verified, path) = load(&pool, id).await.unwrap();
                barrier.wait().await;
                let changed = if number == 0 { (true, path) } else { (mfa_verified, "/loads".to_owned()) };
                save(&pool, id, changed).await;
                true
            }
        })
        .await;
        lost += i64::from(load(&pool, id).await.unwrap() != (true, "/loads".to_owned()));
    }
    assert_eq!(lost, TRIALS, "both had read before one wrote");
}

#[sqlx::test(migrations = false)]
async fn reading_the_last_step_first_accepts_a_code_twice(pool: PgPoolOptions, options: PgConnectOptions) {
    let table = "CREATE TABLE naive_totp AS SELECT -1::bigint AS last_step";
    let pool = database(pool, options, table).await;
    for step in 0..TRIALS {
        let accepted = together(4, |_, barrier| {
            let pool = pool.clone();
            async move {
                let last: i64 = query_scalar("SELECT last_step FROM naive_totp").fetch_one(&pool).await.unwrap();
                barrier.wait().await;
                if step <= last {
                    return false;
                }
                query("UPDATE naive_totp SET last_step = $1").bind(step).execute(&pool).await.unwrap();
                true
            }
        });
        assert_eq!(accepted.await, 4);
    }
}

#[sqlx::test(migrations = false)]
async fn counting_after_the_guess_passes_the_limit(pool: PgPoolOptions, options: PgConnectOptions) {
    let table = "CREATE TABLE naive_attempt (bucket bigint NOT NULL)";
    let pool = database(pool, options, table).await;
    for bucket in 0..TRIALS {
        let evaluated = together(8, |_, barrier| {
            let pool = pool.clone();
            async move {
                let count = "SELECT count(*) FROM naive_attempt WHERE bucket = $1";
                let failures: i64 = query_scalar(count).bind(bucket).fetch_one(&pool).await.unwrap();
                barrier.wait().await;
                if failures >= 5 {
                    return false;
                }
                query("INSERT INTO naive_attempt VALUES ($1)").bind(bucket).execute(&pool).await.unwrap();
                true
            }
        });
        assert_eq!(evaluated.await, 8, "five were allowed");
    }
}

#[sqlx::test(migrations = false)]
async fn comparing_before_taking_away_accepts_a_recovery_code_twice(pool: PgPoolOptions, options: PgConnectOptions) {
    let table = "CREATE TABLE naive_recovery (codes bigint[] NOT NULL); INSERT INTO naive_recovery VALUES ('{}')";
    let pool = database(pool, options, table).await;
    for code in 0..TRIALS {
        query("UPDATE naive_recovery SET codes = codes || $1").bind(code).execute(&pool).await.unwrap();
        let accepted = together(4, |_, barrier| {
            let pool = pool.clone();
            async move {
                let codes: Vec<i64> = query_scalar("SELECT codes FROM naive_recovery").fetch_one(&pool).await.unwrap();
                barrier.wait().await;
                let left: Vec<i64> = codes.iter().copied().filter(|other| *other != code).collect();
                query("UPDATE naive_recovery SET codes = $1").bind(&left).execute(&pool).await.unwrap();
                codes.contains(&code)
            }
        });
        assert_eq!(accepted.await, 4);
    }
}

#[sqlx::test(migrations = false)]
async fn looking_before_using_redeems_a_reset_twice(pool: PgPoolOptions, options: PgConnectOptions) {
    let table = "CREATE TABLE naive_reset (token bigint PRIMARY KEY, used boolean NOT NULL)";
    let pool = database(pool, options, table).await;
    for token in 0..TRIALS {
        query("INSERT INTO naive_reset VALUES ($1, false)").bind(token).execute(&pool).await.unwrap();
        let redeemed = together(4, |_, barrier| {
            let pool = pool.clone();
            async move {
                let used = "SELECT used FROM naive_reset WHERE token = $1";
                let used: bool = query_scalar(used).bind(token).fetch_one(&pool).await.unwrap();
                barrier.wait().await;
                query("UPDATE naive_reset SET used = true WHERE token = $1").bind(token).execute(&pool).await.unwrap();
                !used
            }
        });
        assert_eq!(redeemed.await, 4);
    }
}
