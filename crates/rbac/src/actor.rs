//! A person with authority.

mod authority;
mod builder;
mod delegation;

use chrono::{DateTime, Utc};

pub(crate) use self::authority::Authority;
pub use self::authority::Ceiling;
pub use self::builder::ActorBuilder;
pub use self::delegation::Delegation;
use crate::decision::Decision;
use crate::denied::Denied;
use crate::error::{Error, Fault};
use crate::mode::{Direct, Impersonating, Mode, Permits};
use crate::permission::{Permission, Tag};
use crate::permit::{Grant, Permit};
use crate::problem::{did_you_mean, shown};
use crate::resource::Resource;
use crate::scope::Scope;
use crate::scopes::Scopes;
use crate::subject::Subject;
use crate::version::SubjectVersion;

/// What one person may do now, resolved: put together once per request by [`Policy::actor`](crate::Policy::actor), asked
/// any number of times.
///
/// An actor does not notice that roles or memberships change. It stops at [`valid_until`](Self::valid_until).
#[derive(Clone, Debug)]
#[must_use]
pub struct Actor<P: Permission, M: Mode = Direct> {
    authority: Authority<P>,
    mode: M,
}

impl<P: Permission, M: Mode> Actor<P, M> {
    pub(crate) const fn new(authority: Authority<P>, mode: M) -> Self {
        Self { authority, mode }
    }

    /// Decides whether the person may do `permission` to `resource`. Allocates nothing.
    pub fn decide(&self, permission: P, resource: &Resource) -> Decision<'_, P> {
        Decision::of(&self.authority, permission, resource)
    }

    /// Decides, and gives proof. For an `audit` permission the proof becomes usable by recording it.
    ///
    /// With [`Impersonating`] this does not compile for a write.
    ///
    /// # Errors
    ///
    /// [`Denied`] if the decision is a refusal.
    pub fn require<T: Tag<Perm = P>>(&self, resource: &Resource) -> Result<T::Grant, Denied>
    where
        M: Permits<T::Kind>,
    {
        let decision = self.decide(T::PERM, resource);
        if !decision.is_allowed() {
            return Err(Denied::by(&decision));
        }
        let permit = Permit::new(self.subject().user(), *resource);
        Ok(T::Grant::issue(permit, || decision.record(resource, self.mode.impersonation())))
    }

    /// The same person, limited to `scopes`, as for an API token. It only ever narrows: what the person gains or loses
    /// later, a token made from it gains never and loses at once.
    pub fn attenuate(&self, scopes: &Scopes<P>) -> Self
    where
        M: Clone,
    {
        Self { authority: self.authority.clone().limited(Ceiling::Token, scopes), mode: self.mode.clone() }
    }

    /// How far `permission` reaches: for menus, and to choose the filter of a list. [`Scope::None`] after
    /// [`valid_until`](Self::valid_until).
    #[must_use]
    pub fn scope(&self, permission: P) -> Scope {
        if self.authority.expired().is_some() { Scope::None } else { self.authority.effective().scope(permission) }
    }

    /// The person.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        self.authority.subject()
    }

    /// The names of the roles, in the order in which they were given.
    pub fn roles(&self) -> impl Iterator<Item = &str> {
        self.authority.roles().map(crate::Role::name)
    }

    /// Which version of the person's authority this is; `None` if it did not come from a store.
    #[must_use]
    pub const fn subject_version(&self) -> Option<SubjectVersion> {
        self.authority.version()
    }

    /// The names of those of the roles that are active. Roles that the policy keeps apart are not active until some of them are
    /// chosen: see [`with_roles_active`](Self::with_roles_active).
    pub fn active_roles(&self) -> impl Iterator<Item = &str> {
        self.authority.active().map(crate::Role::name)
    }

    /// The first moment at which every decision is a refusal: when a role, an override or a delegation that was counted in, or
    /// the impersonation, ends. `None` if nothing expires.
    #[must_use]
    pub const fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.authority.valid_until()
    }

    pub(crate) const fn authority(&self) -> &Authority<P> {
        &self.authority
    }
}

#[cfg(feature = "postgres")]
impl<P: Permission> Actor<P, Direct> {
    /// The same session of the same person, with what the person has now.
    pub(crate) fn renewed(&self, now: ActorBuilder<P>) -> Self {
        Self { authority: self.authority.renewed(now.build().authority), mode: Direct::new() }
    }
}

impl<P: Permission> Actor<P, Direct> {
    /// The same person with these roles active, and no others of those that they hold: a session of somebody with duties that
    /// are kept apart. It never adds a role; that a staff role is among those held keeps the person from writing in any case.
    ///
    /// This is `CreateSession` of INCITS 359.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::RoleNotHeld`](crate::ErrorKind::RoleNotHeld) for a role that the person does not have;
    /// [`ErrorKind::Separated`](crate::ErrorKind::Separated) for roles that the policy keeps apart.
    pub fn with_roles_active<S: AsRef<str>>(&self, names: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let mut chosen = Vec::new();
        for name in names {
            let name = name.as_ref();
            let Some(role) = self.authority.held(name) else {
                let hint = did_you_mean(name, self.roles());
                return Err(Fault::RoleNotHeld { name: shown(name), hint }.into());
            };
            if !chosen.contains(&role) {
                chosen.push(role);
            }
        }
        let policy = self.authority.policy();
        let included = policy.included(chosen.iter().filter_map(|index| policy.roles().get(*index)));
        if let Some(broken) = policy.separations().iter().find(|one| one.forbids_activating(&included)) {
            return Err(Fault::Separated { separation: broken.name().to_owned() }.into());
        }
        Ok(Self { authority: self.authority.clone().with_chosen(chosen), mode: self.mode.clone() })
    }
}

impl<P: Permission> Actor<P, Impersonating> {
    /// Who is looking, why, and for how long.
    #[must_use]
    pub const fn impersonation(&self) -> &Impersonating {
        &self.mode
    }
}
