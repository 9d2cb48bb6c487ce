//! stockade-rbac beside Cedar and casbin: the same random policies, people and rows in the words of each, and no decision that
//! differs.
//!
//! 500,000 with each engine, or as many as `ENGINE_DECISIONS` says.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed assumption in a test should stop the test"
)]

mod casbin;
mod cedar;
mod draw;
mod mistakes;
mod ours;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::AddAssign;
use std::thread;

use stockade_rbac::{Permission, Scope};

use self::casbin::Casbin;
use self::cedar::Cedar;
use self::draw::{Perm, Person, Row, Session, World};

/// An engine that has been told a world.
trait Engine {
    fn of(world: &World) -> Self;
    fn may(&self, person: &Person, session: Session, perm: Perm, row: &Row) -> bool;
}

/// What came of some questions.
#[derive(Clone, Debug, Default)]
struct Tally {
    decisions: usize,
    allowed: usize,
    /// How often each kind of reason was given.
    reasons: BTreeMap<&'static str, usize>,
    disagreements: Vec<String>,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.decisions += other.decisions;
        self.allowed += other.allowed;
        for (reason, times) in other.reasons {
            *self.reasons.entry(reason).or_default() += times;
        }
        self.disagreements.extend(other.disagreements);
    }
}

/// Asks `E`, which is told one world, and the bitsets, which are told another, all that there is to ask in the first.
fn ask<E: Engine>(told: &World, ours: &World) -> Tally {
    let (engine, policy) = (E::of(told), ours::policy(ours));
    let mut tally = Tally::default();
    for (person, same) in told.people.iter().zip(&ours.people) {
        for session in told.sessions(person) {
            let asker = ours::Asker::of(ours, &policy, same, session);
            for (perm, row) in told.questions() {
                let (ours, theirs) = (asker.may(perm, row), engine.may(person, session, perm, row));
                if ours != theirs {
                    let said = asker.said(perm, row);
                    tally.disagreements.push(format!("{theirs}, but {said}: {person:?} {session:?} {row:?}"));
                }
                tally.decisions += 1;
                tally.allowed += usize::from(ours);
                *tally.reasons.entry(asker.reason(perm, row)).or_default() += 1;
            }
        }
    }
    tally
}

/// Draws worlds on all processors until so many decisions are compared, of which `ENGINE_DECISIONS` can make more or fewer.
fn compare<E: Engine>(usually: usize) -> Tally {
    let wanted = std::env::var("ENGINE_DECISIONS").map_or(usually, |number| number.parse().unwrap());
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let work = |first: usize| {
        let mut sum = Tally::default();
        for number in (first..).step_by(workers) {
            let world = World::draw(number as u64);
            sum += ask::<E>(&world, &world);
            if sum.decisions * workers >= wanted {
                break;
            }
        }
        sum
    };
    thread::scope(|scope| {
        let started: Vec<_> = (0..workers)
            .map(|first| {
                scope.spawn({
                    let work = &work;
                    move || work(first)
                })
            })
            .collect();
        let mut all = Tally::default();
        for worker in started {
            all += worker.join().unwrap();
        }
        all
    })
}

fn agree<E: Engine>(usually: usize) {
    let tally = compare::<E>(usually);
    let Tally { decisions, allowed, reasons, disagreements } = &tally;
    assert!(disagreements.is_empty(), "{} of {decisions}, first {}", disagreements.len(), disagreements[0]);
    assert!(decisions / 8 < *allowed && *allowed < decisions / 2, "hardly a test: {allowed} of {decisions} allowed");
    for reason in ours::REASONS {
        assert!(reasons.get(reason).copied() > Some(decisions / 500), "{reason} hardly occurs: {reasons:?}");
    }
}

#[test]
fn cedar_and_the_bitsets_never_disagree() {
    agree::<Cedar>(500_000);
}

#[test]
fn casbin_and_the_bitsets_never_disagree() {
    agree::<Casbin>(500_000);
}

/// Tells each engine a world and the bitsets another that differs in one place, until somebody is answered differently.
fn noticed(change: impl Fn(&mut World) + Copy) {
    for ask in [ask::<Cedar>, ask::<Casbin>] {
        let mut worlds = (0..100).map(World::draw);
        assert!(worlds.any(|told| {
            let mut changed = told.clone();
            change(&mut changed);
            !ask(&told, &changed).disagreements.is_empty()
        }));
    }
}

#[test]
fn a_grant_that_reaches_one_scope_further_is_noticed() {
    noticed(|world| {
        // The last role has no heir, who might then grant less than is inherited.
        let role = world.roles.last_mut().unwrap();
        let widest = |perm: Perm| if role.staff { Scope::Platform } else { perm.info().up_to().min(Scope::Tenant) };
        if let Some((_, scope)) = role.grants.iter_mut().find(|(perm, scope)| *scope < widest(*perm)) {
            *scope = Scope::ALL[*scope as usize + 1];
        }
    });
}

#[test]
fn a_denial_that_is_forgotten_is_noticed() {
    noticed(|world| world.people.iter_mut().for_each(|person| person.denies.clear()));
}

#[test]
fn a_ceiling_that_is_forgotten_is_noticed() {
    noticed(|world| world.people.iter_mut().for_each(|person| person.plan = None));
}

#[test]
fn an_allowance_that_ends_an_hour_early_is_noticed() {
    noticed(|world| world.people.iter_mut().flat_map(|person| &mut person.allows).for_each(|allow| allow.2 -= 60));
}

/// Runs a future that waits for nothing.
fn now<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
