//! stockade-rbac's decisions beside Cedar, casbin and gatehouse: one policy, one set of questions, every engine in every round.
//!
//! `scripts/bench rbac`. Before anything is measured all engines have answered all questions alike.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a benchmark that cannot run should stop"
)]

mod peers;
mod scenario;

use std::hint::black_box;

use chrono::{TimeDelta, Utc};
use stockade_benches::{Report, compare, subject};
use stockade_rbac::{Actor, Ceiling, Direct, Override, Permission, Policy, Reason, Resource, Scope, Scopes, Subject};
use uuid::Uuid;

use self::peers::{Cedar, Gatehouse, Naming};
use self::scenario::{Numbered, Question, ROLES};

type Perm = Numbered<120>;

const TENANT: Uuid = Uuid::from_u128(1);

fn user(role: usize) -> Uuid {
    Uuid::from_u128(100 + role as u128)
}

/// As a person is in an office: of two teams and an office.
fn person(user: Uuid) -> Subject {
    Subject::new(user, TENANT).team(Uuid::from_u128(2)).team(Uuid::from_u128(3)).office(Uuid::from_u128(4))
}

/// A row with all its facts, which are somebody else's unless it is an own one.
fn row(user: Uuid, own: bool) -> Resource {
    let [somebody, team, office] = [7, 8, 9].map(Uuid::from_u128);
    Resource::in_tenant(TENANT).owner(if own { user } else { somebody }).team(team).office(office)
}

/// Somebody with three roles, a permanent denial and the limits of a plan; `until` adds an allowance that ends some day.
fn laden(policy: &Policy<Perm>, until: Option<TimeDelta>) -> Actor<Perm, Direct> {
    let reason = Reason::new("cover").expect("a reason");
    let builder = policy.actor(person(user(0))).roles(["viewer", "accountant", "dispatcher"]).expect("roles");
    let builder = builder.with_override(Override::deny(Numbered(33), reason.clone())).multi_factor();
    let builder = builder.ceiling(Ceiling::Tenant, &Scopes::all().with(Numbered(40), Scope::None));
    let allow = until.map(|until| Override::allow(Numbered(119), Scope::Tenant, reason, Utc::now() + until));
    match allow {
        Some(allow) => builder.with_override(allow.expect("an override")).build(),
        None => builder.build(),
    }
}

