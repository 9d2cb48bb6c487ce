//! Finds the differences.

use std::collections::BTreeSet;

use super::{Diff, Difference, KeptApart, Presence};
use crate::permission::Permission;
use crate::policy::{Policy, Role, Separation};
use crate::scope::Scope;

impl<P: Permission> Policy<P> {
    /// What changes where `after` takes the place of this policy.
    pub fn diff(&self, after: &Self) -> Diff {
        let mut differences = Vec::new();
        for name in self.roles().iter().chain(after.roles()).map(Role::name).collect::<BTreeSet<_>>() {
            compare_role(name, self.role(name), after.role(name), &mut differences);
            self.compare_assigns(after, name, &mut differences);
        }
        let limits = Presence::of(self.limits_assigning()).unlike(after.limits_assigning());
        differences.extend(limits.map(|(before, after)| Difference::Limits { before, after }));
        let separations = self.separations().iter().chain(after.separations());
        for name in separations.map(Separation::name).collect::<BTreeSet<_>>() {
            self.compare_separation(after, name, &mut differences);
        }
        differences.sort();
        Diff { differences }
    }

    /// Which role gives which is compared where both policies say so; where only one does, that is the difference.
    fn compare_assigns(&self, after: &Self, role: &str, differences: &mut Vec<Difference>) {
        if !self.limits_assigning() || !after.limits_assigning() {
            return;
        }
        let assigned = |policy: &Self| -> BTreeSet<String> {
            policy.assigns(role).into_iter().flatten().map(|role| role.name().to_owned()).collect()
        };
        let (old, new) = (assigned(self), assigned(after));
        for assigned in old.symmetric_difference(&new) {
            let (before, after) = (Presence::of(old.contains(assigned)), Presence::of(new.contains(assigned)));
            differences.push(Difference::Assigns { role: role.to_owned(), assigned: assigned.clone(), before, after });
        }
    }

    fn compare_separation(&self, after: &Self, name: &str, differences: &mut Vec<Difference>) {
        let find = |policy: &'_ Self| policy.separations().iter().find(|one| one.name() == name).cloned();
        let (old, new) = (find(self), find(after));
        let kept = |one: &Option<Separation<P>>| one.as_ref().map(|one| KeptApart::of(one.rule()));
        let (before, after_rule) = (kept(&old), kept(&new));
        if before != after_rule {
            differences.push(Difference::Separation { name: name.to_owned(), before, after: after_rule });
            return;
        }
        for (role, same) in self.roles().iter().filter_map(|role| Some((role, after.role(role.name())?))) {
            let count = |one: &Option<Separation<P>>, role: &Role<P>| one.as_ref().map_or(0, |one| one.count(role));
            let (before, after) = (count(&old, role), count(&new, same));
            if before != after {
                let (role, separation) = (role.name().to_owned(), name.to_owned());
                differences.push(Difference::Counts { role, separation, before, after });
            }
        }
    }
}

fn compare_role<P: Permission>(
    name: &str,
    old: Option<&Role<P>>,
    new: Option<&Role<P>>,
    differences: &mut Vec<Difference>,
) {
    let role = || name.to_owned();
    let unlike = |fact: fn(&Role<P>) -> bool| Presence::of(old.is_some_and(fact)).unlike(new.is_some_and(fact));
    if let Some((before, after)) = unlike(|_| true) {
        differences.push(Difference::Role { role: role(), before, after });
    }
    if let Some((before, after)) = unlike(Role::is_owner) {
        differences.push(Difference::Owner { role: role(), before, after });
    }
    if let Some((before, after)) = unlike(Role::is_staff) {
        differences.push(Difference::Staff { role: role(), before, after });
    }
    if let Some((before, after)) = unlike(Role::is_assignable)
        && old.is_some()
        && new.is_some()
    {
        differences.push(Difference::Assignable { role: role(), before, after });
    }
    for &permission in P::ALL {
        let scope = |role: Option<&Role<P>>| role.map_or(Scope::None, |role| role.scope(permission));
        let (before, after, permission) = (scope(old), scope(new), permission.key());
        if before != after {
            differences.push(Difference::Scope { role: role(), permission, before, after });
        }
    }
}

impl Presence {
    const fn of(fact: bool) -> Self {
        if fact { Self::Present } else { Self::Absent }
    }

    fn unlike(self, after: bool) -> Option<(Self, Self)> {
        Some((self, Self::of(after))).filter(|(before, after)| before != after)
    }
}

impl Difference {
    pub(super) fn inverse(self) -> Self {
        match self {
            Self::Role { role, before, after } => Self::Role { role, before: after, after: before },
            Self::Scope { role, permission, before, after } => {
                Self::Scope { role, permission, before: after, after: before }
            }
            Self::Owner { role, before, after } => Self::Owner { role, before: after, after: before },
            Self::Staff { role, before, after } => Self::Staff { role, before: after, after: before },
            Self::Assignable { role, before, after } => Self::Assignable { role, before: after, after: before },
            Self::Assigns { role, assigned, before, after } => {
                Self::Assigns { role, assigned, before: after, after: before }
            }
            Self::Limits { before, after } => Self::Limits { before: after, after: before },
            Self::Separation { name, before, after } => Self::Separation { name, before: after, after: before },
            Self::Counts { role, separation, before, after } => {
                Self::Counts { role, separation, before: after, after: before }
            }
        }
    }
}
