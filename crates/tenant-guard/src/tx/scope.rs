//! What both kinds of transaction are made of: a leased connection, a guard, and the state of the statements.

use sqlx::{PgConnection, PgPool};

use super::lease::{Access, Lease};
use super::progress::{Ending, Progress};
use crate::error::Error;
use crate::gate::Refusal;
use crate::guard::Guard;

#[derive(Debug)]
pub(crate) struct Scope {
    guard: Guard,
    lease: Lease,
    progress: Progress,
}

impl Scope {
    pub(crate) async fn read_write(pool: &PgPool, guard: Guard) -> Result<Self, Error> {
        Self::begin(pool, guard, Access::ReadWrite).await
    }

    pub(crate) async fn read_only(pool: &PgPool, guard: Guard) -> Result<Self, Error> {
        Self::begin(pool, guard, Access::ReadOnly).await
    }

    async fn begin(pool: &PgPool, guard: Guard, access: Access) -> Result<Self, Error> {
        Ok(Self { lease: Lease::begin(pool, guard.tenant_id(), access).await?, guard, progress: Progress::default() })
    }

    pub(super) const fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        let refusal = match self.progress.worst() {
            Ending::Answered => return self.lease.commit().await.map_err(Error::commit),
            Ending::Abandoned => Error::statement_abandoned(),
            Ending::Failed => Error::statement_failed(),
        };
        // If the rollback fails, the connection is closed, which rolls back too.
        let _ = self.lease.roll_back().await;
        Err(refusal)
    }

    pub(super) async fn roll_back(self) -> Result<(), Error> {
        self.lease.roll_back().await.map_err(Error::roll_back)
    }

    /// Starts a statement if it was admitted: the statement, what to run it on, and where to report how it went.
    pub(super) fn start<T>(
        &mut self,
        admission: Result<T, sqlx::Error>,
    ) -> Result<(T, &mut PgConnection, &mut Progress), sqlx::Error> {
        self.progress.start();
        if let Err(error) = &admission {
            self.progress.failed();
            if Refusal::of(error).is_some() {
                self.guard.tally().refused_statement();
            }
        }
        let statement = admission?;
        self.guard.tally().query();
        Ok((statement, self.lease.connection()?, &mut self.progress))
    }
}
