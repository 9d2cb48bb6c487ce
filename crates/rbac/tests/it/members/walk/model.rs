//! The rules, written down a second time with sets of strings.

use std::collections::BTreeSet;

use stockade_rbac::postgres::ExceptionKind;

type Authority = BTreeSet<(&'static str, &'static str)>;

#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) by: usize,
    pub(super) on: usize,
    pub(super) what: What,
}

/// Exceptions are all for `ledger.post`.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Admit,
    Assign(&'static str),
    Revoke(&'static str),
    Suspend,
    Reinstate,
    Remove,
    Allow,
    Deny,
    Lift(ExceptionKind),
}

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) active: bool,
    pub(super) roles: BTreeSet<&'static str>,
    pub(super) allowed: bool,
    pub(super) denied: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Firm {
    pub(super) people: Vec<Option<Person>>,
}

const CHAIN: [&str; 5] = ["own", "team", "office", "tenant", "platform"];

fn down(permission: &'static str, scope: &str) -> Authority {
    let last = CHAIN.iter().position(|name| *name == scope).unwrap();
    CHAIN[..=last].iter().map(|name| (permission, *name)).collect()
}

/// A role and all that it inherits.
fn included(role: &str) -> Vec<&'static str> {
    match role {
        "viewer" => vec!["viewer"],
        "dispatcher" => vec!["dispatcher", "viewer"],
        "accountant" => vec!["accountant"],
        "auditor" => vec!["auditor"],
        "admin" => vec!["admin", "dispatcher", "viewer"],
        "owner" => vec!["owner", "admin", "dispatcher", "viewer", "accountant"],
        "support" => vec!["support"],
        other => panic!("{other}"),
    }
}

fn of_role(role: &str) -> Authority {
    let own = |role: &str| match role {
        "viewer" => down("load.view", "own"),
        "dispatcher" => &down("load.edit", "team") | &down("load.view", "office"),
        "accountant" => down("ledger.post", "tenant"),
        "auditor" => down("load.view", "tenant"),
        "admin" => &(&down("load.view", "tenant") | &down("load.edit", "tenant")) | &down("user.manage", "tenant"),
        "owner" => down("ledger.close", "tenant"),
        _ => down("load.view", "platform"),
    };
    included(role).into_iter().flat_map(own).collect()
}

impl Firm {
    pub(super) fn founded(people: usize) -> Self {
        let owner = Person { active: true, roles: ["owner"].into(), allowed: false, denied: false };
        let mut firm = Self { people: vec![None; people] };
        firm.people[0] = Some(owner);
        firm
    }

    /// What roles and the allowance give.
    pub(super) fn entitled(&self, who: usize) -> Authority {
        let Some(person) = &self.people[who] else { return Authority::new() };
        let roles = person.roles.iter().flat_map(|role| of_role(role));
        roles.chain(person.allowed.then(|| down("ledger.post", "tenant")).into_iter().flatten()).collect()
    }

    pub(super) fn effective(&self, who: usize) -> Authority {
        let denied = self.people[who].as_ref().is_some_and(|person| person.denied);
        self.entitled(who).into_iter().filter(|(permission, _)| !(denied && *permission == "ledger.post")).collect()
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = usize> {
        let owner = |person: &Person| person.active && person.roles.contains("owner");
        (0..self.people.len()).filter(move |who| self.people[*who].as_ref().is_some_and(owner))
    }

    fn is_owner(&self, who: usize) -> bool {
        self.people[who].as_ref().is_some_and(|person| person.roles.contains("owner"))
    }

    /// Whether the rules let it happen, and it is a change.
    pub(super) fn allows(&self, step: &Step) -> bool {
        let Step { by, on, what } = *step;
        let granter = self.effective(by);
        let permitted = self.people[by].as_ref().is_some_and(|person| person.active)
            && granter.contains(&("user.manage", "tenant"));
        let gives_up = matches!(
            what,
            What::Revoke(_) | What::Suspend | What::Remove | What::Deny | What::Lift(ExceptionKind::Allow)
        );
        let above = self.is_owner(on) && !self.is_owner(by) || !self.entitled(on).is_subset(&granter);
        let last = self.owners().all(|owner| owner == on) && self.is_owner(on);
        if !permitted || by == on && !gives_up || by != on && above {
            return false;
        }
        let Some(target) = &self.people[on] else { return matches!(what, What::Admit) };
        match what {
            What::Admit => false,
            What::Assign(role) => {
                let together: BTreeSet<_> = target.roles.iter().copied().chain([role]).flat_map(included).collect();
                role != "support"
                    && (role != "owner" || self.is_owner(by))
                    && of_role(role).is_subset(&granter)
                    && !(together.contains("accountant") && together.contains("auditor"))
                    && !target.roles.contains(role)
            }
            What::Revoke(role) => target.roles.contains(role) && !(last && role == "owner"),
            What::Suspend => target.active && !last,
            What::Reinstate => !target.active,
            What::Remove => !last,
            What::Allow => granter.contains(&("ledger.post", "tenant")) && !target.allowed,
            What::Deny => !target.denied && !last,
            What::Lift(ExceptionKind::Allow) => target.allowed,
            What::Lift(ExceptionKind::Deny) => target.denied,
        }
    }

    pub(super) fn make(&mut self, step: &Step) {
        let slot = &mut self.people[step.on];
        if let What::Admit = step.what {
            *slot = Some(Person { active: true, roles: BTreeSet::new(), allowed: false, denied: false });
        }
        if let What::Remove = step.what {
            *slot = None;
        }
        let Some(person) = slot else { return };
        match step.what {
            What::Assign(role) => drop(person.roles.insert(role)),
            What::Revoke(role) => drop(person.roles.remove(role)),
            What::Suspend => person.active = false,
            What::Reinstate => person.active = true,
            What::Allow => person.allowed = true,
            What::Deny => person.denied = true,
            What::Lift(ExceptionKind::Allow) => person.allowed = false,
            What::Lift(ExceptionKind::Deny) => person.denied = false,
            What::Admit | What::Remove => {}
        }
    }
}
