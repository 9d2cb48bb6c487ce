//! The error of this crate.

use crate::problem::Problem;
use crate::scope::Scope;

/// What went wrong while a policy or an actor was put together, or while authority was read or changed in the database.
///
/// A refusal is not an error: see [`Decision`](crate::Decision) and [`Denied`](crate::Denied).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] Fault);

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The policy has problems: [`Error::problems`] lists all of them.
    InvalidPolicy,
    /// The policy has no such role, or the role cannot be assigned.
    UnknownRole,
    /// The vocabulary has no such permission.
    UnknownPermission,
    /// There is no such scope.
    UnknownScope,
    /// The scope is wider than the permission allows.
    ScopeTooWide,
    /// The permission is not flagged `delegable`.
    NotDelegable,
    /// The actor does not have the role that is to be active.
    RoleNotHeld,
    /// The roles are not active together: the policy keeps them apart.
    Separated,
    /// A reason is empty, too long, or more than one line.
    InvalidReason,
    /// An impersonation of no length, or of more than half an hour.
    InvalidTimebox,
    /// The database failed, or could not be reached.
    Database,
    /// The transaction has no tenant, or there is no transaction.
    NoTransaction,
    /// The owner roles in the database are not those of the policy.
    NotSynced,
    /// Not an e-mail address.
    InvalidEmail,
    /// Not the text of an invitation's token.
    InvalidToken,
}

impl Error {
    /// The kind, for code that reacts to it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self.0 {
            Fault::Policy(_) => ErrorKind::InvalidPolicy,
            Fault::UnknownRole { .. } | Fault::NotAssignable { .. } => ErrorKind::UnknownRole,
            Fault::UnknownPermission { .. } => ErrorKind::UnknownPermission,
            Fault::UnknownScope { .. } => ErrorKind::UnknownScope,
            Fault::ScopeTooWide { .. } => ErrorKind::ScopeTooWide,
            Fault::NotDelegable { .. } => ErrorKind::NotDelegable,
            Fault::RoleNotHeld { .. } => ErrorKind::RoleNotHeld,
            Fault::Separated { .. } => ErrorKind::Separated,
            Fault::Reason { .. } => ErrorKind::InvalidReason,
            Fault::Timebox { .. } => ErrorKind::InvalidTimebox,
            #[cfg(feature = "postgres")]
            Fault::Database(_) | Fault::Random(_) => ErrorKind::Database,
            #[cfg(feature = "postgres")]
            Fault::NoTenant | Fault::NoTransaction => ErrorKind::NoTransaction,
            #[cfg(feature = "postgres")]
            Fault::NotSynced => ErrorKind::NotSynced,
            #[cfg(feature = "postgres")]
            Fault::Email => ErrorKind::InvalidEmail,
            #[cfg(feature = "postgres")]
            Fault::Token => ErrorKind::InvalidToken,
        }
    }

    /// Whether the same transaction, from its beginning, may succeed later: the connection was lost, or another transaction was in
    /// the way. Every other error is about the input.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.0 {
            #[cfg(feature = "postgres")]
            Fault::Database(error) => passes(error),
            _ => false,
        }
    }

    /// Every problem of the policy, in the order of the file; empty for other kinds.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match &self.0 {
            Fault::Policy(problems) => problems,
            _ => &[],
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("policy has {}: {}", count(.0.len()), join(.0))]
    Policy(Vec<Problem>),
    #[error("no role `{name}` in the policy{hint}")]
    UnknownRole { name: String, hint: String },
    #[error("role `{name}` cannot be assigned, only inherited")]
    NotAssignable { name: String },
    #[error("no permission `{key}`{hint}")]
    UnknownPermission { key: String, hint: String },
    #[error("no scope `{name}`: expected own, team, office, tenant or platform")]
    UnknownScope { name: String },
    #[error("`{key}` reaches {max} at most, not {scope}")]
    ScopeTooWide { key: &'static str, scope: Scope, max: Scope },
    #[error("`{key}` cannot be delegated")]
    NotDelegable { key: &'static str },
    #[error("role `{name}` is not held, so it cannot be active{hint}")]
    RoleNotHeld { name: String, hint: String },
    #[error("separation `{separation}` keeps these roles from being active together")]
    Separated { separation: String },
    #[error("a reason is one line of 1 to {max} characters")]
    Reason { max: usize },
    #[error("an impersonation lasts 1 to {max} minutes")]
    Timebox { max: u8 },
    #[cfg(feature = "postgres")]
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    #[cfg(feature = "postgres")]
    #[error("no random numbers")]
    Random(#[source] getrandom::Error),
    #[cfg(feature = "postgres")]
    #[error("the transaction has no tenant")]
    NoTenant,
    #[cfg(feature = "postgres")]
    #[error("authority is changed in a transaction that lasts until the change is committed")]
    NoTransaction,
    #[cfg(feature = "postgres")]
    #[error("the owner roles in the database are not those of the policy: run `postgres::sync` where migrations run")]
    NotSynced,
    #[cfg(feature = "postgres")]
    #[error("not an e-mail address")]
    Email,
    #[cfg(feature = "postgres")]
    #[error("not the token of an invitation")]
    Token,
}

#[cfg(feature = "postgres")]
impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Fault::Database(error).into()
    }
}

/// A lost connection, a failure to serialise (40001), a deadlock (40P01), or a server that shuts down or is full.
#[cfg(feature = "postgres")]
fn passes(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            matches!(&*code, "40001" | "40P01" | "55P03")
                || ["08", "53", "57P"].iter().any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
