//! The one who writes.

use std::{collections::BTreeMap, sync::Arc};

use sqlx::{Connection as _, PgConnection, PgPool, Postgres, pool::PoolConnection};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{Job, Waiting};
use crate::{
    ErrorKind,
    error::{Repr, database_kind},
    postgres::batch::{self, Row, given},
};

/// How many entries one round takes, at most.
const ROUND: usize = 500;

// The setting is made before the first row exists, and the policies compare each row's own tenant with it: an entry that was put
// among another tenant's is refused. What is acknowledged is on the disk, whatever the database's default is.
const APPEND: &str = concat!(
    "WITH context AS MATERIALIZED (
    SELECT set_config('stockade.tenant_id', $29, true),
        CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', true) END
), ",
    given!(),
    ")
INSERT INTO stockade.audit_unsealed (tenant_id, entry_id) SELECT g.tenant_id, g.entry_id FROM given g ORDER BY g.n"
);

/// Takes what waits, writes it, answers.
pub(super) struct Driver {
    pool: PgPool,
    jobs: mpsc::UnboundedReceiver<Job>,
    connection: Option<PoolConnection<Postgres>>,
}

impl Driver {
    pub(super) const fn new(pool: PgPool, jobs: mpsc::UnboundedReceiver<Job>) -> Self {
        Self { pool, jobs, connection: None }
    }

    pub(super) async fn run(mut self) {
        let mut taken = Vec::with_capacity(ROUND);
        while self.jobs.recv_many(&mut taken, ROUND).await > 0 {
            let mut round = Vec::with_capacity(taken.len());
            for job in taken.drain(..) {
                match job {
                    Job::Append(waiting) => round.push(*waiting),
                    Job::Flush(answer) => {
                        self.settle(std::mem::take(&mut round)).await;
                        let _ = answer.send(());
                    }
                    Job::Close => self.jobs.close(),
                }
            }
            self.settle(round).await;
        }
    }

    /// Answers every entry. What the database refuses is halved until the culprit is alone and fails only its caller; what was
    /// lost with the connection is sent once more.
    async fn settle(&mut self, waiting: Vec<Waiting>) {
        let mut parts = vec![Part { waiting, sent: false }];
        while let Some(part) = parts.pop() {
            match self.write(&part.waiting).await {
                Ok(()) => part.answer(|| Ok(())),
                // Its ids are random, so it was this part that was stored, whole, before the connection was lost.
                Err(Failure::Refused(error)) if part.sent && is_duplicate(&error) => part.answer(|| Ok(())),
                Err(Failure::Refused(error)) => part.halve(error, &mut parts),
                Err(Failure::Lost) if !part.sent => parts.push(Part { sent: true, ..part }),
                Err(Failure::Lost) => part.answer(|| Err(Repr::Unacknowledged)),
                Err(Failure::Unreached(error)) => {
                    // The pool has waited long enough; the others need not wait for it one after the other.
                    for part in parts.drain(..).chain([part]) {
                        let sent = part.sent;
                        part.answer(|| {
                            Err(if sent { Repr::Unacknowledged } else { Repr::Unreached(Arc::clone(&error)) })
                        });
                    }
                }
            }
        }
    }

    async fn write(&mut self, waiting: &[Waiting]) -> Result<(), Failure> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.pool.acquire().await.map_err(|error| Failure::Unreached(Arc::new(error)))?),
        };
        let stored = store(connection, waiting).await;
        if let Err(Failure::Lost) = stored {
            // Not back to the pool.
            drop(self.connection.take().map(PoolConnection::detach));
        }
        stored
    }
}

/// Entries that are written together or not at all.
struct Part {
    waiting: Vec<Waiting>,
    /// Whether it was sent before, and the connection lost before the answer.
    sent: bool,
}

impl Part {
    fn answer(self, result: impl Fn() -> Result<(), Repr>) {
        for waiting in self.waiting {
            waiting.answer(result());
        }
    }

    fn halve(mut self, error: Repr, parts: &mut Vec<Self>) {
        if self.waiting.len() > 1 {
            let second = self.waiting.split_off(self.waiting.len() / 2);
            parts.push(Self { waiting: second, sent: self.sent });
            parts.push(self);
        } else if let Some(waiting) = self.waiting.pop() {
            // Refused the second time, which says nothing about the first.
            waiting.answer(Err(if self.sent { Repr::Unacknowledged } else { error }));
        }
    }
}

enum Failure {
    /// There is no connection. Nothing was sent.
    Unreached(Arc<sqlx::Error>),
    /// Sent, and the answer is not known.
    Lost,
    /// The database answered that it stored nothing.
    Refused(Repr),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let answered = matches!(error, sqlx::Error::Database(_)) && database_kind(&error) != ErrorKind::Unavailable;
        if answered { Self::Refused(Repr::Database(error)) } else { Self::Lost }
    }
}

/// One transaction, whatever the number of tenants; a statement for each.
async fn store(connection: &mut PgConnection, waiting: &[Waiting]) -> Result<(), Failure> {
    let mut tenants = BTreeMap::<Uuid, Vec<&Row>>::new();
    for waiting in waiting {
        tenants.entry(waiting.row.tenant()).or_default().push(&waiting.row);
    }
    if tenants.len() < 2 {
        for (tenant, rows) in tenants {
            append(connection, tenant, &rows).await?;
        }
        return Ok(());
    }
    let mut tx = connection.begin().await?;
    for (tenant, rows) in tenants {
        append(&mut tx, tenant, &rows).await?;
    }
    Ok(tx.commit().await?)
}

async fn append(connection: &mut PgConnection, tenant: Uuid, rows: &[&Row]) -> Result<(), Failure> {
    let done = batch::bind(APPEND, rows).bind(tenant.to_string()).execute(connection).await?;
    if done.rows_affected() == rows.len() as u64 { Ok(()) } else { Err(Failure::Refused(Repr::Swallowed)) }
}

fn is_duplicate(error: &Repr) -> bool {
    matches!(error, Repr::Database(sqlx::Error::Database(error)) if error.is_unique_violation())
}
