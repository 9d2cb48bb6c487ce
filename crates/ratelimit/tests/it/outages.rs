//! Stores that are killed, hang and come back.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Executor, PgConnection};
use stockade_ratelimit::postgres::PgStore;
use stockade_ratelimit::redis::RedisStore;
use stockade_ratelimit::store::{Health, HealthObserver, OnStoreError, Share, SharedLimiter, Store};
use stockade_ratelimit::{Cost, FingerprintKey, Key, ManualClock, Mode, Rule, Source};
use tempfile::TempDir;

use crate::bench::n;
use crate::contract;
use crate::postgres::Database;

const HOUR: Duration = Duration::from_secs(3600);

/// A redis-server of the test's own, which is killed with it. It listens on a socket in a folder, so that nobody can
/// take its port while it is down.
struct Server {
    folder: TempDir,
    child: Child,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { child: Self::spawn(folder.path()), folder }
    }

    fn spawn(folder: &Path) -> Child {
        Command::new("redis-server")
            .current_dir(folder)
            .args(["--port", "0", "--unixsocket", "redis", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is not installed: run the tests with scripts/test")
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(self.folder.path());
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(format!("redis+unix://{}/redis", self.folder.path().display())).unwrap()
    }

    async fn store(&self) -> RedisStore<ConnectionManager> {
        let client = self.client();
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_max_delay(Duration::from_millis(10))
            .set_response_timeout(None);
        for _ in 0..200 {
            if let Ok(connection) = ConnectionManager::new_with_config(client.clone(), config.clone()).await {
                return RedisStore::new(connection, "outage").unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the server does not start");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Default)]
struct Reports(Arc<Mutex<Vec<Health>>>);

impl HealthObserver for Reports {
    fn observe(&self, health: &Health) {
        self.0.lock().unwrap().push(*health);
    }
}

/// A limit of ten an hour over a store. The breaker's clock is moved by hand.
struct Node<S: Store> {
    limiter: SharedLimiter<S>,
    clock: ManualClock,
    reports: Reports,
}

impl<S: Store> Node<S> {
    fn new(store: S, on_error: OnStoreError) -> Self {
        let (clock, reports) = (ManualClock::new(), Reports::default());
        let limiter = SharedLimiter::builder(store, FingerprintKey::new([1; 32]), on_error)
            .rule(Rule::exact("ten", n(10), HOUR))
            .rule(Rule::exact("tried", n(1), HOUR).in_mode(Mode::Shadow))
            .deadline(Duration::from_millis(300))
            .clock(clock.clone())
            .health_observer(reports.clone())
            .build()
            .unwrap();
        Self { limiter, clock, reports }
    }

    async fn ask(&self, key: &str) -> (bool, Source) {
        let decision = self.limiter.check(&[("ten", Key::text(key))], Cost::ONE).await.unwrap();
        (decision.allowed, decision.source)
    }

    /// Requests under way while `fail` happens, and enough after it to notice.
    async fn through(&self, fail: impl AsyncFnOnce()) -> Vec<(bool, Source)> {
        let tasks: Vec<_> = (0..40)
            .map(|number| {
                let limiter = self.limiter.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(number / 4)).await;
                    let key = Key::text(&format!("crowd {number}"));
                    let decision = limiter.check(&[("ten", key)], Cost::ONE).await.unwrap();
                    (decision.allowed, decision.source)
                })
            })
            .collect();
        fail().await;
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        for _ in 0..3 {
            answers.push(self.ask("after").await);
        }
        assert_eq!(*self.reports.0.lock().unwrap(), [Health::Degraded], "one report, however many notice");
        answers
    }

    /// Asks once a second of the breaker's until the store decides again.
    async fn recover(&self) {
        for _ in 0..200 {
            self.clock.advance(Duration::from_secs(1));
            if self.ask("again").await.1 == Source::Store {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for _ in 0..5 {
            assert_eq!(self.ask("again").await.1, Source::Store);
        }
        let reports = self.reports.0.lock().unwrap().clone();
        let [Health::Degraded, Health::Recovered { lasted, decided, .. }] = reports[..] else { panic!("{reports:?}") };
        assert!(lasted >= Duration::from_secs(1) && decided > 0);
    }
}

fn local() -> OnStoreError {
    OnStoreError::Local { share: Share::among(n(2)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_lets_nobody_in_where_closed() {
    let mut server = Server::start();
    let node = Node::new(server.store().await, OnStoreError::Closed);
    assert_eq!(node.ask("k").await, (true, Source::Store));
    let answers = node.through(async || server.kill()).await;
    assert!(answers.iter().all(|answer| [(true, Source::Store), (false, Source::StoreDown)].contains(answer)));
    assert_eq!(node.ask("k").await, (false, Source::StoreDown));
    let tried = node.limiter.check(&[("tried", Key::text("k"))], Cost::ONE).await.unwrap();
    assert!(tried.allowed, "a rule on trial refuses nobody, whatever happens");
    server.restart();
    node.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_leaves_each_process_its_share_less_what_was_used() {
    let mut server = Server::start();
    let node = Node::new(server.store().await, local());
    for _ in 0..4 {
        assert_eq!(node.ask("k").await, (true, Source::Store));
    }
    let answers = node.through(async || server.kill()).await;
    assert!(answers.iter().all(|answer| [(true, Source::Store), (true, Source::Fallback)].contains(answer)));
    let mut admitted = Vec::new();
    for key in ["k", "new"] {
        let mut count = 0;
        for _ in 0..10 {
            let (allowed, source) = node.ask(key).await;
            assert_eq!(source, Source::Fallback);
            count += u32::from(allowed);
        }
        admitted.push(count);
    }
    assert_eq!(admitted, [1, 5], "five are this process's share; of one key four were used before");
    server.restart();
    node.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_redis_lets_everybody_in_for_a_while_where_open() {
    let mut server = Server::start();
    let node = Node::new(server.store().await, OnStoreError::Open { at_most: Duration::from_secs(30) });
    assert_eq!(node.ask("k").await, (true, Source::Store));
    node.through(async || server.kill()).await;
    for _ in 0..20 {
        assert_eq!(node.ask("k").await, (true, Source::Unchecked));
    }
    node.clock.advance(Duration::from_secs(31));
    assert_eq!(node.ask("k").await, (false, Source::StoreDown));
    server.restart();
    node.recover().await;
}

/// It neither answers nor hangs up: only the deadline helps.
#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_redis_is_given_up_at_the_deadline() {
    let server = Server::start();
    let node = Node::new(server.store().await, local());
    let answers = node.through(async || server.signal("-STOP")).await;
    assert!(answers.iter().any(|answer| answer.1 == Source::Fallback));
    server.signal("-CONT");
    node.recover().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_is_corrected_where_it_was_made() {
    use stockade_ratelimit::{ErrorKind, Reservation};
    let mut server = Server::start();
    let node = Node::new(server.store().await, local());
    let keys = [("ten", Key::text("k"))];
    let reserve = async || match node.limiter.reserve(&keys, Cost::ONE).await.unwrap() {
        Reservation::Granted(permit) => permit,
        Reservation::Refused(decision) => panic!("{decision:?}"),
    };
    let remote = reserve().await;
    node.through(async || server.kill()).await;
    let error = remote.refund().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Store && !error.is_retryable());
    let fallback = reserve().await;
    assert_eq!(fallback.decision().source, Source::Fallback);
    assert_eq!(fallback.decision().remaining, 4, "the refund reached the local table, which mirrors the store");
    fallback.refund().await.unwrap();
    assert_eq!(reserve().await.decision().remaining, 4);
}

/// Nobody can connect to the database, and who was connected is cut off.
#[sqlx::test(migrations = false)]
async fn a_postgres_that_hangs_up_is_an_outage_with_two_reports(pool: PgPoolOptions, options: PgConnectOptions) {
    let name = options.get_database().unwrap().to_owned();
    let database = Database::install(pool, options).await;
    // Who is connected to a database cannot close it.
    let mut admin = PgConnection::connect(&std::env::var("DATABASE_URL").unwrap()).await.unwrap();
    let node = Node::new(PgStore::new(database.pool(4)), OnStoreError::Closed);
    assert_eq!(node.ask("k").await, (true, Source::Store));
    let allow = |yes: bool| sqlx::AssertSqlSafe(format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS {yes}"));
    let answers = node
        .through(async || {
            admin.execute(allow(false)).await.unwrap();
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE datname = $1 AND usename = 'stockade_ratelimit_test'";
            for _ in 0..3 {
                sqlx::query(cut).bind(&name).execute(&mut admin).await.unwrap();
            }
        })
        .await;
    assert!(answers.contains(&(false, Source::StoreDown)));
    admin.execute(allow(true)).await.unwrap();
    node.recover().await;
}

#[sqlx::test(migrations = false)]
async fn a_postgres_that_hangs_is_given_up_at_the_deadline(pool: PgPoolOptions, options: PgConnectOptions) {
    let database = Database::install(pool, options).await;
    let node = Node::new(PgStore::new(database.pool(4)), local());
    assert_eq!(node.ask("k").await, (true, Source::Store));
    let mut blocker = database.admin.begin().await.unwrap();
    let answers = node
        .through(async || {
            blocker.execute("LOCK TABLE stockade.rate_limit IN ACCESS EXCLUSIVE MODE").await.unwrap();
        })
        .await;
    assert!(answers.iter().any(|answer| answer.1 == Source::Fallback));
    blocker.rollback().await.unwrap();
    node.recover().await;
}

/// On a server of its own: flushed for all at any moment, the other tests would find their script gone twice in one call.
#[tokio::test]
async fn a_flushed_script_is_loaded_again() {
    let server = Server::start();
    let rules = [Rule::window("one", n(50), HOUR)];
    let shared = contract::limiter(server.store().await, &rules);
    let client = server.client();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    for left in (40..50).rev() {
        let _: () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut connection).await.unwrap();
        assert_eq!(shared.check(&[("one", Key::text("k"))], Cost::ONE).await.unwrap().remaining, left);
    }
}
