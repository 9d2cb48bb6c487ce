//! Who can?

use crate::actor::Actor;
use crate::ident::UserId;
use crate::mode::Direct;
use crate::overrides::Effect;
use crate::permission::Permission;
use crate::policy::{Policy, Role};
use crate::scope::Scope;

/// Somebody who can, how far, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// Who.
    pub user: UserId,
    /// How far, with a second factor if one is needed.
    pub scope: Scope,
    /// The active roles that grant it at any scope.
    pub roles: Vec<String>,
    /// Whether an override allows it.
    pub by_override: bool,
    /// Who lends it.
    pub lent_by: Vec<UserId>,
}

impl<P: Permission> Policy<P> {
    /// The roles that have `permission`, and how far, in the order of the file.
    pub fn who_can(&self, permission: P) -> impl Iterator<Item = (&Role<P>, Scope)> {
        let scopes = self.roles().iter().map(move |role| (role, role.scope(permission)));
        scopes.filter(|(_, scope)| *scope != Scope::None)
    }

    /// Those of the people who can, each with the reasons. A second factor that somebody has not shown does not count against
    /// them: they could.
    pub fn people_who_can<'a>(
        &self,
        permission: P,
        people: impl IntoIterator<Item = &'a Actor<P, Direct>>,
    ) -> Vec<Holder> {
        people.into_iter().filter_map(|actor| actor.holds(permission)).collect()
    }
}

impl<P: Permission> Actor<P, Direct> {
    fn holds(&self, permission: P) -> Option<Holder> {
        let authority = self.authority();
        let scope = authority.attainable().scope(permission);
        if scope == Scope::None || authority.expired().is_some() {
            return None;
        }
        let roles = authority.active().filter(|role| role.scope(permission) != Scope::None);
        let lenders = authority.delegated().iter().filter(|lent| lent.scopes.scope(permission) != Scope::None);
        let allows = |effect: Effect| matches!(effect, Effect::Allow(scope) if scope != Scope::None);
        let mut overrides = authority.overrides().iter();
        Some(Holder {
            user: self.subject().user(),
            scope,
            roles: roles.map(|role| role.name().to_owned()).collect(),
            by_override: overrides.any(|exception| exception.permission == permission && allows(exception.effect)),
            lent_by: lenders.map(|lent| lent.by).collect(),
        })
    }
}
