//! Why a scope could not be opened or ended.

use crate::directory::TenantStatus;

/// The error of an application's own code, from a [`TenantDirectory`](crate::TenantDirectory) or an
/// [`ImpersonationGrant`](crate::ImpersonationGrant).
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

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
    /// `commit` or `release` was refused, because a savepoint was dropped without an end. Nothing of it was written.
    SavepointOpen,
    /// The connection failed while `COMMIT` was on its way. The transaction may or may not have been written.
    OutcomeUnknown,
    /// The tenant is unknown, suspended or being deleted; see [`Error::tenant_status`].
    TenantRefused,
    /// The directory of tenants could not say.
    DirectoryUnavailable,
    /// No lease could be minted, and none that is kept is young enough.
    LeaseUnavailable,
    /// The grant of an impersonation has expired.
    GrantExpired,
    /// The grant of an impersonation could not be recorded.
    NotRecorded,
    /// The program of a sandbox is not the absolute path of an executable file.
    Program,
    /// The operating system refused to start or to confine a sandboxed program. Nothing of it ran.
    Sandbox,
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
    #[error("a savepoint failed")]
    Savepoint(#[source] sqlx::Error),
    #[error("a savepoint was neither released nor rolled back, so what it held was rolled back")]
    SavepointOpen,
    #[error("the connection failed during commit, so its outcome is unknown")]
    OutcomeUnknown(#[source] sqlx::Error),
    #[error("the tenant is unknown or not active")]
    TenantRefused(Option<TenantStatus>),
    #[error("the directory of tenants did not answer")]
    Directory(#[source] Option<BoxError>),
    #[cfg(feature = "lease")]
    #[error("no lease could be minted for the tenant's scope")]
    Lease(#[source] Option<sqlx::Error>),
    #[cfg(feature = "lease")]
    #[error("no random numbers for a lease")]
    Random(#[source] getrandom::Error),
    #[error("the grant of the impersonation has expired")]
    GrantExpired,
    #[error("the impersonation could not be recorded")]
    NotRecorded(#[source] BoxError),
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    #[error("the program of a sandbox must be the absolute path of an executable file")]
    Program,
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    #[error("could not start a program in a sandbox")]
    Confine(#[source] std::io::Error),
    #[cfg(all(feature = "sandbox", target_os = "linux"))]
    #[error("a sandboxed program would have inherited an open descriptor")]
    Descriptor,
}

impl Error {
    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Cause::NoRuntime(_) => ErrorKind::NoRuntime,
            Cause::Begin(error) | Cause::RollBack(error) | Cause::Commit(error) | Cause::Savepoint(error) => {
                match error {
                    sqlx::Error::Database(_) => ErrorKind::Database,
                    _ => ErrorKind::Connection,
                }
            }
            Cause::StatementFailed => ErrorKind::StatementFailed,
            Cause::StatementAbandoned => ErrorKind::StatementAbandoned,
            Cause::SavepointOpen => ErrorKind::SavepointOpen,
            Cause::OutcomeUnknown(_) => ErrorKind::OutcomeUnknown,
            Cause::TenantRefused(_) => ErrorKind::TenantRefused,
            Cause::Directory(_) => ErrorKind::DirectoryUnavailable,
            #[cfg(feature = "lease")]
            Cause::Lease(_) | Cause::Random(_) => ErrorKind::LeaseUnavailable,
            Cause::GrantExpired => ErrorKind::GrantExpired,
            Cause::NotRecorded(_) => ErrorKind::NotRecorded,
            #[cfg(all(feature = "sandbox", target_os = "linux"))]
            Cause::Program => ErrorKind::Program,
            #[cfg(all(feature = "sandbox", target_os = "linux"))]
            Cause::Confine(_) | Cause::Descriptor => ErrorKind::Sandbox,
        }
    }

    /// Whether the same transaction, run again from its beginning, may succeed.
    ///
    /// True for a lost or missing connection, a serialization failure and a deadlock, for a directory that did not answer, and for a minter
    /// that did not answer. False for
    /// [`OutcomeUnknown`](ErrorKind::OutcomeUnknown), because a second run could write twice.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.0 {
            Cause::Begin(error) | Cause::RollBack(error) | Cause::Commit(error) | Cause::Savepoint(error) => {
                is_transient(error)
            }
            #[cfg(feature = "lease")]
            Cause::Lease(error) => error.as_ref().is_none_or(is_transient),
            Cause::Directory(_) => true,
            _ => false,
        }
    }

    /// The status for which a tenant was refused: `None` if there is no such tenant, or if this is another error.
    #[must_use]
    pub const fn tenant_status(&self) -> Option<TenantStatus> {
        match &self.0 {
            Cause::TenantRefused(status) => *status,
            _ => None,
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

    pub(crate) const fn savepoint(error: sqlx::Error) -> Self {
        Self(Cause::Savepoint(error))
    }

    pub(crate) const fn savepoint_open() -> Self {
        Self(Cause::SavepointOpen)
    }

    pub(crate) const fn tenant_refused(status: Option<TenantStatus>) -> Self {
        Self(Cause::TenantRefused(status))
    }

    pub(crate) const fn directory(error: Option<BoxError>) -> Self {
        Self(Cause::Directory(error))
    }

    pub(crate) const fn grant_expired() -> Self {
        Self(Cause::GrantExpired)
    }

    pub(crate) const fn not_recorded(error: BoxError) -> Self {
        Self(Cause::NotRecorded(error))
    }
}

#[cfg(feature = "lease")]
impl Error {
    /// Without a source if the minter did not answer, or an attempt that others waited for failed.
    pub(crate) const fn lease(error: Option<sqlx::Error>) -> Self {
        Self(Cause::Lease(error))
    }

    pub(crate) const fn random(error: getrandom::Error) -> Self {
        Self(Cause::Random(error))
    }
}

#[cfg(all(feature = "sandbox", target_os = "linux"))]
impl Error {
    pub(crate) const fn program() -> Self {
        Self(Cause::Program)
    }

    pub(crate) const fn confine(error: std::io::Error) -> Self {
        Self(Cause::Confine(error))
    }

    pub(crate) const fn descriptor() -> Self {
        Self(Cause::Descriptor)
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
