//! The same in Stockade's words.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use stockade_rbac::{
    AccessRecord, Actor, AuditSink, Ceiling, Decision, Direct, Impersonating, Kind, ManualClock, Override, Permission,
    Policy, Reason, Refusal, Resource, Scope, Scopes, ShareLevel, Subject, Timebox, Verdict, Via,
};
use uuid::Uuid;

use crate::draw::{Limits, Perm, Person, Row, Session, World, perm};
use crate::now;

/// One session of one person.
pub(crate) enum Asker {
    Direct(Actor<Perm, Direct>),
    Impersonating(Actor<Perm, Impersonating>),
}

struct Forgetful;

impl AuditSink for Forgetful {
    type Error = std::convert::Infallible;
    async fn record(&mut self, _: AccessRecord) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Every kind of reason that there should be.
pub(crate) const REASONS: [&str; 11] = [
    "role",
    "override",
    "OverrideDenies",
    "NotGranted",
    "ReadsOnly",
    "OtherTenant",
    "ScopeTooNarrow",
    "Ceiling(Tenant)",
    "Ceiling(Session)",
    "Ceiling(Token)",
    "SecondFactor",
];

pub(crate) fn policy(world: &World) -> Policy<Perm> {
    let text = text(world);
    let policy = Policy::compile(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    policy.with_clock(ManualClock::at(at(world.now)))
}

/// The policy file.
fn text(world: &World) -> String {
    let mut text = String::new();
    for role in &world.roles {
        let inherits: Vec<_> = role.inherits.iter().map(|parent| &world.roles[*parent].name).collect();
        writeln!(text, "[[role]]\nname = {:?}\nstaff = {}\ninherits = {inherits:?}", role.name, role.staff).unwrap();
        for scope in &Scope::ALL[1..] {
            let keys: Vec<_> = role.grants.iter().filter(|(_, at)| at == scope).map(|(perm, _)| perm.key()).collect();
            writeln!(text, "grants.{scope} = {keys:?}").unwrap();
        }
    }
    text + "[[role]]\nname = \"support\"\nstaff = true\ngrants.platform = [\"user.impersonate\"]\n"
}

impl Asker {
    pub(crate) fn of(world: &World, policy: &Policy<Perm>, person: &Person, session: Session) -> Self {
        let direct = direct(world, policy, person);
        match session {
            Session::Direct => Self::Direct(direct),
            Session::Token => Self::Direct(direct.attenuate(&scopes(&person.token))),
            Session::Impersonated => {
                let staff = policy.actor(Subject::new(id(90), id(90))).role("support").unwrap().multi_factor();
                let limits = scopes(&world.staff_session).with(Perm::Impersonate, Scope::Platform);
                let staff = staff.ceiling(Ceiling::Session, &limits).build();
                let reason = Reason::new("ticket").unwrap();
                let acting = staff.impersonate::<perm::Impersonate>(&direct, reason, Timebox::MAX).unwrap();
                let Ok(acting) = now(acting.record(&mut Forgetful));
                Self::Impersonating(acting)
            }
        }
    }

    fn decide(&self, perm: Perm, row: &Row) -> Decision<'_, Perm> {
        match self {
            Self::Direct(actor) => actor.decide(perm, &resource(row)),
            Self::Impersonating(actor) => actor.decide(perm, &resource(row)),
        }
    }

    pub(crate) fn may(&self, perm: Perm, row: &Row) -> bool {
        self.decide(perm, row).is_allowed()
    }

    /// The decision with its reason, for people.
    pub(crate) fn said(&self, perm: Perm, row: &Row) -> String {
        self.decide(perm, row).to_string()
    }

    /// What kind of reason there is.
    pub(crate) fn reason(&self, perm: Perm, row: &Row) -> &'static str {
        match self.decide(perm, row).verdict() {
            Verdict::Allowed { via: Via::Role(_), .. } => "role",
            Verdict::Allowed { .. } => "override",
            Verdict::Denied(refusal) => match refusal {
                Refusal::OverrideDenies => "OverrideDenies",
                Refusal::NotGranted => "NotGranted",
                Refusal::ReadsOnly => "ReadsOnly",
                Refusal::OtherTenant => "OtherTenant",
                Refusal::ScopeTooNarrow { .. } => "ScopeTooNarrow",
                Refusal::Ceiling { ceiling: Ceiling::Tenant, .. } => "Ceiling(Tenant)",
                Refusal::Ceiling { ceiling: Ceiling::Token, .. } => "Ceiling(Token)",
                Refusal::Ceiling { .. } => "Ceiling(Session)",
                Refusal::SecondFactor => "SecondFactor",
                _ => "another",
            },
        }
    }
}

fn direct(world: &World, policy: &Policy<Perm>, person: &Person) -> Actor<Perm, Direct> {
    let subject = Subject::new(id(person.id), id(person.tenant));
    let subject = person.teams.iter().fold(subject, |subject, team| subject.team(id(*team)));
    let subject = person.offices.iter().fold(subject, |subject, office| subject.office(id(*office)));
    let names = person.roles.iter().map(|role| &world.roles[*role].name);
    let mut builder = policy.actor(subject).roles(names).unwrap();
    let reason = Reason::new("drawn").unwrap();
    for &(perm, scope, until) in &person.allows {
        builder = builder.with_override(Override::allow(perm, scope, reason.clone(), at(until)).unwrap());
    }
    for &(perm, until) in &person.denies {
        let forever = Override::deny(perm, reason.clone());
        let deny = until.map_or(forever, |until| Override::deny_until(perm, reason.clone(), at(until)));
        builder = builder.with_override(deny);
    }
    if let Some(plan) = &person.plan {
        builder = builder.ceiling(Ceiling::Tenant, &scopes(plan));
    }
    if person.second_factor { builder.multi_factor().build() } else { builder.build() }
}

fn resource(row: &Row) -> Resource {
    let resource = Resource::in_tenant(id(row.tenant));
    let resource = row.owner.map_or(resource, |owner| resource.owner(id(owner)));
    let resource = row.team.map_or(resource, |team| resource.team(id(team)));
    let resource = row.office.map_or(resource, |office| resource.office(id(office)));
    row.shared.map_or(resource, |(person, kind)| {
        let level = if kind == Kind::Write { ShareLevel::Edit } else { ShareLevel::View };
        resource.shared_with(id(person), level)
    })
}

fn scopes(limits: &Limits) -> Scopes<Perm> {
    limits.iter().fold(Scopes::none(), |scopes, &(perm, scope)| scopes.with(perm, scope))
}

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minutes)
}
