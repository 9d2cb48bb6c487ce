//! Random policies, people and rows.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use stockade_rbac::{
    Actor, Ceiling, Delegation, Direct, Impersonating, Kind, Override, Permission, Policy, Reason, Resource, Scope,
    Scopes, Subject, Timebox,
};
use uuid::Uuid;

use crate::model::{self, Authority, CHAIN, Loan};
use crate::permits::{Log, now};
use crate::wide::Wide;

pub(crate) type Perm = Wide<130>;

pub(crate) const CEILINGS: [Ceiling; 3] = [Ceiling::Tenant, Ceiling::Session, Ceiling::Token];

/// Permissions on both sides of the borders between words. Two of them need a second factor.
const NUMBERS: [u16; 12] = [0, 1, 2, 7, 62, 63, 64, 65, 126, 127, 128, 129];

/// The permission to impersonate: a read that reaches other tenants.
const IMPERSONATE: Perm = Wide(4);

impl stockade_rbac::Tag for Wide<4> {
    type Perm = Perm;
    type Kind = stockade_rbac::Read;
    type Grant = stockade_rbac::Unrecorded<stockade_rbac::Permit<Self>>;
    const PERM: Perm = IMPERSONATE;
}

pub(crate) fn permissions() -> impl Iterator<Item = Perm> {
    NUMBERS.into_iter().map(Wide)
}

pub(crate) fn permission() -> impl Strategy<Value = Perm> {
    select(&NUMBERS[..]).prop_map(Wide)
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts(pub(crate) model::Row);

/// A set of scopes, as a token or a plan has them.
#[derive(Clone, Debug)]
pub(crate) struct Limits(Vec<(Perm, Scope)>);

#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) policy: model::Policy,
    pub(crate) person: model::Person,
    pub(crate) others: Vec<model::Person>,
    pub(crate) rows: Vec<Facts>,
    pub(crate) token: Limits,
    pub(crate) staff_session: Limits,
    source: String,
    limits: Vec<(Ceiling, Limits)>,
    overrides: Vec<Override<Perm>>,
}

impl Facts {
    pub(crate) fn resource(&self) -> Resource {
        let model::Row { tenant, owner, team, office, maker } = self.0;
        let mut resource = Resource::in_tenant(tenant);
        if let Some(owner) = owner {
            resource = resource.owner(owner);
        }
        if let Some(team) = team {
            resource = resource.team(team);
        }
        if let Some(office) = office {
            resource = resource.office(office);
        }
        maker.map_or(resource, |maker| resource.made_by(maker))
    }
}

impl Limits {
    pub(crate) fn scopes(&self) -> Scopes<Perm> {
        self.0.iter().fold(Scopes::none(), |scopes, &(perm, scope)| scopes.with(perm, scope))
    }

    pub(crate) fn authority(&self) -> Authority {
        self.0.iter().flat_map(|(perm, scope)| model::down(perm.key(), scope.name())).collect()
    }
}

impl Case {
    pub(crate) fn policy(&self) -> Policy<Perm> {
        Policy::compile(&self.source).unwrap()
    }

    pub(crate) fn subject(&self) -> Subject {
        subject(&self.person)
    }

    /// The same roles, with those separations of the other that they do not break.
    pub(crate) fn with_separations_of(&self, other: &Self) -> Self {
        let mut changed = self.clone();
        let known = |one: &&model::Separation| one.roles.iter().all(|role| self.policy.roles.contains_key(role));
        let sound =
            |one: &&model::Separation| !self.policy.roles.keys().any(|role| one.breaks(&self.policy.lineage([role])));
        changed.policy.separations = other.policy.separations.iter().filter(known).filter(sound).cloned().collect();
        changed.policy.kept_from_makers = other.policy.kept_from_makers.clone();
        changed.source = write(&changed.policy, self.policy.roles.keys().cloned().collect(), false);
        changed
    }

    /// Somebody without overrides and ceilings.
    pub(crate) fn other(&self, person: &model::Person) -> Actor<Perm, Direct> {
        let builder = self.policy().actor(subject(person)).roles(&person.roles).unwrap();
        if person.second_factor { builder.multi_factor().build() } else { builder.build() }
    }

