//! People and hostile rows: facts that are missing, nil, of another tenant, or of somebody else.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use stockade_rbac::{Actor, Delegation, Direct, Policy, Reason, Resource, Rows, Scope, Scopes, ShareLevel, Subject};
use uuid::Uuid;

stockade_rbac::permissions! {
    /// One permission is the beginning of another, and one looks like a scope.
    pub enum Perm {
        LoadViewAll = "load.view.all": Read,  up to Platform;
        LoadView    = "load.view":     Read,  up to Platform;
        LoadEdit    = "load.edit":     Write, up to Tenant, delegable;
        Load        = "load":          Read,  up to Tenant;
    }
}

pub(super) static LOADS: Rows = Rows::new("freight", "loads", "tenant_id")
    .owner("owner_id")
    .team("team_id")
    .office("office_id")
    .made_by("maker_id")
    .shared("id", "load");

#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) tenant: Uuid,
    pub(super) owner: Option<Uuid>,
    pub(super) team: Option<Uuid>,
    pub(super) office: Option<Uuid>,
    pub(super) maker: Option<Uuid>,
}

#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) user: Uuid,
    pub(super) tenant: Uuid,
    pub(super) teams: Vec<Uuid>,
    pub(super) offices: Vec<Uuid>,
    view: usize,
    edit: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum With {
    User(Uuid),
    Team(Uuid),
    Office(Uuid),
}

#[derive(Clone, Debug)]
pub(super) struct Share {
    pub(super) tenant: Uuid,
    pub(super) kind: &'static str,
    pub(super) row: Uuid,
    pub(super) with: With,
    pub(super) level: ShareLevel,
    pub(super) expired: bool,
}

pub(super) struct World {
    /// With nothing kept from who made a row, with what edits kept, and with what edits and views.
    policies: [Policy<Perm>; 3],
    pub(super) tenants: [Uuid; 3],
    pub(super) people: Vec<Person>,
    pub(super) rows: Vec<Row>,
    pub(super) shares: Vec<Share>,
}

/// Number 0 is the nil UUID. Users, teams and offices draw from one pool, so that one's number is another's.
fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn policy(kept: &[&str]) -> Policy<Perm> {
    let mut text = "[[role]]\nname = \"edit0\"\n[[role]]\nname = \"view0\"\n[[role]]\nname = \"noise\"\ngrants.tenant = [\"load\", \"load.view.all\"]\n".to_owned();
    text.push_str("[[role]]\nname = \"view5\"\nstaff = true\ngrants.platform = [\"load.view\"]\n");
    for (rank, scope) in (1..).zip(["own", "team", "office", "tenant"]) {
        text.push_str(&format!("[[role]]\nname = \"view{rank}\"\ngrants.{scope} = [\"load.view\"]\n"));
        text.push_str(&format!("[[role]]\nname = \"edit{rank}\"\ngrants.{scope} = [\"load.edit\"]\n"));
    }
    for then in kept {
        text.push_str(&format!(
            "[[separation]]\nname = \"s{}\"\nkind = \"same-record\"\nfirst = \"load\"\nthen = {then:?}\n",
            then.replace('.', "-")
        ));
    }
    Policy::compile(&text).unwrap()
}

impl With {
    pub(super) fn columns(self) -> [Option<Uuid>; 3] {
        match self {
            Self::User(user) => [Some(user), None, None],
            Self::Team(team) => [None, Some(team), None],
            Self::Office(office) => [None, None, Some(office)],
        }
    }
}

