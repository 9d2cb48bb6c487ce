//! The store in Redis.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use stockade_ratelimit::redis::RedisStore;
use stockade_ratelimit::store::Gathered;
use stockade_ratelimit::{Cost, ErrorKind, Key, ManualClock, Rule};

use crate::bench::{cost, n};
use crate::contract::{self, limiter};

async fn connect() -> MultiplexedConnection {
    let url = std::env::var("REDIS_URL").expect("REDIS_URL is not set: run the tests with scripts/test");
    let client = redis::Client::open(url).unwrap();
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
}

/// A namespace that no earlier run has left anything in.
fn namespace(test: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{test}.{}.{}", std::process::id(), now.as_nanos())
}

async fn store(test: &str) -> RedisStore<MultiplexedConnection> {
    RedisStore::new(connect().await, &namespace(test)).unwrap()
}

pub(crate) async fn with_clock(test: &str) -> (RedisStore<MultiplexedConnection>, ManualClock) {
    let clock = ManualClock::new();
    (store(test).await.with_client_time(clock.clone(), Duration::ZERO), clock)
}

#[tokio::test]
async fn redis_decides_as_memory_does() {
    for seed in [1, 2] {
        let (store, clock) = with_clock("same").await;
        contract::decides_as_memory(store, clock, seed, 2_000).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_guesses_pass_five_in_redis() {
    let name = namespace("guesses");
    contract::a_hundred_guesses_pass_five(async || RedisStore::new(connect().await, &name).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gathered_guesses_pass_five_in_redis() {
    let name = namespace("gathered");
    let store = async || Gathered::new(RedisStore::new(connect().await, &name).unwrap(), Duration::from_secs(30));
    contract::a_hundred_guesses_pass_five(store).await;
}

#[tokio::test]
async fn a_batch_decides_as_single_checks_do_in_redis() {
    contract::a_batch_decides_as_single_checks_do(store("batch").await).await;
}

#[tokio::test]
async fn a_clock_that_goes_back_admits_nothing_in_redis() {
    let (store, clock) = with_clock("back").await;
    contract::a_clock_that_goes_back_admits_nothing(store, clock).await;
}

#[tokio::test]
async fn mistakes_are_errors_in_front_of_redis() {
    contract::mistakes_are_errors_and_off_is_off(store("mistakes").await).await;
}

#[tokio::test]
async fn the_servers_clock_is_used_unless_said_otherwise() {
    let shared = limiter(store("time").await, &[Rule::exact("one", n(1), Duration::from_micros(1))]);
    let long = limiter(store("time").await, &[Rule::exact("one", n(1), Duration::from_secs(3600))]);
    let keys = [("one", Key::text("k"))];
    for _ in 0..3 {
        assert!(shared.check(&keys, Cost::ONE).await.unwrap().allowed, "a microsecond is over by the next round trip");
    }
    assert!(long.check(&keys, Cost::ONE).await.unwrap().allowed);
    let refused = long.check(&keys, Cost::ONE).await.unwrap();
    assert!(!refused.allowed && refused.retry_after > Duration::from_secs(3000));
}

/// A process whose clock is ahead sees a charge leave the window early: the window is so much longer, if it is told.
#[tokio::test]
async fn clocks_apart_by_the_stated_skew_do_not_break_the_limit() {
    let (skew, window) = (Duration::from_millis(40), Duration::from_millis(100));
    for rule in [Rule::exact("rule", n(3), window), Rule::window("rule", n(3), window)] {
        for (max_skew, holds) in [(skew, true), (Duration::ZERO, false)] {
            let name = namespace("skew");
            let (ahead, behind) = (ManualClock::new(), ManualClock::new());
            behind.advance(Duration::from_secs(10));
            ahead.advance(Duration::from_secs(10) + skew);
            let node = async |clock: &ManualClock| {
                let store = RedisStore::new(connect().await, &name).unwrap();
                limiter(store.with_client_time(clock.clone(), max_skew), std::slice::from_ref(&rule))
            };
            let (one, other) = (node(&behind).await, node(&ahead).await);
            let keys = [("rule", Key::text("k"))];
            assert!(one.check(&keys, cost(3)).await.unwrap().allowed);
            // 75 milliseconds later, which a clock ahead takes for 115: outside the window, and outside 16/15 of it.
            ahead.advance(Duration::from_millis(75));
            let second = other.check(&keys, cost(3)).await.unwrap().allowed;
            assert_eq!(second, !holds, "{rule:?}: without the allowance the limit is broken, which is the control");
        }
    }
}

/// Of a strict token bucket that was emptied, a process whose clock is ahead must not have more in any window than the limit.
#[tokio::test]
async fn a_clock_that_is_ahead_does_not_fill_a_strict_bucket_faster_than_it_may() {
    let (skew, window) = (Duration::from_millis(40), Duration::from_millis(100));
    let rule = Rule::gcra_strict("rule", n(100), window, n(50));
    for (max_skew, holds) in [(skew, true), (Duration::ZERO, false)] {
        let name = namespace("ahead");
        let (ahead, behind) = (ManualClock::new(), ManualClock::new());
        behind.advance(Duration::from_secs(10));
        ahead.advance(Duration::from_secs(10) + skew);
        let node = async |clock: &ManualClock| {
            let store = RedisStore::new(connect().await, &name).unwrap();
            limiter(store.with_client_time(clock.clone(), max_skew), std::slice::from_ref(&rule))
        };
        let (one, other) = (node(&behind).await, node(&ahead).await);
        let keys = [("rule", Key::text("k"))];
        assert!(one.check(&keys, cost(50)).await.unwrap().allowed);
        let mut admitted = 50;
        // The rest of the window, less its last millisecond, in the other process's time.
        for _ in 0..99 {
            ahead.advance(Duration::from_millis(1));
            while other.check(&keys, Cost::ONE).await.unwrap().allowed {
                admitted += 1;
            }
        }
        assert_eq!(
            admitted <= 100,
            holds,
            "{admitted}: without the allowance the limit is broken, which is the control"
        );
    }
}

/// On a cluster the part in braces alone chooses the slot.
#[tokio::test]
async fn all_keys_of_a_store_share_a_slot_expire_and_name_nobody() {
    let name = namespace("keys");
    let shared = limiter(
        RedisStore::new(connect().await, &name).unwrap(),
        &[Rule::exact("account", n(20), Duration::from_secs(900)), Rule::window("ip", n(99), Duration::from_secs(60))],
    );
    let keys = [("account", Key::account("ana@acme.test")), ("ip", Key::text("203.0.113.9"))];
    for _ in 0..20 {
        assert!(shared.check(&keys, Cost::ONE).await.unwrap().allowed);
    }
    let mut connection = connect().await;
    let found: Vec<Vec<u8>> =
        redis::cmd("KEYS").arg(format!("{{{name}}}*")).query_async(&mut connection).await.unwrap();
    assert_eq!(found.len(), 2);
    for key in found {
        assert_eq!(key.len(), name.len() + 2 + 16);
        let lives: u64 = redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        let bytes: u64 = redis::cmd("STRLEN").arg(&key).query_async(&mut connection).await.unwrap();
        assert!((60_000..=960_000).contains(&lives), "{lives}");
        assert!(bytes <= 16 * 11 || bytes == 20 * 8, "{bytes}");
    }
    let error = RedisStore::new(connect().await, "{a}").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
}

#[tokio::test]
async fn a_refund_that_empties_a_key_deletes_it() {
    let name = namespace("empty");
    let shared =
        limiter(RedisStore::new(connect().await, &name).unwrap(), &[Rule::exact("one", n(2), Duration::from_secs(60))]);
    let keys = [("one", Key::text("k"))];
    let stockade_ratelimit::Reservation::Granted(permit) = shared.reserve(&keys, cost(2)).await.unwrap() else {
        panic!("refused")
    };
    permit.refund().await.unwrap();
    let mut connection = connect().await;
    let found: Vec<Vec<u8>> =
        redis::cmd("KEYS").arg(format!("{{{name}}}*")).query_async(&mut connection).await.unwrap();
    assert!(found.is_empty());
}
