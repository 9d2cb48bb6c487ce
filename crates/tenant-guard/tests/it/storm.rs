//! A storm of requests that are cut off, fail and panic over a small pool, on the guard or on sqlx alone.

use std::fmt::Debug;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, Executor, PgPool, Postgres};
use stockade_tenant_guard::TenantDb;
use tokio::task::JoinSet;

use crate::cancellation::leaked;
use crate::world::{A, B, Dice, cut, tenant};

const WORKERS: u64 = 4;
/// More polls than any of the futures needs.
pub(crate) const POLLS: usize = 12;

/// How many requests: 10,000, or what `STOCKADE_STORM` says.
pub(crate) fn requests() -> usize {
    std::env::var("STOCKADE_STORM").map_or(10_000, |requests| requests.parse().unwrap())
}

/// What a storm did and found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) requests: usize,
    pub(crate) cut: usize,
    pub(crate) panicked: usize,
    /// What the next borrower of a connection found left in it.
    pub(crate) leaks: usize,
    /// Requests that saw another tenant's rows.
    pub(crate) crossed: usize,
}

/// How an application opens a transaction for a tenant.
pub(crate) trait Request: Clone + Send + Sync + 'static {
    /// One request from beginning to end: whether it saw a foreign row.
    fn request(&self, id: Uuid, ending: usize) -> impl Future<Output = bool> + Send;

    /// Only its beginning, where sqlx leaks.
    fn begin(&self, id: Uuid) -> impl Future<Output = ()> + Send;
}

#[derive(Clone, Debug)]
pub(crate) struct Guarded(pub(crate) TenantDb);

#[derive(Clone, Debug)]
pub(crate) struct Bare(pub(crate) PgPool);

const UPDATE: &str = "UPDATE loads SET rate_cents = rate_cents + 1 WHERE reference = 'L1'";

impl Request for Guarded {
    async fn request(&self, id: Uuid, ending: usize) -> bool {
        if ending == 3 {
            return foreign(&mut self.0.read(tenant(id)).await.unwrap(), id).await;
        }
        let mut tx = self.0.begin(tenant(id)).await.unwrap();
        let crossed = foreign(&mut tx, id).await;
        sqlx::query(UPDATE).execute(&mut tx).await.unwrap();
        match ending {
            0 => tx.commit().await.unwrap(),
            1 => tx.rollback().await.unwrap(),
            // Without the hook, which would print.
            2 => resume_unwind(Box::new("a bug in the application")),
            _ => drop(tx),
        }
        crossed
    }

    async fn begin(&self, id: Uuid) {
        drop(self.0.begin(tenant(id)).await.unwrap());
    }
}

impl Bare {
    async fn open(&self, id: Uuid) -> sqlx::Transaction<'static, Postgres> {
        let begin = format!("BEGIN; SET LOCAL stockade.tenant_id = '{id}'");
        self.0.begin_with(AssertSqlSafe(begin)).await.unwrap()
    }
}

impl Request for Bare {
    async fn request(&self, id: Uuid, ending: usize) -> bool {
        let mut tx = self.open(id).await;
        let crossed = foreign(&mut *tx, id).await;
        sqlx::query(UPDATE).execute(&mut *tx).await.unwrap();
        match ending {
            0 => tx.commit().await.unwrap(),
            1 => tx.rollback().await.unwrap(),
            2 => resume_unwind(Box::new("a bug in the application")),
            _ => drop(tx),
        }
        crossed
    }

    async fn begin(&self, id: Uuid) {
        drop(self.open(id).await);
    }
}

async fn foreign<E>(executor: &mut E, id: Uuid) -> bool
where
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let foreign: i64 = sqlx::query_scalar("SELECT count(*) FROM loads WHERE tenant_id <> $1")
        .bind(id)
        .fetch_one(executor)
        .await
        .unwrap();
    foreign > 0
}

/// Runs requests over `pool`, and looks at a connection of it after each.
pub(crate) async fn storm(pool: &PgPool, application: impl Request, requests: usize) -> Seen {
    let left = Arc::new(AtomicUsize::new(requests));
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let (application, pool, left) = (application.clone(), pool.clone(), Arc::clone(&left));
        workers.spawn(async move {
            let mut dice = Dice::new(worker);
            let mut seen = Seen::default();
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                one(&application, &mut dice, &mut seen).await;
                seen.leaks += usize::from(leaked(&pool).await);
            }
            seen
        });
    }
    workers.join_all().await.into_iter().fold(Seen::default(), |sum, seen| Seen {
        requests: sum.requests + seen.requests,
        cut: sum.cut + seen.cut,
        panicked: sum.panicked + seen.panicked,
        leaks: sum.leaks + seen.leaks,
        crossed: sum.crossed + seen.crossed,
    })
}

async fn one(application: &impl Request, dice: &mut Dice, seen: &mut Seen) {
    let id = if dice.below(2) == 0 { A } else { B };
    let ending = dice.below(5);
    let polls = 1 + dice.below(POLLS);
    seen.requests += 1;
    match dice.below(4) {
        0 => seen.cut += usize::from(cut(polls, application.begin(id)).await.is_none()),
        1 if ending != 2 => match cut(polls, application.request(id, ending)).await {
            None => seen.cut += 1,
            Some(crossed) => seen.crossed += usize::from(crossed),
        },
        // A task of its own, as a server gives each request, so that a panic ends that request alone.
        _ => {
            let application = application.clone();
            match tokio::spawn(async move { application.request(id, ending).await }).await {
                Err(error) => seen.panicked += usize::from(error.is_panic()),
                Ok(crossed) => seen.crossed += usize::from(crossed),
            }
        }
    }
}
