//! Look-ups and revocations at once, on PostgreSQL and Redis.

use std::sync::atomic::AtomicUsize;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_session::{Scope, SessionId, Store, UserId, postgres::PgStore, store::Lookup};
use tokio::task::JoinSet;

use super::*;

/// A connection whose commands are late by up to a millisecond and a half, so that what is looked up often comes to Redis after what
/// was changed meanwhile.
#[derive(Clone)]
struct Late<C>(C, Arc<AtomicUsize>);

impl<C> Late<C> {
    async fn wait(&self) {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(number.wrapping_mul(0x9E37_79B9) >> 5).unwrap() % 1_500;
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
}

impl<C: ConnectionLike + Send + Sync> ConnectionLike for Late<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            self.wait().await;
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

const WORKERS: usize = 2;

fn owner(worker: usize) -> UserId {
    Uuid::from_u128(0xB000 + u128::try_from(worker).unwrap()).into()
}

fn numbered(number: usize) -> Digest {
    let mut bytes = [0xC; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    bytes.into()
}

/// A new session of a worker's own user and tenant.
async fn begin(primary: &PgStore, worker: usize, number: usize) -> SessionRecord {
    let account = primary.account(Lookup::User(owner(worker))).await.unwrap().unwrap();
    let sid = Uuid::from_u128(u128::try_from(number).unwrap());
    let (user, tenant, versions) = (account.user, account.tenant, account.versions);
    let session = SessionRecord { user, tenant, versions, ..record(1) };
    let session = SessionRecord { sid: sid.into(), ..session };
    primary.insert_session(&numbered(number), &session).await.unwrap();
    session
}

async fn accounts(primary: &PgStore) {
    for worker in 0..WORKERS {
        let account = NewAccountRecord {
            user: owner(worker),
            tenant: owner(worker).as_uuid().into(),
            identifier: format!("worker {worker}"),
            password_hash: "hash".to_owned(),
        };
        primary.insert_account(&account).await.unwrap();
    }
}

async fn change<S: Store>(store: &S, session: &SessionRecord, number: usize) {
    match number / WORKERS % 8 {
        0 => drop(store.bump_version(Scope::User(session.user)).await.unwrap()),
        1 => drop(store.bump_version(Scope::Tenant(session.tenant)).await.unwrap()),
        2 => drop(store.rotate(&numbered(number), &numbered(number | 1 << 40), start()).await.unwrap()),
        // It ends what the other workers do too, so it is rare.
        3 if number % 64 == 6 => drop(store.bump_version(Scope::Global).await.unwrap()),
        _ => drop(store.revoke(session.sid, start()).await.unwrap()),
    }
}

/// In each trial a new session, readers on late connections who look it up over and over, and one change in the middle of it. Whoever
/// asks after the change has returned must not get the session.
#[sqlx::test(migrations = false)]
async fn no_look_that_begins_after_a_revocation_finds_the_session(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = crate::postgres::Database::install(pool, options).await;
    let (primary, name) = (database.store(), namespace());
    accounts(&primary).await;
    let (trials, delays) = (races(300), Arc::new(AtomicUsize::new(0)));
    let prompt = over(primary.clone(), connect().await, &name);
    let mut late = Vec::new();
    for _ in 0..3 {
        late.push(over(primary.clone(), Late(connect().await, Arc::clone(&delays)), &name));
    }
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (primary, prompt, late) = (primary.clone(), prompt.clone(), late.clone());
        workers.spawn(async move {
            let mut failures = 0;
            for number in (0..trials).filter(|number| number % WORKERS == worker) {
                let session = begin(&primary, worker, number).await;
                // In three of four trials something is kept before; in the others the first looks race with the change.
                for _ in 0..number / 5 % 4 {
                    prompt.resolve(&numbered(number), start()).await.unwrap();
                }
                let told = Arc::new(AtomicU64::new(0));
                let readers: Vec<_> = late
                    .iter()
                    .map(|store| {
                        let (store, told) = (store.clone(), Arc::clone(&told));
                        tokio::spawn(async move {
                            let mut late_hits = 0;
                            for _ in 0..4 {
                                let after = told.load(Ordering::SeqCst) == 1;
                                let live = store.resolve(&numbered(number), start()).await.unwrap().is_some();
                                late_hits += usize::from(after && live);
                            }
                            late_hits
                        })
                    })
                    .collect();
                tokio::time::sleep(Duration::from_micros(u64::try_from(number % 7).unwrap() * 500)).await;
                change(&prompt, &session, number).await;
                told.store(1, Ordering::SeqCst);
                failures += usize::from(prompt.resolve(&numbered(number), start()).await.unwrap().is_some());
                for reader in readers {
                    failures += reader.await.unwrap();
                }
                failures += usize::from(prompt.resolve(&numbered(number), start()).await.unwrap().is_some());
            }
            failures
        });
    }
    let failures: usize = workers.join_all().await.into_iter().sum();
    let hits: u64 = late.iter().map(|store| store.stats().hits).sum::<u64>() + prompt.stats().hits;
    println!("{trials} trials, {failures} failures, {hits} answers from Redis");
    assert_eq!(failures, 0);
    assert!(hits > u64::try_from(trials).unwrap() / 4, "the cache was in use: {hits}");
}

/// The control: get, look up, set, and a removal after each revocation, on the same late connections.
#[sqlx::test(migrations = false)]
async fn a_plain_cache_lets_revoked_sessions_in(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = crate::postgres::Database::install(pool, options).await;
    let (primary, name) = (database.store(), namespace());
    accounts(&primary).await;
    let delays = Arc::new(AtomicUsize::new(0));
    let late = Late(connect().await, delays);
    let trials = races(300);
    let mut failures = 0;
    for number in 0..trials {
        let session = begin(&primary, 0, number).await;
        let key = format!("{name}.{number}");
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (mut late, primary, key) = (late.clone(), primary.clone(), key.clone());
                tokio::spawn(async move {
                    for _ in 0..2 {
                        let kept: Option<String> = ::redis::cmd("GET").arg(&key).query_async(&mut late).await.unwrap();
                        if kept.is_none() && primary.resolve(&numbered(number), start()).await.unwrap().is_some() {
                            let mut set = ::redis::cmd("SET");
                            let () = set.arg(&key).arg("live").arg("EX").arg(60).query_async(&mut late).await.unwrap();
                        }
                    }
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(u64::try_from(number % 7).unwrap() * 500)).await;
        primary.revoke(SessionId::from(session.sid.as_uuid()), start()).await.unwrap();
        let mut prompt = late.0.clone();
        let _: i64 = ::redis::cmd("DEL").arg(&key).query_async(&mut prompt).await.unwrap();
        for reader in readers {
            reader.await.unwrap();
        }
        let kept: Option<String> = ::redis::cmd("GET").arg(&key).query_async(&mut prompt).await.unwrap();
        failures += usize::from(kept.is_some());
    }
    println!("{trials} trials, {failures} failures");
    assert!(failures > 0, "the race that the ticket is against does not happen here");
}
