//! What both kinds of transaction are made of: a connection on loan, a guard, and the state of the statements.

use sqlx::{PgConnection, PgPool};

use super::context::Beginning;
use super::loan::Loan;
use super::progress::{Ending, Progress};
use crate::error::Error;
use crate::gate::Refusal;
use crate::guard::Guard;

#[derive(Debug)]
pub(crate) struct Scope {
    guard: Guard,
    tenant_column: &'static str,
    loan: Loan,
    progress: Progress,
    /// Savepoints that the server holds, or may hold.
    savepoints: usize,
}

/// Where a savepoint was set, and how the statements before it had gone.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    savepoints: usize,
    progress: Progress,
}

/// A statement that may run: what to run it on, and where to report how it goes.
pub(super) struct Running<'e> {
    pub(super) connection: &'e mut PgConnection,
    pub(super) progress: &'e mut Progress,
    pub(super) guard: &'e Guard,
    pub(super) tenant_column: &'static str,
}

/// One name serves every depth: PostgreSQL means the newest of that name, and savepoints nest by type.
const SAVEPOINT: &str = "SAVEPOINT stockade";
const RELEASE: &str = "RELEASE SAVEPOINT stockade";
const ROLL_BACK_TO: &str = "ROLLBACK TO SAVEPOINT stockade; RELEASE SAVEPOINT stockade";

impl Scope {
    pub(crate) async fn begin(
        pool: &PgPool,
        guard: Guard,
        tenant_column: &'static str,
        beginning: Beginning,
    ) -> Result<Self, Error> {
        let loan = Loan::begin(pool, || beginning.statement()).await?;
        Ok(Self { guard, tenant_column, loan, progress: Progress::default(), savepoints: 0 })
    }

    pub(super) const fn guard(&self) -> &Guard {
        &self.guard
    }

    pub(super) async fn commit(self) -> Result<(), Error> {
        let refusal = match self.progress.worst() {
            Ending::Answered if self.savepoints == 0 => return self.loan.commit().await.map_err(Error::commit),
            Ending::Answered => Error::savepoint_open(),
            Ending::Abandoned => Error::statement_abandoned(),
            Ending::Failed => Error::statement_failed(),
        };
        // If the rollback fails, the connection is closed, which rolls back too.
        let _ = self.loan.roll_back().await;
        Err(refusal)
    }

    pub(super) async fn roll_back(self) -> Result<(), Error> {
        self.loan.roll_back().await.map_err(Error::roll_back)
    }

    /// Sets a savepoint. Statements behind it are judged apart from those before.
    pub(super) async fn set_savepoint(&mut self) -> Result<Mark, Error> {
        let mark = Mark { savepoints: self.savepoints, progress: self.progress };
        // Counted before it is sent: a savepoint that may be there keeps the transaction from committing until it has ended.
        self.savepoints = self.savepoints.saturating_add(1);
        self.send(SAVEPOINT).await?;
        self.progress = Progress::default();
        Ok(mark)
    }

    /// Keeps what was done since the mark, unless a statement failed or an inner savepoint is still open: then rolls back to it.
    pub(super) async fn release(&mut self, mark: Mark) -> Result<(), Error> {
        let open = self.savepoints.saturating_sub(mark.savepoints);
        let refusal = match self.progress.worst() {
            Ending::Answered if open == 1 => {
                let Err(error) = self.loan.send(RELEASE).await else {
                    self.savepoints = mark.savepoints;
                    self.progress = mark.progress;
                    return Ok(());
                };
                Error::savepoint(error)
            }
            Ending::Answered => Error::savepoint_open(),
            Ending::Abandoned => Error::statement_abandoned(),
            Ending::Failed => Error::statement_failed(),
        };
        self.roll_back_to(mark).await?;
        Err(refusal)
    }

    /// Undoes what was done since the mark, and forgets how it went.
    pub(super) async fn roll_back_to(&mut self, mark: Mark) -> Result<(), Error> {
        while self.savepoints > mark.savepoints {
            // The failure of an abandoned statement is told to whatever uses the connection next, which is then not sent.
            if self.loan.send(ROLL_BACK_TO).await.is_err() {
                self.send(ROLL_BACK_TO).await?;
            }
            self.savepoints = self.savepoints.saturating_sub(1);
            self.progress = mark.progress;
        }
        Ok(())
    }

    async fn send(&mut self, sql: &'static str) -> Result<(), Error> {
        self.loan.send(sql).await.map_err(|error| {
            self.progress.failed();
            Error::savepoint(error)
        })
    }

    /// Starts a statement if it was admitted.
    pub(super) fn start<T>(&mut self, admission: Result<T, sqlx::Error>) -> Result<(T, Running<'_>), sqlx::Error> {
        self.progress.start();
        if let Err(error) = &admission {
            self.progress.failed();
            if let Some(refusal) = Refusal::of(error) {
                self.guard.watch().refused_statement(refusal);
            }
        }
        let statement = admission?;
        self.guard.watch().query();
        let running = Running {
            connection: self.loan.connection()?,
            progress: &mut self.progress,
            guard: &self.guard,
            tenant_column: self.tenant_column,
        };
        Ok((statement, running))
    }
}
