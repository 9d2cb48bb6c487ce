//! Sealing for as long as the application runs.

use std::{pin::pin, time::Duration};

use sqlx::{Connection as _, PgConnection, PgExecutor, Row as _, postgres::PgConnectOptions};
use tokio::time::{Instant, timeout};

use super::{Sealed, Sealer};
use crate::Error;

/// What happened in [`Sealer::run`].
#[derive(Debug)]
#[non_exhaustive]
pub enum SealEvent<'a> {
    /// A batch was sealed, or there was nothing to seal. Its verdicts are alarms.
    Sealed(&'a Sealed),
    /// What is waiting, about once a second.
    Lag(SealLag),
    /// It did not work, and will be tried again on a new connection.
    Failed(&'a Error),
}

/// How far sealing is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SealLag {
    /// How many entries wait, counted up to 10 000. An entry that was removed while it waited counts as long as one before it waits.
    pub waiting: u64,
    /// How long ago the one at the front of the queue was recorded.
    pub oldest: Duration,
}

/// The waits after failures double, between these.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const BETWEEN_LAGS: Duration = Duration::from_secs(1);

// Queue rows that name no entry are not lag: verification reports them. What is behind the first that names one is counted and not
// looked at, because this is asked every second.
const LAG: &str = "
WITH oldest AS MATERIALIZED (
    SELECT q.position, e.recorded_at FROM stockade.audit_unsealed q JOIN LATERAL (
        SELECT e.tenant_id, e.recorded_at FROM stockade.audit_entry e WHERE e.entry_id = q.entry_id OFFSET 0
    ) AS e ON e.tenant_id = q.tenant_id
    ORDER BY q.position LIMIT 1
)
SELECT (SELECT count(*) FROM (SELECT FROM stockade.audit_unsealed q WHERE q.position >= o.position LIMIT 10000) AS rows) AS waiting,
    coalesce(extract(epoch FROM clock_timestamp() - o.recorded_at)::float8, 0) AS oldest
FROM (SELECT) AS one LEFT JOIN oldest o ON true
WHERE $1";

/// How far sealing is behind, for a connection in `stockade_sealer`; the application sees its tenant's part.
///
/// # Errors
/// The errors of the connection.
pub async fn lag<'e>(executor: impl PgExecutor<'e>) -> Result<SealLag, Error> {
    let row = sqlx::query(LAG).bind(true).fetch_one(executor).await?;
    let oldest = Duration::try_from_secs_f64(row.try_get("oldest")?).unwrap_or_default();
    Ok(SealLag { waiting: row.try_get::<i64, _>("waiting")?.unsigned_abs(), oldest })
}

impl Sealer {
    /// Seals until `stop` is ready: looks at the queue every [`poll`](Self::poll) interval while it is empty and without a pause
    /// while more waits than a batch takes, on one connection of its own, which it opens anew after a failure, with growing pauses of at most
    /// five seconds.
    ///
    /// Run it in every replica: one works at a time, and another takes over when its connection ends. Stops between two
    /// batches; may also be dropped at any point. Must be polled on a tokio runtime with its timer, as sqlx's connection
    /// is. The role of the connection is in the group `stockade_sealer`.
    pub async fn run(
        &self,
        options: &PgConnectOptions,
        stop: impl Future<Output = ()> + Send,
        mut observe: impl FnMut(SealEvent<'_>) + Send,
    ) {
        let mut stop = pin!(stop);
        let mut connection = None;
        let (mut wait, mut last_lag) = (self.poll, None::<Instant>);
        loop {
            let pause = match self.turn(&mut connection, options).await {
                Ok((sealed, more)) => {
                    wait = self.poll;
                    observe(SealEvent::Sealed(&sealed));
                    if more { Duration::ZERO } else { self.poll }
                }
                Err(error) => {
                    observe(SealEvent::Failed(&error));
                    connection = None;
                    wait = wait.saturating_mul(2).clamp(SHORTEST_WAIT, LONGEST_WAIT);
                    wait
                }
            };
            if let Some(connection) = &mut connection
                && last_lag.is_none_or(|last| last.elapsed() >= BETWEEN_LAGS)
            {
                match lag(connection).await {
                    Ok(lag) => observe(SealEvent::Lag(lag)),
                    Err(error) => observe(SealEvent::Failed(&error)),
                }
                last_lag = Some(Instant::now());
            }
            if timeout(pause, stop.as_mut()).await.is_ok() {
                break;
            }
        }
        if let Some(connection) = connection {
            // A server that does not hear the goodbye notices the end of the connection.
            let _ = connection.close().await;
        }
    }

    /// One batch, and one of each tenant that was held up.
    async fn turn(
        &self,
        connection: &mut Option<PgConnection>,
        options: &PgConnectOptions,
    ) -> Result<(Sealed, bool), Error> {
        let connection = match connection {
            Some(connection) => connection,
            none => none.insert(PgConnection::connect_with(options).await?),
        };
        let mut sealed = Sealed::default();
        self.tend_partitions(connection).await?;
        let mut more = self.seal_batch(connection, &mut sealed).await?;
        if !sealed.busy.is_empty() {
            // What is behind them in the queue comes first.
            more = self.seal_batch(connection, &mut sealed).await?;
            for tenant in std::mem::take(&mut sealed.busy) {
                self.seal_busy(connection, tenant, &mut sealed).await?;
            }
        }
        Ok((sealed, more))
    }
}
