//! A policy of more and more roles, each with a tenth of a thousand permissions.

use std::hint::black_box;

use stockade_benches::resident;
use stockade_rbac::{Actor, Direct, Policy, Resource, Subject};
use uuid::Uuid;

use crate::{
    Wanted,
    cost::nanoseconds,
    scenario::{self, Numbered},
};

type Perm = Numbered<1_000>;

const ROLES: [u64; 7] = [8, 16, 32, 64, 100, 200, 400];
const TENANT: Uuid = Uuid::from_u128(1);
const USER: Uuid = Uuid::from_u128(2);

pub(crate) fn measure(wanted: &Wanted) {
    let mut curve = wanted.curve("policy", "in memory, one thread, 1,000 permissions, a tenth of them to each role");
    let scale = wanted.scale;
    let row = Resource::in_tenant(TENANT).owner(USER).team(Uuid::from_u128(3)).office(Uuid::from_u128(4));
    // What was measured stays, so that nothing is built in memory that something else has given back.
    let mut kept = Vec::new();
    for roles in wanted.sizes(&ROLES) {
        let text = scenario::wide_text(&scenario::wide(usize::try_from(roles).expect("a small number")));
        let compile = || Policy::<Perm>::compile(black_box(&text)).expect("sound");
        let policy = compile();
        let compiling = nanoseconds(scale.times(21), 1, || drop(black_box(compile())));
        curve.point(roles, compiling / 1e6, "ms", "compile");

        let before = resident() as f64;
        let copies: Vec<_> = (0..scale.times(200)).map(|_| compile()).collect();
        curve.point(roles, (resident() as f64 - before) / copies.len() as f64 / 1024.0, "KiB", "compiled policy");
        curve.point(roles, text.len() as f64 / 1024.0, "KiB", "its text");

        let building = nanoseconds(scale.times(101), 100, || drop(black_box(actor(&policy, roles))));
        curve.point(roles, building, "ns", "actor of three roles");
        let (actor, mut state) = (actor(&policy, roles), 3);
        let deciding = nanoseconds(scale.times(101), 20_000, || {
            let permission = Perm::drawn(&mut state);
            black_box(actor.decide(black_box(permission), &row).verdict());
        });
        curve.point(roles, deciding, "ns", "decision");
        curve.load(roles);
        kept.push(copies);
    }
}

/// Somebody with the first role, the last and the one between them.
fn actor(policy: &Policy<Perm>, roles: u64) -> Actor<Perm, Direct> {
    let subject = Subject::new(USER, TENANT).team(Uuid::from_u128(3)).office(Uuid::from_u128(4));
    let names = [0, roles / 2, roles - 1].map(|number| format!("r{number}"));
    policy.actor(subject).roles(names.iter().map(String::as_str)).expect("roles").build()
}

impl Perm {
    fn drawn(state: &mut u64) -> Self {
        Self((scenario::draw(state) % 1_000) as u16)
    }
}
