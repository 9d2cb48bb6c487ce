//! Comparing what a granter has with what somebody else has or is to get.

use super::{GrantGuard, GrantRefusal, Target};
use crate::permission::Permission;
use crate::policy::Role;
use crate::scope::Scope;
use crate::subject::Subject;

/// How a scope that one person holds compares with a scope of another.
enum Reach {
    Covered,
    Narrower,
    /// Wide enough in the granter's own teams and offices, and the other belongs to others as well.
    Elsewhere,
}

impl<P: Permission> GrantGuard<'_, P> {
    /// Whether nothing that the target has, denials and limits aside, is above the granter.
    pub(super) fn dominates(&self, target: &Target<'_, P>) -> Result<(), GrantRefusal> {
        if target.authority.is_staff() && !self.authority().is_staff() {
            return Err(GrantRefusal::StaffOnly);
        }
        if target.authority.roles().any(Role::is_owner) && !self.authority().active().any(Role::is_owner) {
            return Err(GrantRefusal::OwnerOnly);
        }
        let entitled = target.authority.entitled();
        for (permission, scope) in entitled.iter() {
            let held = self.authority().effective().scope(permission);
            if !matches!(self.reach(held, target, scope), Reach::Covered) {
                return Err(GrantRefusal::TargetAbove { permission: permission.key(), has: scope, held });
            }
        }
        Ok(())
    }

    /// Whether the granter has what the target is to get.
    pub(super) fn holds(&self, target: &Target<'_, P>, permission: P, granted: Scope) -> Result<(), GrantRefusal> {
        let held = self.authority().effective().scope(permission);
        let lent = self.granter.authority().effective().scope(permission) >= granted;
        let permission = permission.key();
        match self.reach(held, target, granted) {
            Reach::Covered => Ok(()),
            Reach::Narrower if lent => Err(GrantRefusal::Delegated { permission }),
            Reach::Narrower => Err(GrantRefusal::Lacks { permission, granted, held }),
            Reach::Elsewhere => Err(GrantRefusal::Elsewhere { permission, granted, held }),
        }
    }

    fn reach(&self, held: Scope, target: &Target<'_, P>, scope: Scope) -> Reach {
        let (mine, theirs) = (self.authority().subject(), target.authority.subject());
        if held < scope {
            Reach::Narrower
        } else if scope == Scope::None || covers(mine, held, theirs) {
            Reach::Covered
        } else {
            Reach::Elsewhere
        }
    }
}

/// Whether what `one` reaches at `held` includes what `other` reaches at the same or a narrower scope. Teams are taken to lie in
/// the offices of their people, and a person's own rows with the person.
pub(crate) fn covers(one: &Subject, held: Scope, other: &Subject) -> bool {
    let same_tenant = one.tenant().matches(other.tenant());
    match held {
        Scope::Platform => true,
        Scope::Tenant | Scope::Own => same_tenant,
        Scope::Office => same_tenant && other.offices().iter().all(|office| one.offices().contains(office)),
        Scope::Team => same_tenant && other.teams().iter().all(|team| one.teams().contains(team)),
        Scope::None => false,
    }
}
