//! The cache in Redis.

mod changes;
mod forgery;
mod outages;
#[cfg(feature = "postgres")]
mod races;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ::redis::{
    Cmd, Pipeline, RedisFuture, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use chrono::TimeDelta;
use stockade_session::{
    KeyRing, MemoryStore, Store,
    redis::{CachedStore, Staleness},
    store::{Digest, NewAccountRecord, SessionRecord},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::support::*;

pub(crate) type Cached<S = MemoryStore, C = MultiplexedConnection> = CachedStore<S, C>;

pub(crate) async fn connect() -> MultiplexedConnection {
    let url =
        std::env::var("REDIS_URL").unwrap_or_else(|_| panic!("REDIS_URL is not set: run the tests with scripts/test"));
    ::redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

/// A namespace that nothing has used before.
fn namespace() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("session.{}.{}.{}", std::process::id(), since.as_nanos(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn ring() -> KeyRing {
    KeyRing::single(1, key(1)).unwrap()
}

fn over<S: Store, C: ConnectionLike + Clone + Send + Sync + 'static>(
    primary: S,
    connection: C,
    namespace: &str,
) -> Cached<S, C> {
    CachedStore::new(primary, connection, &ring(), namespace, Staleness::default()).unwrap()
}

/// What the contract runs on.
pub(crate) async fn store() -> Cached {
    over(MemoryStore::default(), connect().await, &namespace())
}

/// A connection that lets so many commands through at once as it has permits for.
#[derive(Clone)]
struct Gate<C>(C, Arc<Semaphore>);

impl<C: ConnectionLike + Send> ConnectionLike for Gate<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            self.1.acquire().await.unwrap().forget();
            self.0.req_packed_command(cmd).await
        })
    }

    fn req_packed_commands<'a>(&'a mut self, all: &'a Pipeline, from: usize, n: usize) -> RedisFuture<'a, Vec<Value>> {
        self.0.req_packed_commands(all, from, n)
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }
}

fn digest(byte: u8) -> Digest {
    [byte; 32].into()
}

fn record(sid: u128) -> SessionRecord {
    SessionRecord {
        sid: Uuid::from_u128(sid).into(),
        user: user(),
        tenant: tenant(),
        versions: stockade_session::store::Versions::default(),
        assurance: stockade_session::Assurance::Password,
        authenticated_at: start(),
        last_seen_at: start(),
        idle: TimeDelta::seconds(1800),
        expires_at: start() + TimeDelta::hours(12),
        ip: client().ip,
        user_agent: Some("agent".to_owned()),
        mfa_required_from: None,
    }
}

/// Ana, with one session under `digest(1)`.
async fn fill(primary: &impl Store) {
    let account = NewAccountRecord {
        user: user(),
        tenant: tenant(),
        identifier: "ana".to_owned(),
        password_hash: "hash".to_owned(),
    };
    primary.insert_account(&account).await.unwrap();
    primary.insert_session(&digest(1), &record(1)).await.unwrap();
}

async fn found<S: Store, C: ConnectionLike + Clone + Send + Sync + 'static>(store: &Cached<S, C>) -> bool {
    store.resolve(&digest(1), start()).await.unwrap().is_some()
}

async fn keys(namespace: &str) -> Vec<Vec<u8>> {
    ::redis::cmd("KEYS").arg(format!("{{{namespace}}}*")).query_async(&mut connect().await).await.unwrap()
}

#[tokio::test]
async fn a_second_look_asks_redis_alone_and_once() {
    let (primary, name) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    let asked = Arc::new(Semaphore::new(100));
    let store = over(primary.clone(), Gate(connect().await, Arc::clone(&asked)), &name);
    assert_eq!(store.resolve(&digest(1), start()).await.unwrap(), Some(record(1)));
    let before = asked.available_permits();
    // Past the cache, so that an answer from the primary store would be another one.
    primary.revoke(record(1).sid, start()).await.unwrap();
    for _ in 0..5 {
        assert_eq!(store.resolve(&digest(1), start()).await.unwrap(), Some(record(1)));
    }
    assert_eq!(before - asked.available_permits(), 5, "round trips");
    let stats = store.stats();
    assert_eq!((stats.hits, stats.misses, stats.failures, stats.untold), (5, 1, 0, 0));
    assert!(store.resolve(&digest(2), start()).await.unwrap().is_none());
    assert_eq!(before - asked.available_permits(), 6, "an unknown token costs one");
}

