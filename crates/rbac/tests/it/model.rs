//! What the crate should do, written down a second time with nothing but sets of strings: the executable model.
//!
//! Authority is a set of pairs `(permission, scope)`, closed downwards. A row is a set of scopes at which it can be reached.
//! Somebody may, if some scope is in both. No bit, no rank and no code of the crate is involved.

pub(crate) mod guard;

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

pub(crate) const CHAIN: [&str; 5] = ["own", "team", "office", "tenant", "platform"];

pub(crate) type Authority = BTreeSet<(String, String)>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Role {
    pub(crate) staff: bool,
    pub(crate) owner: bool,
    pub(crate) assigns: BTreeSet<String>,
    pub(crate) inherits: Vec<String>,
    pub(crate) grants: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) writes: BTreeSet<String>,
    pub(crate) guarded: BTreeSet<String>,
    pub(crate) delegable: BTreeSet<String>,
    pub(crate) kept_from_makers: BTreeSet<String>,
    pub(crate) separations: Vec<Separation>,
}

/// Of these roles nobody has more than so many: at all, or active together.
#[derive(Clone, Debug)]
pub(crate) struct Separation {
    pub(crate) name: String,
    pub(crate) roles: BTreeSet<String>,
    pub(crate) at_most: usize,
    pub(crate) dynamic: bool,
}

/// What somebody else lends.
#[derive(Clone, Debug)]
pub(crate) struct Loan {
    pub(crate) lender: Person,
    pub(crate) asked: Authority,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) user: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) teams: Vec<Uuid>,
    pub(crate) offices: Vec<Uuid>,
    pub(crate) roles: Vec<String>,
    pub(crate) chosen: Option<BTreeSet<String>>,
    pub(crate) loans: Vec<Loan>,
    pub(crate) allows: Vec<(String, String)>,
    pub(crate) denies: BTreeSet<String>,
    pub(crate) ceilings: Vec<Authority>,
    pub(crate) second_factor: bool,
    pub(crate) reads_only: bool,
    /// Whether one of the ceilings is that of a token.
    pub(crate) token: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) tenant: Uuid,
    pub(crate) owner: Option<Uuid>,
    pub(crate) team: Option<Uuid>,
    pub(crate) office: Option<Uuid>,
    pub(crate) maker: Option<Uuid>,
}

/// A grant at a scope, with all that it includes.
pub(crate) fn down(permission: &str, scope: &str) -> Authority {
    let included = CHAIN.iter().take_while(|name| **name != scope).chain(CHAIN.iter().filter(|name| **name == scope));
    included.map(|name| (permission.to_owned(), (*name).to_owned())).collect()
}

impl Policy {
    pub(crate) fn of_role(&self, name: &str) -> Authority {
        let role = &self.roles[name];
        let granted = role.grants.iter().flat_map(|(permission, scope)| down(permission, scope));
        granted.chain(role.inherits.iter().flat_map(|parent| self.of_role(parent))).collect()
    }