fn decisions(report: &Report) {
    let policy = scenario::policy();
    let questions = scenario::questions();
    let actors: Vec<_> = ROLES
        .iter()
        .enumerate()
        .map(|(role, name)| policy.actor(person(user(role))).role(name).expect("a role").build())
        .collect();
    let rows: Vec<_> = (0..ROLES.len()).map(|role| [row(user(role), false), row(user(role), true)]).collect();
    let ours = |Question { role, permission, own }| actors[role].decide(permission, &rows[role][usize::from(own)]);
    let (heavy, ending) = (laden(&policy, None), laden(&policy, Some(TimeDelta::days(1))));
    let bits: Vec<[u64; 2]> = actors.iter().map(bits).collect();

    let cedar = [Naming::List, Naming::Group].map(|naming| Cedar::new(&questions, naming));
    let (casbin, cached, gatehouse) = (peers::casbin(), peers::casbin_cached(), Gatehouse::new());
    let mut allowed = 0;
    for (place, &question) in questions.iter().enumerate() {
        let expected = ours(question).is_allowed();
        let answers = [
            cedar[0].may(place),
            cedar[1].may(place),
            peers::casbin_may(&casbin, question),
            peers::casbin_may(&cached, question),
            gatehouse.may(question),
        ];
        assert_eq!(answers, [expected; 5], "{question:?}");
        allowed += usize::from(expected);
    }
    assert_eq!((questions.len(), allowed), (1_920, 673));

    // Each subject goes through all questions in turn.
    let next = || {
        let (mut place, end) = (0, questions.len());
        move || {
            place = if place + 1 == end { 0 } else { place + 1 };
            place
        }
    };
    macro_rules! asking {
        ($name:literal, $place:ident => $answer:expr) => {{
            let mut next = next();
            subject($name, move || {
                let $place = black_box(next());
                black_box($answer);
            })
        }};
    }
    let (questions, cedar, casbin, cached, gatehouse) = (&questions, &cedar, &casbin, &cached, &gatehouse);
    let (ours, bits, actors, heavy, ending, rows) = (&ours, &bits, &actors, &heavy, &ending, &rows);
    let subjects = vec![
        asking!("a bit by hand", place => {
            let Question { role, permission, .. } = questions[place];
            bits[role][permission.index() / 64] >> (permission.index() % 64) & 1
        }),
        asking!("scope", place => actors[questions[place].role].scope(questions[place].permission)),
        asking!("boolean", place => ours(questions[place]).is_allowed()),
        asking!("decision with its reason", place => ours(questions[place]).verdict()),
        asking!("decision, 3 roles and limits", place => {
            let Question { role, permission, own } = questions[place];
            heavy.decide(permission, &rows[role][usize::from(own)]).verdict()
        }),
        asking!("the same, and it ends one day", place => {
            let Question { role, permission, own } = questions[place];
            ending.decide(permission, &rows[role][usize::from(own)]).verdict()
        }),
        asking!("gatehouse", place => gatehouse.may(questions[place])),
        asking!("casbin, every answer cached", place => peers::casbin_may(cached, questions[place])),
        asking!("casbin", place => peers::casbin_may(casbin, questions[place])),
        asking!("Cedar, lists of actions", place => cedar[0].may(place)),
        asking!("Cedar, groups of actions", place => cedar[1].may(place)),
    ];
    compare(report, "8 roles x 120 permissions", subjects, 1_920);
}

/// The floor: what somebody may do to any row, as two words.
fn bits(actor: &Actor<Perm, Direct>) -> [u64; 2] {
    let mut bits = [0; 2];
    for permission in Perm::ALL.iter().filter(|permission| actor.scope(**permission) == Scope::Tenant) {
        bits[permission.index() / 64] |= 1_u64 << (permission.index() % 64);
    }
    bits
}

/// How a decision grows with the policy: a thousand permissions, of which each role has a tenth.
fn growth(report: &Report) {
    let actors: Vec<_> = [8, 400]
        .map(|roles| {
            let policy =
                Policy::<Numbered<1_000>>::compile(&scenario::wide_text(&scenario::wide(roles))).expect("sound");
            policy.actor(person(user(0))).role(&format!("r{}", roles / 2)).expect("a role").build()
        })
        .into();
    let row = row(user(0), false);
    let asking = |name, actor: &'static Actor<Numbered<1_000>, Direct>| {
        let mut state = 3;
        subject(name, move || {
            let permission = Numbered((scenario::draw(&mut state) % 1_000) as u16);
            black_box(actor.decide(black_box(permission), &row).verdict());
        })
    };
    let actors: &'static [_] = actors.leak();
    let subjects = vec![asking("8 roles", &actors[0]), asking("400 roles", &actors[1])];
    compare(report, "a decision among 1,000 permissions", subjects, 20_000);
}

/// From the text of 100 roles and 1,000 permissions, some 10,000 grants, to a policy.
fn compiling(report: &Report) {
    let roles = scenario::wide(100);
    let (ours, cedars) = (scenario::wide_text(&roles), peers::cedar_text(&roles));
    let subjects = vec![
        subject("compile", || drop(black_box(Policy::<Numbered<1_000>>::compile(black_box(&ours)).expect("sound")))),
        subject("Cedar parses as many", || {
            drop(black_box(black_box(&cedars).parse::<cedar_policy::PolicySet>().expect("sound")));
        }),
    ];
    compare(report, "100 roles x 1,000 permissions from text", subjects, 1);
}

fn main() {
    let report = Report::of("rbac");
    decisions(&report);
    growth(&report);
    compiling(&report);
}
