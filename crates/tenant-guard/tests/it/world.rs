//! Two tenants, a table under row-level security, and the application's role.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use sqlx::{ConnectOptions, Connection, FromRow, PgConnection, PgPool};
use stockade_tenant_guard::{Event, Observer, TenantDb, TenantId, TenantScoped, TenantTx};

pub(crate) const A: Uuid = Uuid::from_u128(0xa);
pub(crate) const B: Uuid = Uuid::from_u128(0xb);

/// Rows of each tenant when a world begins.
pub(crate) const SEEDED: i64 = 3;

pub(crate) const fn tenant(id: Uuid) -> TenantId {
    TenantId::new(id)
}

#[derive(Clone, Debug, FromRow)]
pub(crate) struct Load {
    pub(crate) tenant_id: TenantId,
    pub(crate) id: Uuid,
}

impl TenantScoped for Load {
    fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }
}

pub(crate) struct World {
    options: PgConnectOptions,
    /// The application's pool, kept here only so that the tests can look behind the guard's back.
    pub(crate) pool: PgPool,
    pub(crate) db: TenantDb,
}

impl World {
    pub(crate) async fn new(options: PgConnectOptions, connections: u32) -> Self {
        let mut admin = options.connect().await.unwrap();
        sqlx::raw_sql(include_str!("schema.sql")).execute(&mut admin).await.unwrap();
        for id in [A, B] {
            sqlx::query("INSERT INTO loads (tenant_id, reference) SELECT $1, 'L' || n FROM generate_series(1, $2) n")
                .bind(id)
                .bind(SEEDED)
                .execute(&mut admin)
                .await
                .unwrap();
        }
        admin.close().await.unwrap();
        let pool = Self::pool(&options, connections);
        Self { options, db: TenantDb::new(pool.clone()), pool }
    }

    /// The same world at level 1: the views ask for a lease.
    #[cfg(feature = "lease")]
    pub(crate) async fn leased(options: PgConnectOptions, connections: u32) -> Self {
        let world = Self::new(options, connections).await;
        let mut admin = world.admin().await;
        sqlx::raw_sql(include_str!("lease.sql")).execute(&mut admin).await.unwrap();
        sqlx::raw_sql(include_str!("minter.sql")).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        world
    }

    /// A pool of the login that mints leases.
    #[cfg(feature = "lease")]
    pub(crate) fn minter(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_secs(20))
            .connect_lazy_with(self.options.clone().username("tenant_guard_minter"))
    }

    fn pool(options: &PgConnectOptions, connections: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(20))
            .connect_lazy_with(options.clone().username("tenant_guard_app"))
    }

    /// Another pool of the application's role, for controls.
    pub(crate) fn another_pool(&self, connections: u32) -> PgPool {
        Self::pool(&self.options, connections)
    }

    pub(crate) async fn admin(&self) -> PgConnection {
        self.options.connect().await.unwrap()
    }

    /// Closes a transaction's connection from the server's side, and says which it was.
    pub(crate) async fn cut_off(&self, tx: &mut TenantTx) -> i32 {
        let backend = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(tx).await.unwrap();
        let end = sqlx::query("SELECT pg_terminate_backend($1, 10000)").bind(backend);
        end.execute(&mut self.admin().await).await.unwrap();
        backend
    }

    /// All rows of a tenant, whatever the policies say.
    pub(crate) async fn rows(&self, tenant: Uuid) -> i64 {
        let mut admin = self.admin().await;
        let rows = sqlx::query_scalar("SELECT count(*) FROM loads WHERE tenant_id = $1")
            .bind(tenant)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
        rows
    }

    /// Waits until the server sees no open transaction of the application. Rollbacks run in the background.
    pub(crate) async fn no_open_transaction(&self) {
        self.eventually(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND usename = 'tenant_guard_app' AND xact_start IS NOT NULL",
        )
        .await;
    }

    /// Waits until the server sees no session of the application.
    pub(crate) async fn no_session(&self) {
        self.eventually(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'tenant_guard_app'",
        )
        .await;
    }

    async fn eventually(&self, count: &'static str) {
        let mut admin = self.admin().await;
        let mut left = i64::MAX;
        for _ in 0..1_000 {
            left = sqlx::query_scalar(count).fetch_one(&mut admin).await.unwrap();
            if left == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        admin.close().await.unwrap();
        assert_eq!(left, 0, "{count}");
    }

    pub(crate) async fn end(self) {
        self.pool.close().await;
    }
}

/// Keeps the events of a database as text, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    pub(crate) fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, event: &str) -> usize {
        self.read().iter().filter(|line| line.starts_with(event)).count()
    }
}

impl Observer for Journal {
    fn observe(&self, event: Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }
}

/// Polls a future at most `polls` times and then drops it, as a timeout at exactly that await would.
pub(crate) async fn cut<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Runs a future on this thread, as an executor that is not Tokio's would.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// A small generator of repeatable choices (xorshift64*).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % bound
    }
}
