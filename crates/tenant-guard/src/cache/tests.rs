use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{Cache, Entry, Missing};

const HOUR: Duration = Duration::from_secs(3_600);

fn fresh(value: u32) -> Entry<u32> {
    let later = Instant::now() + HOUR;
    Entry { value, renew_at: later, ends_at: later }
}

fn due(value: u32) -> Entry<u32> {
    let now = Instant::now();
    Entry { value, renew_at: now, ends_at: now + HOUR }
}

fn ended(value: u32) -> Entry<u32> {
    let now = Instant::now();
    Entry { value, renew_at: now, ends_at: now }
}

async fn put(cache: &Cache<u32, u32>, key: u32, entry: Entry<u32>) -> u32 {
    cache.obtain(&key, async { Ok::<_, Infallible>(entry) }).await.unwrap()
}

async fn fail(cache: &Cache<u32, u32>, key: u32) -> Result<u32, Missing<&'static str>> {
    cache.obtain(&key, async { Err("down") }).await
}

#[tokio::test]
async fn a_fresh_value_is_not_made_again() {
    let cache = Cache::new(8);
    assert_eq!(put(&cache, 1, fresh(10)).await, 10);
    assert_eq!(put(&cache, 1, fresh(11)).await, 10);
    assert_eq!(put(&cache, 2, fresh(20)).await, 20);
}

#[tokio::test]
async fn a_due_value_is_renewed_and_serves_when_that_fails() {
    let cache = Cache::new(8);
    put(&cache, 1, due(10)).await;
    assert_eq!(fail(&cache, 1).await.unwrap(), 10);
    // After a failure the next attempt waits.
    assert_eq!(put(&cache, 1, fresh(11)).await, 10);

    let cache = Cache::new(8);
    put(&cache, 1, due(10)).await;
    assert_eq!(put(&cache, 1, fresh(11)).await, 11);
}

#[tokio::test]
async fn an_ended_value_never_serves() {
    let cache = Cache::new(8);
    put(&cache, 1, ended(10)).await;
    assert!(matches!(fail(&cache, 1).await, Err(Missing::Failed("down"))));
    assert_eq!(put(&cache, 1, fresh(11)).await, 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_make_one_value() {
    let (cache, made) = (Arc::new(Cache::<u32, u32>::new(8)), Arc::new(AtomicUsize::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..200 {
        let (cache, made) = (Arc::clone(&cache), Arc::clone(&made));
        callers.spawn(async move {
            let make = async {
                made.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(fresh(10))
            };
            cache.obtain(&1, make).await.unwrap()
        });
    }
    assert!(callers.join_all().await.iter().all(|value| *value == 10));
    assert_eq!(made.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn those_who_waited_share_the_failure() {
    let cache = Cache::<u32, u32>::new(8);
    let down = async {
        tokio::task::yield_now().await;
        Err("down")
    };
    let (first, second) = tokio::join!(cache.obtain(&1, down), fail(&cache, 1));
    assert!(matches!(first, Err(Missing::Failed(_))));
    assert!(matches!(second, Err(Missing::FailedElsewhere)));
}

#[tokio::test]
async fn an_attempt_that_was_dropped_blocks_nobody() {
    let cache = Cache::<u32, u32>::new(8);
    let never = cache.obtain(&1, std::future::pending::<Result<_, Infallible>>());
    assert!(tokio::time::timeout(Duration::ZERO, never).await.is_err());
    assert_eq!(put(&cache, 1, fresh(10)).await, 10);
}

#[tokio::test]
async fn it_stays_bounded_and_drops_what_ends_first() {
    let cache = Cache::new(3);
    put(&cache, 1, fresh(10)).await;
    put(&cache, 2, due(20)).await;
    put(&cache, 3, ended(30)).await;
    for key in 4..50 {
        put(&cache, key, fresh(key)).await;
        // An attempt that failed leaves a slot without a value.
        assert!(fail(&cache, 100 + key).await.is_err());
        assert!(cache.slots.lock().unwrap().len() <= 3);
    }
    assert_eq!(put(&cache, 49, fresh(0)).await, 49, "the newest is still there");
}

#[tokio::test]
async fn what_is_forgotten_while_it_is_made_is_not_kept() {
    let cache = Cache::<u32, u32>::new(8);
    let made = cache
        .obtain(&1, async {
            assert!(cache.forget(|key| *key == 1).is_empty());
            Ok::<_, Infallible>(fresh(10))
        })
        .await;
    assert_eq!(made.unwrap(), 10);
    assert_eq!(put(&cache, 1, fresh(11)).await, 11);
    assert_eq!(cache.forget(|_| true), [11]);
}
