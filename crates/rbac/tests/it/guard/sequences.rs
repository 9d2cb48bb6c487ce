//! Five people who try everything on each other, in any order.

use proptest::prelude::*;
use stockade_rbac::{Actor, Change, Direct, Override, Permission, Policy, Scope, Scopes, Subject, Target};
use uuid::Uuid;

use super::{POLICY, Perm, because, tomorrow};

const ROLES: [&str; 8] = ["agent", "clerk", "lead", "manager", "auditor", "admin", "twin", "owner"];

#[derive(Clone, Default)]
struct Member {
    roles: Vec<&'static str>,
    overrides: Vec<Override<Perm>>,
    suspended: bool,
}

#[derive(Clone, Debug)]
enum Attempt {
    Assign(usize),
    Revoke(usize),
    Allow(usize, Scope),
    Deny(usize),
    Lift(prop::sample::Index),
    Suspend,
    Reinstate,
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let scope = (1..5_usize).prop_map(|rank| Scope::ALL[rank]);
    prop_oneof![
        4 => (0..ROLES.len()).prop_map(Attempt::Assign),
        2 => (0..ROLES.len()).prop_map(Attempt::Revoke),
        2 => (0..Perm::ALL.len(), scope).prop_map(|(permission, scope)| Attempt::Allow(permission, scope)),
        1 => (0..Perm::ALL.len()).prop_map(Attempt::Deny),
        1 => any::<prop::sample::Index>().prop_map(Attempt::Lift),
        1 => Just(Attempt::Suspend),
        1 => Just(Attempt::Reinstate),
    ]
}

struct Firm {
    policy: Policy<Perm>,
    members: Vec<Member>,
}

impl Firm {
    /// Everybody is in one office, and the odd ones are in another as well.
    fn actor(&self, number: usize) -> Actor<Perm, Direct> {
        let subject =
            Subject::new(Uuid::from_u128(1 + number as u128), Uuid::from_u128(50)).office(Uuid::from_u128(60));
        let subject = if number % 2 == 1 { subject.office(Uuid::from_u128(61)) } else { subject };
        let member = &self.members[number];
        let builder = self.policy.actor(subject).roles(&member.roles).unwrap().multi_factor();
        member.overrides.iter().fold(builder, |builder, exception| builder.with_override(exception.clone())).build()
    }

    /// All that a person has or would have without what is denied.
    fn entitled(&self, number: usize) -> Scopes<Perm> {
        let member = &self.members[number];
        let roles = member.roles.iter().map(|name| self.policy.role(name).unwrap().scopes());
        let roles = roles.fold(Scopes::none(), Scopes::join);
        let allows = member.overrides.iter().filter_map(|exception| Some((exception.permission(), exception.scope()?)));
        allows.fold(roles, |all, (permission, scope)| all.join(&Scopes::none().with(permission, scope)))
    }

    fn owners(&self) -> usize {
        let owner = |name: &&str| self.policy.role(name).unwrap().is_owner();
        self.members.iter().filter(|member| !member.suspended && member.roles.iter().any(owner)).count()
    }

    /// Tries a change, and makes it if the guard lets it. Whether it was made.
    fn attempt(&mut self, granter: usize, target: usize, attempt: &Attempt) -> bool {
        let (by, to) = (self.actor(granter), self.actor(target));
        let is_owner = to.roles().any(|name| self.policy.role(name).unwrap().is_owner());
        let others = self.owners() - usize::from(is_owner && !self.members[target].suspended);
        let facts = Target::new(&to).other_owners(others);
        let may = |change: Change<'_, Perm>| {
            !self.members[granter].suspended && by.granting(Perm::Manage).check(&facts, &change).is_ok()
        };
        let mut after = self.members[target].clone();
        let made = match *attempt {
            Attempt::Assign(role) => {
                after.roles.push(ROLES[role]);
                may(Change::Assign(ROLES[role]))
            }
            Attempt::Revoke(role) => {
                after.roles.retain(|held| *held != ROLES[role]);
                may(Change::Revoke(ROLES[role]))
            }
            Attempt::Allow(permission, scope) => {
                let permission = Perm::ALL[permission];
                let scope = scope.min(permission.info().up_to());
                let exception = Override::allow(permission, scope, because(), tomorrow()).unwrap();
                after.overrides.push(exception.clone());
                may(Change::Override(&exception))
            }
            Attempt::Deny(permission) => {
                let exception = Override::deny(Perm::ALL[permission], because());
                after.overrides.push(exception.clone());
                may(Change::Override(&exception))
            }
            Attempt::Lift(_) if after.overrides.is_empty() => false,
            Attempt::Lift(index) => {
                let exception = after.overrides.remove(index.index(after.overrides.len()));
                may(Change::Lift(&exception))
            }
            Attempt::Suspend => {
                after.suspended = true;
                may(Change::Suspend)
            }
            Attempt::Reinstate => {
                after.suspended = false;
                may(Change::Reinstate)
            }
        };
        if made {
            self.members[target] = after;
        }
        made
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_sequence_of_changes_raises_anybody_above_who_made_them(
        start in prop::collection::vec(prop::collection::vec(0..ROLES.len(), 0..2), 4),
        attempts in prop::collection::vec((0..5_usize, 0..5_usize, attempt()), 1..80),
    ) {
        let owner = Member { roles: vec!["owner"], ..Member::default() };
        let members = start.into_iter().map(|roles| Member { roles: roles.into_iter().map(|role| ROLES[role]).collect(), ..Member::default() });
        let mut firm = Firm { policy: Policy::compile(POLICY).unwrap(), members: members.chain([owner]).collect() };
        let all = (0..5).fold(Scopes::none(), |all, number| all.join(&firm.entitled(number)));
        for (granter, target, attempt) in attempts {
            let (limit, before, effective) = (firm.entitled(granter), firm.entitled(target), firm.actor(granter));
            if !firm.attempt(granter, target, &attempt) {
                continue;
            }
            let after = firm.entitled(target);
            if granter == target {
                prop_assert!(after.is_within(&before), "{granter} raised themselves by {attempt:?}");
            } else {
                prop_assert!(after.is_within(&limit), "{granter} raised {target} by {attempt:?}");
                for (permission, scope) in after.iter() {
                    prop_assert!(effective.scope(permission) >= scope, "{granter} lacks {permission} at {scope}");
                }
            }
            prop_assert!(after.is_within(&all), "{attempt:?} made something of nothing");
            prop_assert!(firm.owners() > 0, "{attempt:?} left no owner");
        }
    }
}
