//! Who may change what about whom, in sets of strings.

use std::collections::BTreeSet;

use super::{Authority, CHAIN, Person, Policy, Row, down, may};

#[derive(Clone, Debug)]
pub(crate) enum Change {
    Assign(String),
    Revoke(String),
    Allow(String, String),
    Deny,
    LiftAllow,
    LiftDeny,
    Suspend,
    Reinstate,
    Remove,
}

impl Policy {
    /// `by` is the permission to grant, and `others` the number of other owners.
    pub(crate) fn may_change(
        &self,
        granter: &Person,
        target: &Person,
        others: usize,
        by: &str,
        change: &Change,
    ) -> bool {
        let granter = &Person { loans: Vec::new(), ..granter.clone() };
        let own = granter.user == target.user && !target.user.is_nil();
        !granter.token
            && self.reaches_person(granter, target, by)
            && (if own { self.gives_up(change) } else { self.dominates(granter, target) })
            && self.may_give(granter, target, change)
            && (others > 0 || !self.takes_ownership(target, change))
    }

    fn reaches_person(&self, granter: &Person, target: &Person, by: &str) -> bool {
        let base = Row { tenant: target.tenant, owner: Some(target.user), team: None, office: None, maker: None };
        let teams = target.teams.iter().map(|team| Row { team: Some(*team), ..base });
        let offices = target.offices.iter().map(|office| Row { office: Some(*office), ..base });
        let effective = self.effective(granter);
        let reached = |row: Row| may(&effective, granter, by, &row) && self.maker_is_fine(granter, by, &row);
        [base].into_iter().chain(teams).chain(offices).any(reached)
    }

    fn gives_up(&self, change: &Change) -> bool {
        match change {
            Change::Revoke(role) => self.roles.get(role).is_none_or(|role| !role.staff),
            Change::Deny | Change::LiftAllow | Change::Suspend | Change::Remove => true,
            Change::Assign(_) | Change::Allow(..) | Change::LiftDeny | Change::Reinstate => false,
        }
    }

    fn is(&self, roles: impl IntoIterator<Item = String>, kind: fn(&super::Role) -> bool) -> bool {
        roles.into_iter().any(|role| kind(&self.roles[&role]))
    }

    fn dominates(&self, granter: &Person, target: &Person) -> bool {
        let everything: Authority = {
            let roles = target.roles.iter().flat_map(|role| self.of_role(role));
            let allows = target.allows.iter().flat_map(|(permission, scope)| down(permission, scope));
            roles.chain(allows).chain(self.lent(target)).collect()
        };
        let effective = self.effective(granter);
        let staff = |person: &Person| self.is(person.roles.clone(), |role| role.staff);
        let owns = self.is(self.active(granter), |role| role.owner);
        (!staff(target) || staff(granter))
            && (!self.is(target.roles.clone(), |role| role.owner) || owns)
            && everything.iter().all(|(permission, scope)| covers(&effective, granter, target, permission, scope))
    }

    fn may_give(&self, granter: &Person, target: &Person, change: &Change) -> bool {
        let effective = self.effective(granter);
        match change {
            Change::Allow(permission, scope) => covers(&effective, granter, target, permission, scope),
            Change::Assign(name) => {
                let Some(role) = self.roles.get(name) else { return false };
                let active = self.active(granter);
                let held: BTreeSet<_> = target.roles.iter().chain([name]).collect();
                let lineage = self.lineage(held);
                let listed = self.lineage(&active).iter().any(|held| self.roles[held].assigns.contains(name));
                let limited = self.roles.values().any(|role| !role.assigns.is_empty());
                (!role.staff || self.is(granter.roles.clone(), |role| role.staff))
                    && (!role.owner || self.is(active, |role| role.owner))
                    && (!limited || listed)
                    && self.of_role(name).iter().all(|(key, scope)| covers(&effective, granter, target, key, scope))
                    && !self.separations.iter().any(|one| !one.dynamic && one.breaks(&lineage))
            }
            _ => true,
        }
    }

    fn takes_ownership(&self, target: &Person, change: &Change) -> bool {
        let owner = |roles: Vec<String>| self.is(roles, |role| role.owner);
        let without = |lost: &String| target.roles.iter().filter(|role| *role != lost).cloned().collect();
        match change {
            Change::Revoke(role) => owner(target.roles.clone()) && !owner(without(role)),
            Change::Suspend | Change::Remove | Change::Deny => owner(target.roles.clone()),
            _ => false,
        }
    }
}

/// The widest that the granter has is as wide, and reaches wherever the target is.
fn covers(effective: &Authority, granter: &Person, target: &Person, permission: &str, scope: &str) -> bool {
    let has = |scope: &str| effective.contains(&(permission.to_owned(), scope.to_owned()));
    let same_tenant = granter.tenant == target.tenant && !target.tenant.is_nil();
    let everywhere = match CHAIN.iter().rev().find(|scope| has(scope)) {
        Some(&"platform") => true,
        Some(&"tenant" | &"own") => same_tenant,
        Some(&"office") => same_tenant && target.offices.iter().all(|office| granter.offices.contains(office)),
        Some(&"team") => same_tenant && target.teams.iter().all(|team| granter.teams.contains(team)),
        _ => false,
    };
    has(scope) && everywhere
}