    /// The roles, and all that they inherit.
    pub(crate) fn lineage<'a>(&self, roles: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
        let with_parents = |name: &String| {
            let mut lineage = self.lineage(&self.roles[name].inherits);
            lineage.insert(name.clone());
            lineage
        };
        roles.into_iter().flat_map(with_parents).collect()
    }

    pub(crate) fn active(&self, person: &Person) -> BTreeSet<String> {
        let wanted: BTreeSet<_> = match &person.chosen {
            Some(chosen) => chosen.clone(),
            None => person.roles.iter().cloned().collect(),
        };
        let lineage = self.lineage(&wanted);
        let broken: Vec<_> = self.separations.iter().filter(|one| one.breaks(&lineage)).collect();
        let apart = |name: &String| broken.iter().any(|one| !one.roles.is_disjoint(&self.lineage([name])));
        wanted.into_iter().filter(|name| !apart(name)).collect()
    }

    /// What is the person's own: by active roles and allowances.
    pub(crate) fn granted(&self, person: &Person) -> Authority {
        let active = self.active(person);
        let roles = active.iter().flat_map(|role| self.of_role(role));
        roles.chain(person.allows.iter().flat_map(|(permission, scope)| down(permission, scope))).collect()
    }

    pub(crate) fn lent(&self, person: &Person) -> Authority {
        person.loans.iter().flat_map(|loan| self.lent_by(loan, person)).collect()
    }

    pub(crate) fn lent_by(&self, Loan { lender, asked }: &Loan, person: &Person) -> Authority {
        let staff = lender.roles.iter().any(|role| self.roles[role].staff);
        if staff || lender.tenant != person.tenant || lender.tenant.is_nil() || lender.user == person.user {
            return Authority::new();
        }
        let held = self.limited(self.granted(lender), lender);
        let has = |permission: &str, scope: &str| held.contains(&(permission.to_owned(), scope.to_owned()));
        let lends = |permission: &str| {
            let rows = if has(permission, "tenant") {
                true
            } else if has(permission, "office") {
                person.offices.iter().all(|office| lender.offices.contains(office))
            } else {
                has(permission, "team") && person.teams.iter().all(|team| lender.teams.contains(team))
            };
            let active = self.active(lender);
            let through = active.iter().filter(|role| self.of_role(role).iter().any(|(key, _)| key == permission));
            let (mine, theirs) = (self.lineage(&person.roles), self.lineage(through));
            let both: BTreeSet<_> = mine.union(&theirs).cloned().collect();
            let adds = |one: &&Separation| one.roles.intersection(&both).any(|role| !mine.contains(role));
            rows && !self.separations.iter().filter(adds).any(|one| one.breaks(&both))
        };
        let lent = asked
            .intersection(&held)
            .filter(|(key, scope)| self.delegable.contains(key) && scope != "platform" && lends(key));
        lent.cloned().collect()
    }

    pub(crate) fn effective(&self, person: &Person) -> Authority {
        let granted = self.granted(person).union(&self.lent(person)).cloned().collect();
        let mut authority = self.limited(granted, person);
        authority.retain(|(permission, _)| person.second_factor || !self.guarded.contains(permission));
        authority
    }

    fn limited(&self, mut authority: Authority, person: &Person) -> Authority {
        let staff = person.roles.iter().any(|role| self.roles[role].staff);
        authority.retain(|(permission, _)| !person.denies.contains(permission));
        for ceiling in &person.ceilings {
            authority = authority.intersection(ceiling).cloned().collect();
        }
        authority.retain(|(permission, _)| !((staff || person.reads_only) && self.writes.contains(permission)));
        authority
    }

    /// Who must not have made a row: the person, and those who lent what the person has not.
    pub(crate) fn makers(&self, person: &Person, permission: &str) -> BTreeSet<Uuid> {
        let own = self.granted(person);
        let more =
            |loan: &&Loan| self.lent_by(loan, person).iter().any(|pair| pair.0 == permission && !own.contains(pair));
        person.loans.iter().filter(more).map(|loan| loan.lender.user).chain([person.user]).collect()
    }

    pub(crate) fn maker_is_fine(&self, person: &Person, permission: &str, row: &Row) -> bool {
        let known = row.maker.filter(|maker| !maker.is_nil() && !person.user.is_nil());
        !self.kept_from_makers.contains(permission)
            || known.is_some_and(|maker| !self.makers(person, permission).contains(&maker))
    }
}

impl Separation {
    pub(crate) fn breaks(&self, lineage: &BTreeSet<String>) -> bool {
        self.roles.intersection(lineage).count() > self.at_most
    }
}

impl Person {
    /// The scopes at which this person reaches a row.
    pub(crate) fn reaches(&self, row: &Row) -> BTreeSet<String> {
        let known = |id: &Uuid| *id != Uuid::nil();
        let mut scopes = BTreeSet::from(["platform"]);
        if known(&row.tenant) && row.tenant == self.tenant {
            scopes.insert("tenant");
            scopes.extend(row.owner.filter(known).filter(|owner| *owner == self.user).map(|_| "own"));
            scopes.extend(row.team.filter(known).filter(|team| self.teams.contains(team)).map(|_| "team"));
            scopes.extend(row.office.filter(known).filter(|office| self.offices.contains(office)).map(|_| "office"));
        }
        scopes.into_iter().map(str::to_owned).collect()
    }
}

pub(crate) fn may(authority: &Authority, person: &Person, permission: &str, row: &Row) -> bool {
    person.reaches(row).into_iter().any(|scope| authority.contains(&(permission.to_owned(), scope)))
}

#[test]
fn the_model_says_what_is_meant() {
    let viewer = Role { grants: vec![("view".to_owned(), "team".to_owned())], ..Role::default() };
    let editor = Role {
        inherits: vec!["viewer".to_owned()],
        grants: vec![("edit".to_owned(), "own".to_owned())],
        ..viewer.clone()
    };
    let roles = BTreeMap::from([("viewer".to_owned(), viewer), ("editor".to_owned(), editor)]);
    let policy = Policy { roles, writes: BTreeSet::from(["edit".to_owned()]), ..Policy::default() };
    let [user, tenant, team] = [1, 2, 3].map(Uuid::from_u128);
    let person = Person { user, tenant, teams: vec![team], roles: vec!["editor".to_owned()], ..Person::default() };
    let authority = policy.effective(&person);
    let row = Row { tenant, owner: None, team: Some(team), office: None, maker: None };
    assert!(may(&authority, &person, "view", &row));
    assert!(!may(&authority, &person, "edit", &row));
    let row = Row { owner: Some(user), team: None, ..row };
    assert!(may(&authority, &person, "view", &row) && may(&authority, &person, "edit", &row));
    assert!(!may(&authority, &person, "view", &Row { tenant: user, ..row }));
    assert_eq!(policy.effective(&Person { reads_only: true, ..person }), down("view", "team"));
}
