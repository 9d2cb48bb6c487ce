//! No sequence of steps opens what was destroyed, or destroys what was called off.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{Cancellation, Execution, Replay, ShredId, ShredRequest, ShredTarget};
use stockade_field_crypto::{KeyId, Sealed, SubjectId, TenantId};
use uuid::Uuid;

use super::MONTH;
use super::desk::{Desk, request};
use super::restore::{back_up, exported, restore};
use crate::support::{PatientName, new_subject, secret};

const PEOPLE: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Provision(usize),
    Seal(usize),
    /// Of a person, or of the tenant; due at once, or in a week.
    Schedule(Option<usize>, bool),
    Cancel(prop::sample::Index),
    Execute(prop::sample::Index),
    BackUp,
    Restore,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let person = 0..PEOPLE;
    let step = prop_oneof![
        3 => person.clone().prop_map(Step::Provision),
        4 => person.clone().prop_map(Step::Seal),
        4 => (prop_oneof![9 => person.prop_map(Some), 1 => Just(None)], prop::bool::weighted(0.8))
            .prop_map(|(who, due)| Step::Schedule(who, due)),
        2 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        3 => any::<prop::sample::Index>().prop_map(Step::Execute),
        1 => Just(Step::BackUp),
        1 => Just(Step::Restore),
    ];
    vec(step, 1..25)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Open,
    Cancelled,
    Executed,
}

/// What should be so.
#[derive(Clone, Debug, Default)]
struct Expected {
    keys: BTreeMap<SubjectId, KeyId>,
    destroyed: BTreeSet<SubjectId>,
    tenant_destroyed: bool,
    shreds: BTreeMap<ShredId, (ShredTarget, bool, End)>,
}

impl Expected {
    fn destroy(&mut self, target: ShredTarget) {
        match target.subject() {
            Some(subject) if self.keys.contains_key(&subject) => {
                self.destroyed.insert(subject);
            }
            Some(_) => {}
            None => {
                self.tenant_destroyed = true;
                self.destroyed.extend(self.keys.keys());
            }
        }
    }

    /// Whether the target has an executed shred: then nobody of it is provisioned.
    fn closed(&self, subject: SubjectId) -> bool {
        let of = |target: &ShredTarget| target.subject().is_none_or(|other| other == subject);
        self.shreds.values().any(|(target, _, end)| *end == End::Executed && of(target))
    }
}

struct World<'a> {
    desk: &'a Desk,
    tenant: TenantId,
    people: Vec<SubjectId>,
    expected: Expected,
    backup: Option<Expected>,
    values: Vec<(SubjectId, Uuid, Sealed<PatientName>)>,
}