impl World {
    /// The same one every time.
    pub(super) fn draw(rows: usize, people: usize) -> Self {
        let mut runner = TestRunner::deterministic();
        let tenants = [201, 202, 0].map(id);
        let tenant = prop_oneof![10 => Just(tenants[0]), 5 => Just(tenants[1]), 1 => Just(tenants[2])];
        let fact = prop_oneof![1 => Just(None), 8 => (0..12_u128).prop_map(|number| Some(id(number)))];
        let row = (tenant.clone(), fact.clone(), fact.clone(), fact.clone(), fact);
        let rows: Vec<Row> = prop::collection::vec(row, rows)
            .new_tree(&mut runner)
            .unwrap()
            .current()
            .into_iter()
            .zip(1_000_u128..)
            .map(|((tenant, owner, team, office, maker), number)| Row {
                id: id(number),
                tenant,
                owner,
                team,
                office,
                maker,
            })
            .collect();
        let ids = || prop::collection::vec((0..12_u128).prop_map(id), 0..3);
        let person = (0..12_u128, tenant.clone(), ids(), ids(), 0..6_usize, 0..5_usize);
        let people: Vec<Person> = prop::collection::vec(person, people)
            .new_tree(&mut runner)
            .unwrap()
            .current()
            .into_iter()
            // Each of them somebody else, and one of them nobody.
            .zip(0_u128..)
            .map(|((user, tenant, teams, offices, view, edit), number)| {
                let user = if number < 12 { id(number) } else { id(user + 12 * number) };
                Person { user, tenant, teams, offices, view, edit }
            })
            .collect();
        let with = (0..12_u128, 0..3_u8).prop_map(|(number, kind)| match kind {
            0 => With::User(id(number)),
            1 => With::Team(id(number)),
            _ => With::Office(id(number)),
        });
        let level = prop_oneof![Just(ShareLevel::View), Just(ShareLevel::Edit)];
        let kind = prop_oneof![6 => Just("load"), 1 => Just("account")];
        let share = (tenant, kind, 0..rows.len(), with, level, prop::bool::weighted(0.3));
        let shares = prop::collection::vec(share, 400).new_tree(&mut runner).unwrap().current();
        let shares = shares.into_iter().map(|(tenant, kind, row, with, level, expired)| Share {
            tenant,
            kind,
            row: rows[row].id,
            with,
            level,
            expired,
        });
        let shares = shares.collect();
        let policies = [&[][..], &["load.edit"], &["load.edit", "load.view"]].map(policy);
        Self { policies, tenants, people, rows, shares }
    }

    /// A person, in other roles each round.
    pub(super) fn actor(&self, person: &Person, round: usize) -> Actor<Perm, Direct> {
        let subject = Subject::new(person.user, person.tenant);
        let subject = person.teams.iter().fold(subject, |subject, team| subject.team(*team));
        let subject = person.offices.iter().fold(subject, |subject, office| subject.office(*office));
        let (view, edit) = ((person.view + round) % 6, (person.edit + 2 * round) % 5);
        let roles = [format!("view{view}"), format!("edit{edit}"), "noise".to_owned()];
        let policy = &self.policies[(round + person.offices.len() + person.teams.len()) % 3];
        let builder = policy.actor(subject).roles(roles).unwrap();
        if person.user.as_u128() % 4 != 3 {
            return builder.build();
        }
        // One in four stands in for somebody who has made some of the rows.
        let lender = policy.actor(Subject::new(id(5), person.tenant)).role("edit4").unwrap().build();
        let scopes = Scopes::none().with(Perm::LoadEdit, Scope::ALL[1 + round % 4]);
        let delegation = Delegation::new(scopes, Utc::now() + TimeDelta::hours(1), Reason::new("on leave").unwrap());
        builder.delegated_by(&lender, &delegation.unwrap()).build()
    }

    /// What the application would state of each row for this person, the shares worked out by hand.
    pub(super) fn resources(&self, person: &Person) -> Vec<(Uuid, Resource)> {
        let mine = |share: &&Share| match share.with {
            With::User(user) => user == person.user,
            With::Team(team) => person.teams.contains(&team) && !team.is_nil(),
            With::Office(office) => person.offices.contains(&office) && !office.is_nil(),
        };
        let shares = self.shares.iter().filter(|share| share.kind == "load" && !share.expired);
        let mut levels = BTreeMap::new();
        for share in shares.filter(mine) {
            let level = levels.entry((share.tenant, share.row)).or_insert(share.level);
            *level = share.level.max(*level);
        }
        let state = |row: &Row| {
            let resource = Resource::in_tenant(row.tenant);
            let resource = row.owner.map_or(resource, |owner| resource.owner(owner));
            let resource = row.team.map_or(resource, |team| resource.team(team));
            let resource = row.office.map_or(resource, |office| resource.office(office));
            let resource = row.maker.map_or(resource, |maker| resource.made_by(maker));
            let level = levels.get(&(row.tenant, row.id));
            (row.id, level.map_or(resource, |level| resource.shared_with(person.user, *level)))
        };
        self.rows.iter().map(state).collect()
    }
}