    pub(crate) fn actor(&self) -> Actor<Perm, Direct> {
        let mut builder = self.policy().actor(self.subject()).roles(&self.person.roles).unwrap();
        for loan in &self.person.loans {
            let asked = loan.asked.iter().fold(Scopes::none(), |asked, (key, scope)| {
                let one = Scopes::none().with(Perm::from_key(key).unwrap(), Scope::from_name(scope).unwrap());
                asked.join(&one)
            });
            let expires = Utc::now() + TimeDelta::hours(1);
            let delegation = Delegation::new(asked, expires, Reason::new("drawn").unwrap()).unwrap();
            builder = builder.delegated_by(&self.other(&loan.lender), &delegation);
        }
        for exception in &self.overrides {
            builder = builder.with_override(exception.clone());
        }
        for (ceiling, limits) in &self.limits {
            builder = builder.ceiling(*ceiling, &limits.scopes());
        }
        let actor = if self.person.second_factor { builder.multi_factor().build() } else { builder.build() };
        match &self.person.chosen {
            Some(chosen) => actor.with_roles_active(chosen).unwrap(),
            None => actor,
        }
    }

    /// The person as seen by a member of staff whose session has a ceiling. `None` if the person is staff.
    pub(crate) fn impersonated(&self) -> Option<Actor<Perm, Impersonating>> {
        let support = "[[role]]\nname = \"support\"\nstaff = true\ngrants.platform = [\"p0004\"]\n";
        let staff = Policy::<Perm>::compile(support).unwrap().actor(Subject::new(id(90), id(91)));
        let session = self.staff_session.scopes().with(IMPERSONATE, Scope::Platform);
        let staff = staff.role("support").unwrap().multi_factor().ceiling(Ceiling::Session, &session).build();
        let reason = Reason::new("ticket").unwrap();
        let unrecorded = staff.impersonate::<Wide<4>>(&self.actor(), reason, Timebox::MAX).ok()?;
        Some(now(unrecorded.record(&mut Log::default())).unwrap())
    }

    pub(crate) fn deny_at(&mut self, position: Index, permission: Perm) {
        let position = position.index(self.overrides.len() + 1);
        self.overrides.insert(position, Override::deny(permission, Reason::new("denied").unwrap()));
        self.person.denies.insert(permission.key().to_owned());
    }
}

pub(crate) fn case() -> impl Strategy<Value = Case> {
    let role = (0..8_u8, vec(any::<Index>(), 0..3), vec((permission(), rank()), 0..8), vec(any::<Index>(), 0..3));
    let policy = (vec(role, 1..7), any::<bool>());
    let member = (vec(1..4_u128, 0..3), vec(1..4_u128, 0..3), vec(any::<Index>(), 0..4), any::<bool>());
    let exception = (permission(), rank(), -2..4_i64, any::<bool>());
    let home = prop_oneof![1 => Just(0_u128), 9 => 1..3_u128];
    let person = (0..3_u128, home, member, vec(exception, 0..4));
    let limits = (vec((select(&CEILINGS[..]), limits()), 0..3), limits(), limits());
    let fact = || prop::option::of(0..4_u128);
    let row = (0..9_u128, fact(), fact(), fact(), fact());
    let separation = (vec(any::<Index>(), 2..5), any::<bool>(), 0..3_usize);
    let duties = (vec(separation, 0..4), vec(permission(), 0..3), any::<bool>(), any::<Index>());
    let loan = vec((permission(), rank()), 1..10);
    let other = ((1..5_u128, 0..8_u128), vec(1..4_u128, 0..3), vec(1..4_u128, 0..3), vec(any::<Index>(), 0..4), loan);
    let world = (vec(other, 0..4), vec(row, 1..8));
    (policy, duties, person, limits, world).prop_map(|((roles, backwards), duties, person, limits, (others, rows))| {
        let (mut policy, order) = draw_policy(roles);
        let (separations, kept, choose, choice) = duties;
        separate(&mut policy, &order, separations, kept);
        let source = write(&policy, order, backwards);
        let (user, tenant, (teams, offices, roles, second_factor), exceptions) = person;
        let names: Vec<_> = policy.roles.keys().cloned().collect();
        let roles: BTreeSet<_> = roles.into_iter().map(|index| index.get(&names).clone()).collect();
        let mut person = model::Person {
            user: id(user),
            tenant: id(tenant),
            teams: teams.into_iter().map(id).collect(),
            offices: offices.into_iter().map(id).collect(),
            roles: roles.into_iter().collect(),
            second_factor,
            ..model::Person::default()
        };
        let overrides = exceptions.into_iter().map(|exception| draw_override(exception, &mut person)).collect();
        let (limits, token, staff_session) = limits;
        person.token = limits.iter().any(|(ceiling, _)| *ceiling == Ceiling::Token);
        person.ceilings = limits.iter().map(|(_, limits)| limits.authority()).collect();
        let others: Vec<_> = others.into_iter().map(|other| draw_other(other, &names, tenant)).collect();
        person.loans =
            others.iter().map(|(lender, asked)| Loan { lender: lender.clone(), asked: asked.clone() }).collect();
        let others = others.into_iter().map(|(other, _)| other).collect();
        if choose && !person.roles.is_empty() {
            person.chosen = Some(BTreeSet::from([choice.get(&person.roles).clone()]));
        }
        let home = person.tenant;
        let rows = rows.into_iter().map(|(tenant, owner, team, office, maker)| {
            let (owner, team, office) = (owner.map(id), team.map(id), office.map(id));
            let tenant = if tenant < 3 { id(tenant) } else { home };
            Facts(model::Row { tenant, owner, team, office, maker: maker.map(id) })
        });
        Case { policy, person, others, rows: rows.collect(), token, staff_session, source, limits, overrides }
    })
}

