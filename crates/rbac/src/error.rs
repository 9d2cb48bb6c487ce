//! The error of this crate.

use crate::problem::Problem;
use crate::scope::Scope;

/// What went wrong while a policy or an actor was put together.
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
        }
    }

    /// Whether the same call may succeed later. Always false: every error here is about the input.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        false
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
}

fn count(problems: usize) -> String {
    if problems == 1 { "1 problem".to_owned() } else { format!("{problems} problems") }
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
