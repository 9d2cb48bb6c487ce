//! Who may give what to whom.

mod change;
mod dominance;
mod refusal;

pub use self::change::{Change, Target};
pub(crate) use self::dominance::covers;
pub use self::refusal::GrantRefusal;
use crate::actor::{Actor, Authority};
use crate::decision::Decision;
use crate::denied::Denied;
use crate::mode::Direct;
use crate::overrides::Effect;
use crate::permission::Permission;
use crate::policy::Role;
use crate::resource::Resource;
use crate::share::ShareLevel;

/// Decides what one person may change about the authority of others: nobody gives what they lack, nobody touches somebody
/// above them, nobody promotes themselves.
///
/// It is as old as its granter and as the target that it is shown. Storage builds both under the lock under which it writes, or two
/// changes that are sound one by one are not together. Impersonating actors have no guard: the type is that of a person.
///
/// ```
/// use stockade_rbac::{Change, GrantRefusal, Policy, Subject, Target};
/// # use uuid::Uuid;
/// stockade_rbac::permissions! {
///     /// What a person of the workshop may do.
///     pub enum Perm {
///         JobView = "job.view":    Read,  up to Tenant;
///         Invoice = "job.invoice": Write, up to Tenant;
///         Staff   = "user.manage": Write, up to Tenant;
///     }
/// }
/// # fn main() -> Result<(), stockade_rbac::Error> {
/// let policy = Policy::<Perm>::compile(r#"
///     role = [
///         { name = "fitter", grants.own = ["job.view"] },
///         { name = "clerk", inherits = ["fitter"], grants.tenant = ["job.invoice"] },
///         { name = "foreman", inherits = ["fitter"], grants.tenant = ["job.view", "user.manage"] },
///     ]
/// "#)?;
/// let tenant = Uuid::now_v7();
/// let person = |role| policy.actor(Subject::new(Uuid::now_v7(), tenant)).role(role).map(|with| with.build());
/// let (foreman, fitter) = (person("foreman")?, person("fitter")?);
/// let guard = foreman.granting(Perm::Staff);
/// assert_eq!(guard.check(&Target::new(&fitter), &Change::Assign("foreman")), Ok(()));
/// let refused = guard.check(&Target::new(&fitter), &Change::Assign("clerk"));
/// assert!(matches!(refused, Err(GrantRefusal::Lacks { permission: "job.invoice", .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct GrantGuard<'a, P: Permission> {
    granter: &'a Actor<P, Direct>,
    /// The granter without what others lent: that is not passed on.
    own: Authority<P>,
    by: P,
}

impl<P: Permission> Actor<P, Direct> {
    /// The guard over what this person gives and takes. `by` is the permission to do so, which has to reach the target.
    #[must_use]
    pub fn granting(&self, by: P) -> GrantGuard<'_, P> {
        GrantGuard { granter: self, own: self.authority().undelegated(), by }
    }
}

impl<P: Permission> GrantGuard<'_, P> {
    /// Whether the granter may change this about the target.
    ///
    /// What is given has to be held, permission by permission and scope by scope, after the granter's own denials, ceilings and
    /// second factor; where it is held at team or office, the target is in no team or office that the granter is not in. What is
    /// taken has only to be taken from somebody who is not above the granter. To give up authority of one's own takes the
    /// permission `by`, and nothing else.
    ///
    /// # Errors
    ///
    /// [`GrantRefusal`]: the rule that stands against it.
    pub fn check(&self, target: &Target<'_, P>, change: &Change<'_, P>) -> Result<(), GrantRefusal> {
        self.may_manage(target)?;
        let own = self.authority().subject().user().matches(target.user());
        if own && !change.narrows(self.authority()) {
            return Err(GrantRefusal::OwnPromotion);
        }
        if !own {
            self.dominates(target)?;
        }
        match *change {
            Change::Assign(role) => self.may_assign(target, role)?,
            Change::Override(exception) => {
                if let Effect::Allow(scope) = exception.effect {
                    self.holds(target, exception.permission, scope)?;
                }
            }
            Change::Revoke(_) | Change::Lift(_) | Change::Suspend | Change::Reinstate | Change::Remove => {}
        }
        if target.other_owners == 0 && change.takes_ownership(target.authority) {
            return Err(GrantRefusal::LastOwner);
        }
        Ok(())
    }

    /// Whether the granter may share a row: `by` has to reach it, and so has each permission of `used`, those that are checked
    /// on rows of its kind and that a share of this level is good for. A row that the granter reaches through a share alone is
    /// not shared on.
    ///
    /// # Errors
    ///
    /// [`GrantRefusal`]: the rule that stands against it.
    pub fn check_share(&self, row: &Resource, level: ShareLevel, used: &[P]) -> Result<(), GrantRefusal> {
        let row = row.unshared();
        self.permitted(&[row])?;
        for &permission in used.iter().filter(|permission| level >= ShareLevel::needed_by(permission.kind())) {
            let (needed, held) =
                (row.nearest(self.authority().subject()), self.authority().effective().scope(permission));
            if held < needed {
                return Err(GrantRefusal::Lacks { permission: permission.key(), granted: needed, held });
            }
        }
        Ok(())
    }

    const fn authority(&self) -> &Authority<P> {
        &self.own
    }

    /// The permission to grant at all, over this person: the narrowest relation that they have counts.
    fn may_manage(&self, target: &Target<'_, P>) -> Result<(), GrantRefusal> {
        let person = target.authority.subject();
        let base = Resource::in_tenant(person.tenant()).owner(person.user());
        let teams = person.teams().iter().map(|team| base.team(*team));
        let offices = person.offices().iter().map(|office| base.office(*office));
        self.permitted(&[base].into_iter().chain(teams).chain(offices).collect::<Vec<_>>())
    }

    fn permitted(&self, relations: &[Resource]) -> Result<(), GrantRefusal> {
        if self.authority().is_token() {
            return Err(GrantRefusal::Token);
        }
        let mut refused = None;
        for relation in relations {
            let decision = Decision::of(&self.own, self.by, relation);
            if decision.is_allowed() {
                return Ok(());
            }
            if self.granter.decide(self.by, relation).is_allowed() {
                refused = Some(GrantRefusal::Delegated { permission: self.by.key() });
            }
            refused = refused.or_else(|| Some(GrantRefusal::NotPermitted(Denied::by(&decision))));
        }
        refused.map_or(Ok(()), Err)
    }

    fn may_assign(&self, target: &Target<'_, P>, name: &str) -> Result<(), GrantRefusal> {
        let policy = self.authority().policy();
        let role = policy.role(name).filter(|role| role.is_assignable()).ok_or(GrantRefusal::NotAssignable)?;
        if role.is_staff() && !self.authority().is_staff() {
            return Err(GrantRefusal::StaffOnly);
        }
        if role.is_owner() && !self.authority().active().any(Role::is_owner) {
            return Err(GrantRefusal::OwnerOnly);
        }
        if !policy.lets_assign(self.authority().active(), name) {
            return Err(GrantRefusal::NotAssigned);
        }
        for (permission, scope) in role.scopes().iter() {
            self.holds(target, permission, scope)?;
        }
        // The target may have been built by another version of the policy. Names are what is stored.
        let held = target.authority.roles().filter_map(|held| policy.role(held.name()));
        let included = policy.included(held.chain([role]));
        let broken = policy.separations().iter().find(|separation| separation.forbids_holding(&included));
        broken.map_or(Ok(()), |separation| Err(GrantRefusal::Separation { name: separation.name().to_owned() }))
    }
}