/// Number 0 is the nil UUID.
fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn rank() -> impl Strategy<Value = usize> {
    1..Scope::ALL.len()
}

/// More often generous than not, or nothing would be left to compare.
fn limits() -> impl Strategy<Value = Limits> {
    let limit = prop_oneof![3 => Just(Scope::Platform), 1 => select(&Scope::ALL[..])];
    vec(limit, NUMBERS.len())
        .prop_map(|limits| Limits(permissions().zip(limits).filter(|(_, scope)| *scope != Scope::None).collect()))
}

type RawRole = (u8, Vec<Index>, Vec<(Perm, usize)>, Vec<Index>);

/// Makes a sound policy of whatever was drawn: parents come from among the earlier roles, and a grant that the compiler would
/// refuse is cut to what it accepts, or left out.
fn draw_policy(raw: Vec<RawRole>) -> (model::Policy, Vec<String>) {
    let key = |perm: &Perm| perm.key().to_owned();
    let mut policy = model::Policy {
        writes: Perm::ALL.iter().filter(|perm| perm.kind() == Kind::Write).map(key).collect(),
        guarded: Perm::ALL.iter().filter(|perm| perm.info().needs_second_factor()).map(key).collect(),
        delegable: Perm::ALL.iter().filter(|perm| perm.info().is_delegable()).map(key).collect(),
        ..model::Policy::default()
    };
    let mut order: Vec<String> = Vec::new();
    let limits_assigning = raw.first().is_some_and(|(kind, ..)| kind % 2 == 1);
    for (kind, parents, grants, assigns) in raw {
        let staff = kind == 0;
        let earlier: Vec<_> = order.iter().filter(|name| !staff && !policy.roles[*name].staff).cloned().collect();
        let parents = parents.iter().filter(|_| !earlier.is_empty()).map(|index| index.get(&earlier).clone());
        let inherits: BTreeSet<_> = parents.collect();
        let name = format!("role-{}", order.len());
        let owner = !staff && (kind == 1 || inherits.iter().any(|parent| policy.roles[parent].owner));
        let inherits = inherits.into_iter().collect();
        let mut role = model::Role { staff, owner, inherits, ..model::Role::default() };
        policy.roles.insert(name.clone(), role.clone());
        let inherited = policy.of_role(&name);
        for (perm, rank) in grants {
            let widest = if staff { Scope::Platform } else { Scope::Tenant };
            let scope = Scope::ALL[rank].min(perm.info().up_to()).min(widest).name();
            let narrower = CHAIN.iter().skip_while(|link| **link != scope).skip(1);
            let narrows = narrower.into_iter().any(|wider| inherited.contains(&(key(&perm), (*wider).to_owned())));
            let repeats = role.grants.iter().any(|(other, _)| other == perm.key());
            if !(narrows || repeats || staff && perm.kind() == Kind::Write) {
                role.grants.push((key(&perm), scope.to_owned()));
            }
        }
        policy.roles.insert(name.clone(), role);
        order.push(name.clone());
        let assigns = assigns.iter().filter(|_| limits_assigning).map(|index| index.get(&order).clone());
        let no_more = |assigned: &String| {
            let (assigned_role, role) = (&policy.roles[assigned], &policy.roles[&name]);
            let flags = (!assigned_role.owner || role.owner) && (!assigned_role.staff || role.staff);
            flags && policy.of_role(assigned).is_subset(&policy.of_role(&name))
        };
        let assigns = assigns.filter(no_more).collect();
        policy.roles.get_mut(&name).unwrap().assigns = assigns;
    }
    (policy, order)
}

