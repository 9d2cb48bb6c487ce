//! Why a scope could not be opened or ended.

/// An error of opening or ending a tenant's scope.
///
/// A statement inside a scope fails with sqlx's own error; see [`Refusal`](crate::Refusal) for those that the gate refuses.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Cause);

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There was no Tokio runtime to open the scope in.
    NoRuntime,
    /// The pool gave no connection, or the connection failed before anything could have been committed.
    Connection,
    /// The server refused to begin or to commit, for instance because of a deferred constraint. Nothing was written.
    Database,
    /// `commit` was refused, because a statement failed or was refused. Nothing was written.
    StatementFailed,
    /// `commit` was refused, because the future of a statement was dropped before it answered, so nobody knows whether it ran.
    /// Nothing was written.
    StatementAbandoned,
    /// The connection failed while `COMMIT` was on its way. The transaction may or may not have been written.
    OutcomeUnknown,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("no tokio runtime to open a tenant's scope in")]
    NoRuntime(#[source] tokio::runtime::TryCurrentError),
    #[error("could not open a tenant's scope")]
    Begin(#[source] sqlx::Error),
    #[error("could not roll back, so the connection was closed")]
    RollBack(#[source] sqlx::Error),
    #[error("the transaction was not committed")]
    Commit(#[source] sqlx::Error),
    #[error("the transaction was rolled back, because a statement in it failed")]
    StatementFailed,
    #[error("the transaction was rolled back, because a statement in it was dropped before it answered")]
    StatementAbandoned,
    #[error("the connection failed during commit, so its outcome is unknown")]
    OutcomeUnknown(#[source] sqlx::Error),
}

impl Error {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Cause::NoRuntime(_) => ErrorKind::NoRuntime,
            Cause::Begin(error) | Cause::RollBack(error) | Cause::Commit(error) => match error {
                sqlx::Error::Database(_) => ErrorKind::Database,
                _ => ErrorKind::Connection,
            },
            Cause::StatementFailed => ErrorKind::StatementFailed,
            Cause::StatementAbandoned => ErrorKind::StatementAbandoned,
            Cause::OutcomeUnknown(_) => ErrorKind::OutcomeUnknown,
        }
    }

    /// Whether the same transaction, run again from its beginning, may succeed.
    ///
    /// True for a lost or missing connection, a serialization failure and a deadlock. False for
    /// [`OutcomeUnknown`](ErrorKind::OutcomeUnknown), because a second run could write twice.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.0 {
            Cause::Begin(error) | Cause::RollBack(error) | Cause::Commit(error) => is_transient(error),
            _ => false,
        }
    }

    pub(crate) const fn no_runtime(error: tokio::runtime::TryCurrentError) -> Self {
        Self(Cause::NoRuntime(error))
    }

    pub(crate) const fn begin(error: sqlx::Error) -> Self {
        Self(Cause::Begin(error))
    }

    pub(crate) const fn roll_back(error: sqlx::Error) -> Self {
        Self(Cause::RollBack(error))
    }

    pub(crate) fn commit(error: sqlx::Error) -> Self {
        Self(if is_refusal(&error) { Cause::Commit(error) } else { Cause::OutcomeUnknown(error) })
    }

    pub(crate) const fn statement_failed() -> Self {
        Self(Cause::StatementFailed)
    }

    pub(crate) const fn statement_abandoned() -> Self {
        Self(Cause::StatementAbandoned)
    }
}

/// Whether the server itself answered that it did not commit. A session that is being ended (class 57P) or a broken connection
/// (class 08) says nothing about the transaction.
fn is_refusal(error: &sqlx::Error) -> bool {
    sql_state(error).is_some_and(|code| !code.starts_with("57P") && !code.starts_with("08"))
}

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        error => sql_state(error).is_some_and(|code| {
            matches!(
                code.as_ref(),
                // serialization_failure, deadlock_detected, too_many_connections
                "40001" | "40P01" | "53300"
                // admin_shutdown, crash_shutdown, cannot_connect_now
                | "57P01" | "57P02" | "57P03"
            )
        }),
    }
}

fn sql_state(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error()?.code()
}
