//! What the layers of an authority come to.

use super::{Assurance, Authority};
use crate::ident::UserId;
use crate::overrides::Effect;
use crate::permission::Permission;
use crate::policy::Role;
use crate::scope::Scope;
use crate::scopes::Scopes;

impl<P: Permission> Authority<P> {
    /// What all roles, allow-overrides and delegations give, whatever denies or limits it at present.
    pub(crate) fn entitled(&self) -> Scopes<P> {
        let lent = self.delegated.iter().map(|delegated| &delegated.scopes);
        self.granted_by(self.roles()).join(&lent.fold(Scopes::none(), Scopes::join))
    }

    /// What the person has of their own, and could show with a second factor.
    pub(in crate::actor) fn standing(&self) -> Scopes<P> {
        self.limit(self.granted_by(self.active()))
    }

    /// What a decision could allow, if the person showed a second factor.
    pub(crate) fn attainable(&self) -> Scopes<P> {
        let lent = self.delegated.iter().fold(Scopes::none(), |lent, one| lent.join(&one.scopes));
        self.limit(self.granted_by(self.active()).join(&lent))
    }

    fn granted_by<'a>(&'a self, roles: impl Iterator<Item = &'a Role<P>>) -> Scopes<P> {
        let mut granted = roles.fold(Scopes::none(), |joined, role| joined.join(role.scopes()));
        for exception in &self.overrides {
            if let Effect::Allow(scope) = exception.effect {
                let widened = granted.scope(exception.permission).max(scope);
                granted = granted.with(exception.permission, widened);
            }
        }
        granted
    }

    fn limit(&self, mut scopes: Scopes<P>) -> Scopes<P> {
        for exception in self.overrides.iter().filter(|exception| exception.effect == Effect::Deny) {
            scopes = scopes.with(exception.permission, Scope::None);
        }
        for (_, ceiling) in &self.ceilings {
            scopes = scopes.meet(ceiling);
        }
        if self.reads_only { scopes.meet(&Scopes::reads()) } else { scopes }
    }

    /// The formula: active roles, allow-overrides and delegations joined, minus denials, met with everything that limits.
    pub(in crate::actor) fn resolved(mut self) -> Self {
        self.reads_only |= self.is_staff();
        self.active = self.activated();
        let own = self.granted_by(self.active());
        self.kept_from_makers = self.makers(&own);
        let granted = self.delegated.iter().fold(own, |granted, delegated| granted.join(&delegated.scopes));
        let mut effective = self.limit(granted);
        if self.assurance == Assurance::SingleFactor {
            let guarded = P::ALL.iter().filter(|perm| perm.info().needs_second_factor());
            effective = guarded.fold(effective, |effective, &perm| effective.with(perm, Scope::None));
        }
        self.effective = effective;
        self
    }

    /// The chosen roles, without those that must not be active together.
    fn activated(&self) -> Vec<usize> {
        let chosen = self.chosen.as_ref().unwrap_or(&self.roles);
        let role = |index: &usize| self.policy.roles().get(*index);
        let included = self.policy.included(chosen.iter().filter_map(role));
        let broken = self.policy.separations().iter().filter(|separation| separation.forbids_activating(&included));
        let broken: Vec<_> = broken.collect();
        let apart = |role: &Role<P>| broken.iter().any(|separation| separation.concerns(role.included()));
        chosen.iter().copied().filter(|index| !role(index).is_some_and(apart)).collect()
    }

    /// Who lent a permission so that it reaches further counts as its maker too: or the maker would have it done for them.
    fn makers(&self, own: &Scopes<P>) -> Vec<(P, Vec<UserId>)> {
        let mut kept: Vec<_> = self.policy.kept_from_makers().collect();
        kept.sort_unstable();
        kept.dedup();
        let makers = |perm: P| {
            let lenders = self.delegated.iter().filter(|delegated| delegated.scopes.scope(perm) > own.scope(perm));
            [self.subject.user()].into_iter().chain(lenders.map(|delegated| delegated.by)).collect()
        };
        kept.into_iter().map(|perm| (perm, makers(perm))).collect()
    }
}