fn write(policy: &model::Policy, mut order: Vec<String>, backwards: bool) -> String {
    if backwards {
        order.reverse();
    }
    let mut text = String::new();
    for name in &order {
        let role = &policy.roles[name];
        writeln!(text, "[[role]]\nname = {name:?}\nstaff = {}\ninherits = {:?}", role.staff, role.inherits).unwrap();
        writeln!(text, "owner = {}", role.owner).unwrap();
        if !role.assigns.is_empty() {
            writeln!(text, "assigns = {:?}", role.assigns.iter().collect::<Vec<_>>()).unwrap();
        }
        for scope in CHAIN {
            let granted = role.grants.iter().filter(|(_, at)| at == scope);
            let keys: Vec<_> = granted.map(|(key, _)| key).collect();
            writeln!(text, "grants.{scope} = {keys:?}").unwrap();
        }
    }
    for model::Separation { name, roles, at_most, dynamic } in &policy.separations {
        let kind = if *dynamic { "dynamic" } else { "static" };
        let roles: Vec<_> = roles.iter().collect();
        writeln!(text, "[[separation]]\nname = {name:?}\nkind = {kind:?}\nroles = {roles:?}\nat_most = {at_most}")
            .unwrap();
    }
    for then in &policy.kept_from_makers {
        let kind = "kind = \"same-record\"\nfirst = \"p0003\"";
        writeln!(text, "[[separation]]\nname = \"kept-{then}\"\n{kind}\nthen = {then:?}").unwrap();
    }
    text
}

fn subject(person: &model::Person) -> Subject {
    let subject = Subject::new(person.user, person.tenant);
    let subject = person.teams.iter().fold(subject, |subject, team| subject.team(*team));
    person.offices.iter().fold(subject, |subject, office| subject.office(*office))
}

/// Keeps the drawn roles apart, if that is more than one and no role has them all by inheritance.
fn separate(
    policy: &mut model::Policy,
    order: &[String],
    separations: Vec<(Vec<Index>, bool, usize)>,
    kept: Vec<Perm>,
) {
    for (number, (roles, dynamic, at_most)) in separations.into_iter().enumerate() {
        let roles: BTreeSet<_> = roles.iter().map(|index| index.get(order).clone()).collect();
        let (name, at_most) = (format!("apart-{number}"), at_most.clamp(1, roles.len().max(2) - 1));
        let separation = model::Separation { name, roles, at_most, dynamic };
        if separation.roles.len() > 1 && !order.iter().any(|role| separation.breaks(&policy.lineage([role]))) {
            policy.separations.push(separation);
        }
    }
    policy.kept_from_makers = kept.into_iter().map(|perm| perm.key().to_owned()).collect();
}

type RawOther = ((u128, u128), Vec<u128>, Vec<u128>, Vec<Index>, Vec<(Perm, usize)>);

/// Somebody else of the same or another tenant, and what they lend.
fn draw_other(raw: RawOther, names: &[String], home: u128) -> (model::Person, Authority) {
    let ((user, tenant), teams, offices, roles, asked) = raw;
    let tenant = if tenant < 3 { tenant } else { home };
    let roles: BTreeSet<_> = roles.into_iter().map(|index| index.get(names).clone()).collect();
    let other = model::Person {
        user: id(user),
        tenant: id(tenant),
        teams: teams.into_iter().map(id).collect(),
        offices: offices.into_iter().map(id).collect(),
        roles: roles.into_iter().collect(),
        second_factor: user.is_multiple_of(2),
        ..model::Person::default()
    };
    let asked = asked.into_iter().filter(|(perm, _)| perm.info().is_delegable()).flat_map(|(perm, rank)| {
        let scope = Scope::ALL[rank].min(perm.info().up_to()).min(Scope::Tenant);
        model::down(perm.key(), scope.name())
    });
    (other, asked.collect())
}

/// An override that has not begun to expire, or expired before now: nothing expires while a case is decided.
fn draw_override(raw: (Perm, usize, i64, bool), person: &mut model::Person) -> Override<Perm> {
    let (perm, rank, hours, deny) = raw;
    let reason = Reason::new("drawn").unwrap();
    let expires: DateTime<Utc> = Utc::now() + TimeDelta::minutes(60 * hours + 30);
    let holds = hours >= 0;
    if deny {
        if holds {
            person.denies.insert(perm.key().to_owned());
        }
        return Override::deny_until(perm, reason, expires);
    }
    let scope = Scope::ALL[rank].min(perm.info().up_to()).min(Scope::Tenant);
    if holds {
        person.allows.push((perm.key().to_owned(), scope.name().to_owned()));
    }
    Override::allow(perm, scope, reason, expires).unwrap()
}
