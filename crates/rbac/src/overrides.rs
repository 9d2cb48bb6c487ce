//! Exceptions for one person.

use chrono::{DateTime, Utc};

use crate::error::{Error, Fault};
use crate::permission::Permission;
use crate::reason::Reason;
use crate::scope::Scope;

/// One person gets a permission that no role gives, or loses one that a role gives.
///
/// To allow takes an expiry, so that an exception does not become a role nobody wrote down; a denial may be permanent.
/// A denial wins over every role and every other override, and neither lifts a ceiling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override<P: Permission> {
    pub(crate) permission: P,
    pub(crate) effect: Effect,
    pub(crate) reason: Reason,
    pub(crate) until: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow(Scope),
    Deny,
}

impl<P: Permission> Override<P> {
    /// Grants `permission` at `scope` until `expires`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::ScopeTooWide`](crate::ErrorKind::ScopeTooWide) if the scope is wider than the permission allows, or is
    /// [`Scope::Platform`], which belongs to staff roles alone.
    pub fn allow(permission: P, scope: Scope, reason: Reason, expires: DateTime<Utc>) -> Result<Self, Error> {
        let max = permission.info().up_to().min(Scope::Tenant);
        if scope > max {
            return Err(Fault::ScopeTooWide { key: permission.key(), scope, max }.into());
        }
        Ok(Self { permission, effect: Effect::Allow(scope), reason, until: Some(expires) })
    }

    /// Takes `permission` away, at every scope, for good.
    #[must_use]
    pub fn deny(permission: P, reason: Reason) -> Self {
        Self { permission, effect: Effect::Deny, reason, until: None }
    }

    /// Takes `permission` away, at every scope, until `expires`.
    #[must_use]
    pub fn deny_until(permission: P, reason: Reason, expires: DateTime<Utc>) -> Self {
        Self { until: Some(expires), ..Self::deny(permission, reason) }
    }

    /// The permission it is about.
    #[must_use]
    pub fn permission(&self) -> P {
        self.permission
    }

    /// The scope it grants; `None` if it denies.
    #[must_use]
    pub fn scope(&self) -> Option<Scope> {
        match self.effect {
            Effect::Allow(scope) => Some(scope),
            Effect::Deny => None,
        }
    }

    /// Why it was made.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The first moment at which it no longer holds; `None` if it holds for good.
    #[must_use]
    pub const fn expires(&self) -> Option<DateTime<Utc>> {
        self.until
    }
}
