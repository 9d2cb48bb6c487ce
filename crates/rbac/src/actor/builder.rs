//! Puts an actor together.

use chrono::{DateTime, Utc};

use super::Actor;
use super::authority::{Assurance, Authority, Ceiling};
use super::delegation::{Delegated, Delegation};
use crate::error::Error;
use crate::mode::Direct;
use crate::overrides::Override;
use crate::permission::Permission;
use crate::policy::Policy;
use crate::scopes::Scopes;
use crate::subject::Subject;
use crate::version::SubjectVersion;

/// Collects roles, overrides, delegations and ceilings of a person. Made by [`Policy::actor`].
///
/// Without any of them the person may do nothing.
#[derive(Clone, Debug)]
#[must_use]
pub struct ActorBuilder<P: Permission> {
    authority: Authority<P>,
    overrides: Vec<Override<P>>,
    lenders: Vec<(Authority<P>, Delegation<P>)>,
}

impl<P: Permission> ActorBuilder<P> {
    pub(crate) fn new(policy: Policy<P>, subject: Subject) -> Self {
        Self { authority: Authority::new(policy, subject), overrides: Vec::new(), lenders: Vec::new() }
    }

    /// Adds a role.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownRole`](crate::ErrorKind::UnknownRole) if the policy has no such role, or if it is not assignable.
    pub fn role(mut self, name: &str) -> Result<Self, Error> {
        self.authority.add_role(name)?;
        Ok(self)
    }

    /// Adds a role that the person has until `until`. The actor ends with the first of them; one that has ended already has no
    /// effect.
    ///
    /// # Errors
    ///
    /// As [`role`](Self::role).
    pub fn role_until(mut self, name: &str, until: DateTime<Utc>) -> Result<Self, Error> {
        self.authority.add_role_until(name, until)?;
        Ok(self)
    }

    /// Adds several roles.
    ///
    /// # Errors
    ///
    /// As [`role`](Self::role), for the first that cannot be added.
    pub fn roles<S: AsRef<str>>(self, names: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        names.into_iter().try_fold(self, |builder, name| builder.role(name.as_ref()))
    }

    /// Adds an exception for this person. An expired one has no effect.
    pub fn with_override(mut self, exception: Override<P>) -> Self {
        self.overrides.push(exception);
        self
    }

    /// Adds what somebody else lends to this person. `delegator` is that person as they are now, without the second factor, which
    /// is for this one to show.
    ///
    /// It gives nothing if it or the delegator's authority has expired, if the delegator is staff, of another tenant or the same
    /// person, or where the policy keeps the roles behind it apart from those of this person. What was lent to the delegator is
    /// not lent on.
    pub fn delegated_by(mut self, delegator: &Actor<P, Direct>, delegation: &Delegation<P>) -> Self {
        self.lenders.push((delegator.authority().clone(), delegation.clone()));
        self
    }

    /// Adds an upper limit. Several of the same kind limit each other.
    pub fn ceiling(mut self, ceiling: Ceiling, scopes: &Scopes<P>) -> Self {
        self.authority.lower(ceiling, scopes);
        self
    }

    /// States that the person has shown a second factor in this session. `mfa` permissions are refused without.
    pub fn multi_factor(mut self) -> Self {
        self.authority.assure(Assurance::MultiFactor);
        self
    }

    /// States which version of the person's authority this is, for decisions to name.
    pub fn subject_version(mut self, version: impl Into<SubjectVersion>) -> Self {
        self.authority.date(version.into());
        self
    }

    /// The actor, as of now on the clock of the policy.
    pub fn build(self) -> Actor<P, Direct> {
        let authority = self.authority.with_overrides(self.overrides);
        let delegated = Delegated::of(&self.lenders, &authority);
        Actor::new(authority.with_delegated(delegated).resolved(), Direct::new())
    }
}
