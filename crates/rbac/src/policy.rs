//! A compiled policy.

mod assigns;
mod closure;
mod compile;
mod lineage;
mod roleset;
mod separate;
mod separation;
mod source;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use self::roleset::RoleSet;
pub use self::separation::{Separation, SeparationRule};
use crate::actor::ActorBuilder;
use crate::clock::{Clock, SystemClock};
use crate::error::{Error, Fault};
use crate::permission::Permission;
use crate::problem::{did_you_mean, shown};
use crate::report::Matrix;
use crate::scope::Scope;
use crate::scopes::Scopes;
use crate::subject::Subject;
use crate::version::PolicyVersion;

/// The roles of an application, checked and compiled. Cloning is cheap: clones share the roles.
#[derive(Clone, Debug)]
pub struct Policy<P: Permission> {
    roles: Arc<Roles<P>>,
    clock: Arc<dyn Clock>,
}

/// One role with all that it has, its own grants and the inherited ones.
#[derive(Clone, Debug)]
pub struct Role<P: Permission> {
    name: String,
    title: Option<String>,
    staff: bool,
    owner: bool,
    assignable: bool,
    scopes: Scopes<P>,
    included: RoleSet,
    assigns: RoleSet,
}

#[derive(Debug)]
struct Roles<P: Permission> {
    in_order: Vec<Role<P>>,
    by_name: HashMap<String, usize>,
    separations: Vec<Separation<P>>,
    version: PolicyVersion,
    limits_assigning: bool,
}

impl<P: Permission> Policy<P> {
    /// The most roles a policy may have.
    pub const MAX_ROLES: usize = 4096;

    /// The most separations a policy may have.
    pub const MAX_SEPARATIONS: usize = 256;

    /// The most text a policy may have, in bytes.
    pub const MAX_SOURCE_BYTES: usize = 4 << 20;

    /// Compiles the TOML text of a policy. The README describes the format.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidPolicy`](crate::ErrorKind::InvalidPolicy), with every [`Problem`](crate::Problem) of the text in
    /// [`Error::problems`]. If the text is not TOML, or has a field that a policy does not have, that is the only one.
    pub fn compile(source: &str) -> Result<Self, Error> {
        let roles = compile::compile(source).map_err(Fault::Policy)?;
        Ok(Self { roles: Arc::new(roles), clock: Arc::new(SystemClock) })
    }

    /// Which text this is compiled from, for decisions and records to name.
    #[must_use]
    pub fn version(&self) -> PolicyVersion {
        self.roles.version
    }

    /// The same policy with another clock, which its actors ask whether they have expired.
    #[must_use]
    pub fn with_clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Starts to put together what a person may do.
    pub fn actor(&self, subject: Subject) -> ActorBuilder<P> {
        ActorBuilder::new(self.clone(), subject)
    }

    /// The roles in the order of the file.
    #[must_use]
    pub fn roles(&self) -> &[Role<P>] {
        &self.roles.in_order
    }

    /// The role of that name.
    #[must_use]
    pub fn role(&self, name: &str) -> Option<&Role<P>> {
        self.roles.by_name.get(name).and_then(|index| self.roles.in_order.get(*index))
    }

    /// The duties that are kept apart, in the order of the file.
    #[must_use]
    pub fn separations(&self) -> &[Separation<P>] {
        &self.roles.separations
    }

    /// The roles that a holder of `role` may give: those that its `assigns` and the roles it inherits list. `None` if the
    /// policy has no `assigns` at all, or no such role.
    #[must_use]
    pub fn assigns(&self, role: &str) -> Option<impl Iterator<Item = &Role<P>>> {
        let set = &self.role(role).filter(|_| self.roles.limits_assigning)?.assigns;
        Some(self.roles().iter().enumerate().filter(|(index, _)| set.contains(*index)).map(|(_, role)| role))
    }

    /// Which role has which permission, and how far.
    #[must_use]
    pub fn matrix(&self) -> Matrix<'_, P> {
        Matrix::new(self.roles())
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// The permissions that are kept from the maker of a row.
    pub(crate) fn kept_from_makers(&self) -> impl Iterator<Item = P> {
        self.separations().iter().filter_map(|separation| match separation.rule() {
            SeparationRule::SameRecord { then, .. } => Some(*then),
            SeparationRule::Static { .. } | SeparationRule::Dynamic { .. } => None,
        })
    }

    /// Whether a role is or inherits one of those that this separation keeps apart.
    pub(crate) fn separates(&self, separation: &str, role: &str) -> bool {
        let named = self.separations().iter().find(|one| one.name() == separation);
        named.zip(self.role(role)).is_some_and(|(separation, role)| separation.count(role) > 0)
    }

    pub(crate) fn limits_assigning(&self) -> bool {
        self.roles.limits_assigning
    }

    /// The roles that are kept apart from others and that a role is or inherits.
    pub(crate) fn separated_within(&self, role: &Role<P>) -> Vec<&str> {
        let kept = |index: usize| self.separations().iter().any(|separation| separation.names(index));
        let roles = self.roles().iter().enumerate().filter(|(index, _)| role.included.contains(*index) && kept(*index));
        roles.map(|(_, role)| role.name()).collect()
    }

    /// These roles and all that they inherit.
    pub(crate) fn included<'a>(&self, roles: impl IntoIterator<Item = &'a Role<P>>) -> RoleSet {
        let none = RoleSet::empty(self.roles().len());
        roles.into_iter().fold(none, |included, role| included.join(&role.included))
    }

    /// Whether a holder of these roles may give `role`, as far as `assigns` says.
    pub(crate) fn lets_assign<'a>(&self, roles: impl IntoIterator<Item = &'a Role<P>>, role: &str) -> bool {
        let position = self.roles.by_name.get(role);
        let listed = |holder: &Role<P>| position.is_some_and(|position| holder.assigns.contains(*position));
        !self.roles.limits_assigning || roles.into_iter().any(listed)
    }

    /// The position of a role that may be assigned.
    pub(crate) fn assignable(&self, name: &str) -> Result<usize, Error> {
        let found = self.roles.by_name.get(name).and_then(|&index| Some((index, self.roles().get(index)?)));
        match found {
            Some((index, role)) if role.assignable => Ok(index),
            Some(_) => Err(Fault::NotAssignable { name: shown(name) }.into()),
            None => {
                let hint = did_you_mean(name, self.roles().iter().map(Role::name));
                Err(Fault::UnknownRole { name: shown(name), hint }.into())
            }
        }
    }
}

impl<P: Permission> Role<P> {
    /// The name in policy files and in assignments.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The title for people; the name if the file gives none.
    #[must_use]
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.name)
    }

    /// Whether it is a staff role: it may reach other tenants and impersonate, and never writes.
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        self.staff
    }

    /// Whether it is an owner's role: a tenant always has somebody who holds one, and only an owner gives or takes it.
    #[must_use]
    pub const fn is_owner(&self) -> bool {
        self.owner
    }

    /// Whether a person can have it, as opposed to roles that are only inherited.
    #[must_use]
    pub const fn is_assignable(&self) -> bool {
        self.assignable
    }

    /// It and all that it inherits.
    pub(crate) const fn included(&self) -> &RoleSet {
        &self.included
    }

    /// How far it reaches for `permission`.
    #[must_use]
    pub fn scope(&self, permission: P) -> Scope {
        self.scopes.scope(permission)
    }

    /// All that it has, inherited grants included.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes<P> {
        &self.scopes
    }
}
