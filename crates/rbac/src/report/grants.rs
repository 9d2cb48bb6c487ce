//! The table of grants, row by row.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::ident::UserId;
use crate::permission::Permission;
use crate::policy::Policy;
use crate::scope::Scope;

/// One row of the table of grants, as storage has it: with the names that were stored, whether or not the policy still has them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GrantRow {
    /// Whose it is.
    pub user: UserId,
    /// What is granted.
    pub granted: Granted,
    /// Who granted it.
    pub granted_by: Option<UserId>,
    /// When.
    pub granted_at: Option<DateTime<Utc>>,
    /// The first moment at which it no longer holds.
    pub expires: Option<DateTime<Utc>>,
    /// Whether the person is suspended.
    pub suspended: bool,
    /// Why.
    pub reason: Option<String>,
}

/// What a [`GrantRow`] grants, by stored names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    /// A role.
    Role(String),
    /// An override that allows a permission at a scope.
    Allow {
        /// The key of the permission.
        permission: String,
        /// The name of the scope.
        scope: String,
    },
    /// An override that denies a permission.
    Deny {
        /// The key of the permission.
        permission: String,
    },
}

/// What a reviewer should look at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Finding {
    /// The policy has no such role, permission or scope: it grants nothing now, and would again if the name came back.
    Orphan,
    /// The role is only inherited, and grants nothing by itself.
    NotAssignable,
    /// It has expired and is still there.
    Expired,
    /// It allows something for good, which an override must not.
    NoExpiry,
    /// The person is suspended and would have it again.
    Suspended,
    /// The role makes the person an owner.
    Owner,
    /// The role makes the person staff.
    Staff,
    /// The person holds roles that this separation keeps apart.
    Separation(String),
}

impl GrantRow {
    /// A role of a person.
    #[must_use]
    pub fn role(user: impl Into<UserId>, name: impl Into<String>) -> Self {
        Self::new(user.into(), Granted::Role(name.into()))
    }

    /// An override that allows.
    #[must_use]
    pub fn allow(user: impl Into<UserId>, permission: impl Into<String>, scope: impl Into<String>) -> Self {
        Self::new(user.into(), Granted::Allow { permission: permission.into(), scope: scope.into() })
    }

    /// An override that denies.
    #[must_use]
    pub fn deny(user: impl Into<UserId>, permission: impl Into<String>) -> Self {
        Self::new(user.into(), Granted::Deny { permission: permission.into() })
    }

    fn new(user: UserId, granted: Granted) -> Self {
        Self { user, granted, granted_by: None, granted_at: None, expires: None, suspended: false, reason: None }
    }

    /// States who granted it, and when.
    #[must_use]
    pub fn granted(mut self, by: impl Into<UserId>, at: DateTime<Utc>) -> Self {
        (self.granted_by, self.granted_at) = (Some(by.into()), Some(at));
        self
    }

    /// States when it ends.
    #[must_use]
    pub fn until(mut self, expires: DateTime<Utc>) -> Self {
        self.expires = Some(expires);
        self
    }

    /// States why it was granted.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// States that the person is suspended.
    #[must_use]
    pub fn suspended(mut self) -> Self {
        self.suspended = true;
        self
    }

    /// Whether it holds then, by its dates and by the state of the person.
    #[must_use]
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        !self.suspended && self.expires.is_none_or(|until| now < until)
    }

    /// What there is to say of this row by itself.
    pub(super) fn findings<P: Permission>(&self, policy: &Policy<P>, now: DateTime<Utc>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |found: bool, finding| findings.extend(found.then_some(finding));
        match &self.granted {
            Granted::Role(name) => {
                let role = policy.role(name);
                find(role.is_none(), Finding::Orphan);
                find(role.is_some_and(|role| !role.is_assignable()), Finding::NotAssignable);
                find(role.is_some_and(|role| role.is_owner()), Finding::Owner);
                find(role.is_some_and(|role| role.is_staff()), Finding::Staff);
            }
            Granted::Allow { permission, scope } => {
                let unknown = P::from_key(permission).is_none() || Scope::from_name(scope).is_none();
                find(unknown, Finding::Orphan);
                find(self.expires.is_none(), Finding::NoExpiry);
            }
            Granted::Deny { permission } => find(P::from_key(permission).is_none(), Finding::Orphan),
        }
        find(self.expires.is_some_and(|until| now >= until), Finding::Expired);
        find(self.suspended, Finding::Suspended);
        findings
    }
}

impl Granted {
    /// `role`, `allow` or `deny`.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Role(_) => "role",
            Self::Allow { .. } => "allow",
            Self::Deny { .. } => "deny",
        }
    }

    /// The name of the role, or the key of the permission.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Role(name) => name,
            Self::Allow { permission, .. } | Self::Deny { permission } => permission,
        }
    }

    pub(super) fn scope(&self) -> Option<&str> {
        match self {
            Self::Allow { scope, .. } => Some(scope),
            Self::Role(_) | Self::Deny { .. } => None,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Orphan => f.write_str("orphan"),
            Self::NotAssignable => f.write_str("not assignable"),
            Self::Expired => f.write_str("expired"),
            Self::NoExpiry => f.write_str("no expiry"),
            Self::Suspended => f.write_str("suspended"),
            Self::Owner => f.write_str("owner"),
            Self::Staff => f.write_str("staff"),
            Self::Separation(name) => write!(f, "separation {name}"),
        }
    }
}