/// Redis's clock and the application's each end what is kept.
#[tokio::test]
async fn an_answer_is_at_most_as_old_as_was_said() {
    let name = namespace();
    let primary = MemoryStore::default();
    fill(&primary).await;
    let bound = Staleness::new(Duration::from_millis(1_500)).unwrap();
    let store = CachedStore::new(primary.clone(), connect().await, &ring(), &name, bound).unwrap();
    assert!(found(&store).await);
    let (mut connection, mut entries) = (connect().await, 0);
    for key in keys(&name).await {
        let life: i64 = ::redis::cmd("PTTL").arg(&key).query_async(&mut connection).await.unwrap();
        let length: u64 = ::redis::cmd("STRLEN").arg(&key).query_async(&mut connection).await.unwrap();
        match length {
            24 => assert!(life <= 3_000, "{life}"),
            _ => {
                entries += 1;
                assert!((1..=1_500).contains(&life), "{life}");
                // As if the server's clock stood still.
                let kept: bool = ::redis::cmd("PERSIST").arg(&key).query_async(&mut connection).await.unwrap();
                assert!(kept);
            }
        }
    }
    assert_eq!(entries, 1);
    primary.revoke(record(1).sid, start()).await.unwrap();
    let at = async |millis| store.resolve(&digest(1), start() + TimeDelta::milliseconds(millis)).await.unwrap();
    assert!(at(1_499).await.is_some() && at(-1_499).await.is_some(), "as documented");
    assert!(at(1_500).await.is_none());
    assert!(at(-1_500).await.is_none());
}

/// A look whose answer is later than its bound is not kept, so what Redis dates is never older than that.
#[tokio::test]
async fn a_look_that_took_too_long_is_not_kept() {
    let (primary, name) = (MemoryStore::default(), namespace());
    fill(&primary).await;
    let bound = Staleness::new(Duration::from_millis(20)).unwrap();
    let gate = Arc::new(Semaphore::new(1));
    let slow = CachedStore::new(primary, Gate(connect().await, Arc::clone(&gate)), &ring(), &name, bound).unwrap();
    let look = tokio::spawn({
        let slow = slow.clone();
        async move { found(&slow).await }
    });
    tokio::time::sleep(Duration::from_millis(60)).await;
    gate.add_permits(1);
    assert!(look.await.unwrap());
    let lengths = keys(&name).await.len();
    assert_eq!(lengths, 1, "only the stamp of the latest change");
}

#[tokio::test]
async fn redis_holds_no_token_no_digest_and_no_name_that_tells() {
    let name = namespace();
    let store = over(MemoryStore::default(), connect().await, &name);
    let desk = Desk::with_ana(store).await;
    let issued = desk.sign_in().await;
    assert!(desk.is_live(&issued).await && desk.is_live(&issued).await);
    let mut connection = connect().await;
    let (names, mut contents) = (keys(&name).await, Vec::new());
    assert_eq!(names.len(), 6, "the session, its four subjects, the latest change");
    for key in &names {
        contents.extend(key);
        let value: Vec<u8> = ::redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap();
        contents.extend(value);
    }
    let has = |wanted: &[u8]| contents.windows(wanted.len()).any(|bytes| bytes == wanted);
    assert!(has(issued.session().sid.as_uuid().as_bytes()) && has(b"test"), "the search works");
    let text = issued.token().expose();
    let token = base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text.as_bytes()).unwrap();
    assert!(!has(text.as_bytes()) && !has(&token) && !has(&token[1..17]));
    let stored = keyed_digest(&token);
    assert!(!has(&stored) && !has(&stored[..16]));
    for key in &names {
        for id in [user().as_uuid(), tenant().as_uuid(), issued.session().sid.as_uuid()] {
            assert!(!key.windows(16).any(|bytes| bytes == id.as_bytes()));
        }
    }
}

/// The digest of a session's token under the test's ring, as `KeyRing` derives it.
fn keyed_digest(token: &[u8]) -> [u8; 32] {
    use hmac::{Hmac, KeyInit, Mac};
    type HmacSha256 = Hmac<sha2::Sha256>;
    let expand = HmacSha256::new_from_slice(&key(1)).unwrap().chain_update(b"stockade-session/v1/session\x01");
    let subkey = expand.finalize().into_bytes();
    HmacSha256::new_from_slice(&subkey).unwrap().chain_update(token).finalize().into_bytes().into()
}

#[tokio::test]
async fn a_namespace_is_plain() {
    for wrong in ["", "a b", "{a}", "A", &"a".repeat(65)] {
        let store = CachedStore::new(MemoryStore::default(), connect().await, &ring(), wrong, Staleness::default());
        assert_eq!(store.unwrap_err().kind(), stockade_session::ErrorKind::Configuration);
    }
}