impl World<'_> {
    async fn step(&mut self, step: &Step) {
        let (desk, tenant) = (self.desk, self.tenant);
        match step {
            Step::Provision(person) => {
                let subject = self.people[*person];
                let made = desk.another_vault().provision_subject(tenant, subject).await;
                let known = self.expected.keys.contains_key(&subject);
                if self.expected.tenant_destroyed || (self.expected.closed(subject) && !known) {
                    made.unwrap_err();
                } else if let Some(made) = made.unwrap() {
                    assert!(!known);
                    self.expected.keys.insert(subject, made.key);
                } else {
                    assert!(known);
                }
            }
            Step::Seal(person) => {
                let subject = self.people[*person];
                let Ok(keys) = desk.another_vault().subject(tenant, subject).await else {
                    assert!(!self.expected.keys.contains_key(&subject));
                    return;
                };
                let row = Uuid::now_v7();
                let sealed = keys.seal::<PatientName>(&row, &secret("Ada"));
                assert_eq!(sealed.is_ok(), !self.expected.destroyed.contains(&subject));
                self.values.extend(sealed.ok().map(|sealed| (subject, row, sealed)));
            }
            Step::Schedule(who, due) => {
                let target =
                    who.map_or(ShredTarget::Tenant(tenant), |who| ShredTarget::Subject(tenant, self.people[who]));
                let wish = if *due { request(target) } else { ShredRequest::new(target, "test", "tester").unwrap() };
                let shred = desk.planner.schedule(&wish).await.unwrap();
                self.expected.shreds.entry(shred.id).or_insert((target, *due, End::Open));
            }
            Step::Cancel(which) => {
                let Some((id, end)) = self.pick(which) else { return };
                let answer = desk.planner.cancel(id, "tester").await.unwrap();
                assert_eq!(
                    answer,
                    match end.2 {
                        End::Open => Cancellation::Cancelled,
                        End::Cancelled => Cancellation::AlreadyCancelled,
                        End::Executed => Cancellation::Executed,
                    }
                );
                if end.2 == End::Open {
                    self.expected.shreds.get_mut(&id).unwrap().2 = End::Cancelled;
                }
            }
            Step::Execute(which) => {
                let Some((id, (target, due, end))) = self.pick(which) else { return };
                let answer = desk.shredder.execute(id, "job", &desk.columns(), MONTH).await.unwrap();
                match (end, due) {
                    (End::Open, true) => {
                        assert!(matches!(answer, Execution::Executed(_)), "{answer:?}");
                        self.expected.destroy(target);
                        self.expected.shreds.get_mut(&id).unwrap().2 = End::Executed;
                    }
                    (End::Open, false) => assert!(matches!(answer, Execution::NotDue { .. }), "{answer:?}"),
                    (End::Cancelled, _) => assert_eq!(answer, Execution::Cancelled),
                    (End::Executed, _) => assert!(matches!(answer, Execution::Repeated(_)), "{answer:?}"),
                }
            }
            Step::BackUp => {
                back_up(&desk.superuser).await;
                self.backup = Some(self.expected.clone());
            }
            Step::Restore => self.restore().await,
        }
    }

    fn pick(&self, which: &prop::sample::Index) -> Option<(ShredId, (ShredTarget, bool, End))> {
        let all: Vec<_> = self.expected.shreds.iter().map(|(id, shred)| (*id, *shred)).collect();
        (!all.is_empty()).then(|| all[which.index(all.len())])
    }

    /// The backup, and at once the list of what was destroyed.
    async fn restore(&mut self) {
        let Some(backup) = self.backup.clone() else { return };
        let list: Vec<_> =
            exported(self.desk).await.into_iter().filter(|one| one.target.tenant() == self.tenant).collect();
        restore(&self.desk.superuser, self.tenant).await;
        let replayed = self.desk.owner.replay(&list).await.unwrap();
        assert!(replayed.iter().all(|(_, replay)| matches!(replay, Replay::Destroyed { .. })), "{replayed:?}");
        let before = std::mem::replace(&mut self.expected, backup);
        for (id, _) in replayed {
            let (target, due, _) = before.shreds[&id];
            for (other, due, end) in self.expected.shreds.values_mut() {
                if *other == target && *end == End::Open {
                    (*due, *end) = (false, End::Cancelled);
                }
            }
            self.expected.shreds.insert(id, (target, due, End::Executed));
            // A tenant's list has all its subjects; also those that the backup does not know.
            for (subject, key) in &before.keys {
                if before.destroyed.contains(subject) && target.subject().is_none_or(|only| only == *subject) {
                    self.expected.keys.insert(*subject, *key);
                }
            }
            self.expected.destroy(target);
        }
    }

    async fn check(&self) {
        let vault = self.desk.another_vault();
        for (subject, row, sealed) in &self.values {
            let opened = match vault.subject(self.tenant, *subject).await {
                Ok(keys) => keys.open(row, sealed).is_ok(),
                Err(_) => false,
            };
            let alive =
                self.expected.keys.get(subject) == Some(&sealed.key_id()) && !self.expected.destroyed.contains(subject);
            assert_eq!(opened, alive, "subject {subject}, key {}", sealed.key_id());
        }
    }
}

async fn run(desk: &Desk, steps: &[Step]) {
    let tenant = desk.tenant().await;
    let people = (0..PEOPLE).map(|_| new_subject()).collect();
    let mut world = World { desk, tenant, people, expected: Expected::default(), backup: None, values: Vec::new() };
    for step in steps {
        world.step(step).await;
        world.check().await;
    }
}

#[sqlx::test(migrations = false)]
async fn no_sequence_opens_the_destroyed_or_destroys_the_cancelled(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let cases = env::var("FIELD_CRYPTO_SHRED_CASES").ok().map_or(24, |cases| cases.parse().unwrap());
    let runtime = tokio::runtime::Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let config = Config { cases, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
        TestRunner::new(config).run(&steps(), |steps| {
            runtime.block_on(run(&desk, &steps));
            Ok(())
        })
    });
    if let Err(failure) = checked.await.unwrap() {
        panic!("{failure}");
    }
}
