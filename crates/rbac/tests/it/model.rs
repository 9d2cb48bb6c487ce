//! What the crate should do, written down a second time with nothing but sets of strings: the executable model.
//!
//! Authority is a set of pairs `(permission, scope)`, closed downwards. A row is a set of scopes at which it can be reached.
//! Somebody may, if some scope is in both. No bit, no rank and no code of the crate is involved.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

pub(crate) const CHAIN: [&str; 5] = ["own", "team", "office", "tenant", "platform"];

pub(crate) type Authority = BTreeSet<(String, String)>;

#[derive(Clone, Debug, Default)]
pub(crate) struct Role {
    pub(crate) staff: bool,
    pub(crate) inherits: Vec<String>,
    pub(crate) grants: Vec<(String, String)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Policy {
    pub(crate) roles: BTreeMap<String, Role>,
    pub(crate) writes: BTreeSet<String>,
    pub(crate) guarded: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Person {
    pub(crate) user: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) teams: Vec<Uuid>,
    pub(crate) offices: Vec<Uuid>,
    pub(crate) roles: Vec<String>,
    pub(crate) allows: Vec<(String, String)>,
    pub(crate) denies: BTreeSet<String>,
    pub(crate) ceilings: Vec<Authority>,
    pub(crate) second_factor: bool,
    pub(crate) reads_only: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) tenant: Uuid,
    pub(crate) owner: Option<Uuid>,
    pub(crate) team: Option<Uuid>,
    pub(crate) office: Option<Uuid>,
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

    pub(crate) fn granted(&self, person: &Person) -> Authority {
        let roles = person.roles.iter().flat_map(|role| self.of_role(role));
        roles.chain(person.allows.iter().flat_map(|(permission, scope)| down(permission, scope))).collect()
    }

    pub(crate) fn effective(&self, person: &Person) -> Authority {
        let staff = person.roles.iter().any(|role| self.roles[role].staff);
        let mut authority = self.granted(person);
        authority.retain(|(permission, _)| !person.denies.contains(permission));
        for ceiling in &person.ceilings {
            authority = authority.intersection(ceiling).cloned().collect();
        }
        authority.retain(|(permission, _)| !((staff || person.reads_only) && self.writes.contains(permission)));
        authority.retain(|(permission, _)| person.second_factor || !self.guarded.contains(permission));
        authority
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
    let row = Row { tenant, owner: None, team: Some(team), office: None };
    assert!(may(&authority, &person, "view", &row));
    assert!(!may(&authority, &person, "edit", &row));
    let row = Row { owner: Some(user), team: None, ..row };
    assert!(may(&authority, &person, "view", &row) && may(&authority, &person, "edit", &row));
    assert!(!may(&authority, &person, "view", &Row { tenant: user, ..row }));
    assert_eq!(policy.effective(&Person { reads_only: true, ..person }), down("view", "team"));
}
