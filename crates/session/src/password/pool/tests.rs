use super::*;
use crate::{BcryptCost, ErrorKind};

fn pool(workers: usize, queue: usize) -> HashPool {
    HashPool::new(HashPoolConfig {
        params: Argon2Params::dangerously_weak(),
        workers: NonZeroUsize::new(workers).unwrap(),
        queue,
    })
    .unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

#[tokio::test]
async fn hash_and_verify() {
    let pool = pool(2, 8);
    let hash = pool.hash(secret("correct horse")).await.unwrap();
    let verify = |password: &str, stored: Option<&str>| pool.verify(secret(password), stored.map(str::to_owned));
    assert_eq!(verify("correct horse", Some(&hash)).await.unwrap(), Verdict::Match);
    assert_eq!(verify("correct horsf", Some(&hash)).await.unwrap(), Verdict::Mismatch);
    assert_eq!(verify("correct horse", None).await.unwrap(), Verdict::Mismatch);
    assert_eq!(verify("correct horse", Some("x")).await.unwrap(), Verdict::Refused);
    let old = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    assert_eq!(verify("password", Some(old)).await.unwrap(), Verdict::MatchOutdated);
}

/// ASVS 5.0, 6.2.8: no truncation, neither at 72 bytes nor at the limit of 1024.
#[tokio::test]
async fn every_byte_counts() {
    let pool = pool(1, 8);
    for length in [72, 73, 1023, 1024] {
        let password = "a".repeat(length);
        let hash = pool.hash(secret(&password)).await.unwrap();
        let changed = format!("{}b", "a".repeat(length - 1));
        assert_eq!(pool.verify(secret(&password), Some(hash.clone())).await.unwrap(), Verdict::Match);
        assert_eq!(pool.verify(secret(&changed), Some(hash.clone())).await.unwrap(), Verdict::Mismatch);
        let longer = format!("{password}a");
        assert_eq!(pool.verify(secret(&longer), Some(hash)).await.unwrap(), Verdict::Mismatch);
    }
}

#[test]
fn dummy_is_live() {
    let params = Argon2Params::new(7_168, 5, 1).unwrap();
    for hashing in [Hashing::default(), Hashing::bcrypt(BcryptCost::dangerously_weak())] {
        let hasher = Hasher::new(params, hashing);
        let (a, b) = (dummy(&hasher, params).unwrap(), dummy(&hasher, params).unwrap());
        assert!(a.starts_with(&hasher.prefix()));
        assert!(hasher.parse(&a).is_some());
        assert_ne!(a, b);
    }
}

#[tokio::test]
async fn full_pool_refuses() {
    let pool = pool(1, 1);
    let (first, second) = (pool.admit().unwrap(), pool.admit().unwrap());
    let error = pool.verify(secret("x"), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    drop((first, second));
    assert!(pool.verify(secret("x"), None).await.is_ok());
}

/// The place belongs to the job. The worker is held by its queue's lock, so nothing here depends on time.
#[tokio::test]
async fn abandoned_work_keeps_its_place() {
    let (jobs, queue) = mpsc::channel();
    let places = Arc::new(Semaphore::new(1));
    let params = Argon2Params::dangerously_weak();
    let hasher = Arc::new(Hasher::new(params, Hashing::default()));
    let pool = HashPool { jobs, places, params, hasher, computed: Arc::default() };

    let mut waiting = Box::pin(pool.verify(secret("x"), None));
    assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await);
    drop(waiting);
    assert!(pool.admit().is_err(), "the abandoned job is still queued");
    drop(queue.recv().unwrap());
    assert!(pool.admit().is_ok());
}
