//! Changes at random, and beside the database a model of what each may come to.

mod model;

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use sqlx::PgConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_rbac::postgres::{self, Answer, ExceptionKind, Members, Status};
use stockade_rbac::{Override, Scope};
use uuid::Uuid;

use self::model::{Firm, Step, What};
use super::support::{Database, Perm, enter, policy, rounds, why};

const PEOPLE: usize = 5;
const STEPS: usize = 40;
const ROLES: [&str; 7] = ["viewer", "dispatcher", "accountant", "auditor", "admin", "owner", "support"];

/// How each walk begins: two owners, an administrator, an accountant and somebody without a role.
fn beginning() -> impl Iterator<Item = Step> {
    let admissions = (1..PEOPLE).map(|on| Step { by: 0, on, what: What::Admit });
    let roles = [(1, "owner"), (2, "admin"), (3, "accountant")];
    admissions.chain(roles.map(|(on, role)| Step { by: 0, on, what: What::Assign(role) }))
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let role = || proptest::sample::select(&ROLES);
    let what = prop_oneof![
        3 => Just(What::Admit),
        6 => role().prop_map(What::Assign),
        4 => role().prop_map(What::Revoke),
        1 => Just(What::Suspend),
        2 => Just(What::Reinstate),
        1 => Just(What::Remove),
        2 => Just(What::Allow),
        2 => Just(What::Deny),
        1 => Just(What::Lift(ExceptionKind::Allow)),
        1 => Just(What::Lift(ExceptionKind::Deny)),
    ];
    let by = prop_oneof![4 => 0..3_usize, 1 => 0..PEOPLE];
    let step = (by, 0..PEOPLE, what).prop_map(|(by, on, what)| Step { by, on, what });
    proptest::collection::vec(step, STEPS)
}

/// `STOCKADE_WALKS` is the number of walks, of forty steps each.
#[sqlx::test(migrations = false)]
async fn whatever_is_changed_nobody_ends_above_who_changed_it(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let (mut runner, strategy) = (TestRunner::default(), steps());
    let (mut done, mut refused) = (0, 0);
    for walk in 0..rounds("STOCKADE_WALKS", 20) {
        let steps: Vec<_> = beginning().chain(strategy.new_tree(&mut runner).unwrap().current()).collect();
        let tenant = Uuid::now_v7();
        let people: [Uuid; PEOPLE] = std::array::from_fn(|_| Uuid::now_v7());
        let mut tx = database.begin_in(tenant).await;
        let _ = database.members().found(&mut *tx, people[0], "owner", why()).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        let mut firm = Firm::founded(PEOPLE);
        for (number, step) in steps.iter().enumerate() {
            let mut tx = database.begin_in(tenant).await;
            let outcome = apply(&mut tx, &database.members(), &people, step).await;
            tx.commit().await.unwrap();
            let expected = firm.clone().allows(step);
            assert_eq!(
                outcome,
                expected,
                "walk {walk}, step {number}: {step:?} in {firm:?}, after {:?}",
                &steps[..number]
            );
            if outcome {
                // What the target has now, whatever denies it, is within what the granter had.
                let granter = firm.effective(step.by);
                firm.make(step);
                assert!(step.by == step.on || firm.entitled(step.on).is_subset(&granter), "{step:?} in {firm:?}");
                done += 1;
            } else {
                refused += 1;
            }
            assert!(firm.owners().next().is_some());
        }
        compare(&database, tenant, &people, &firm).await;
    }
    assert!(done > refused / 4, "hardly a walk: {done} done, {refused} refused");
}

/// Whether it was done.
async fn apply(tx: &mut PgConnection, members: &Members<Perm>, people: &[Uuid; PEOPLE], step: &Step) -> bool {
    let Some(loaded) = postgres::load(&mut *tx, &policy(), people[step.by]).await.unwrap() else { return false };
    let session = loaded.actor().multi_factor().build();
    let (mut by, on) = (members.by(&session, tx), people[step.on]);
    let done: Answer<_> = match step.what {
        What::Admit => by.admit(on, why()).await,
        What::Assign(role) => by.assign(on, role, why(), None).await,
        What::Revoke(role) => by.revoke(on, role, why()).await,
        What::Suspend => by.suspend(on, why()).await,
        What::Reinstate => by.reinstate(on, why()).await,
        What::Remove => by.remove(on, why()).await,
        What::Allow => {
            let until = Utc::now() + TimeDelta::days(1);
            by.except(on, &Override::allow(Perm::Post, Scope::Tenant, why(), until).unwrap()).await
        }
        What::Deny => by.except(on, &Override::deny(Perm::Post, why())).await,
        What::Lift(kind) => by.lift(on, Perm::Post, kind, why()).await,
    };
    done.unwrap().is_ok()
}

/// The database and the model have the same people with the same things.
async fn compare(database: &Database, tenant: Uuid, people: &[Uuid; PEOPLE], firm: &Firm) {
    let mut tx = database.app.begin().await.unwrap();
    enter(&mut tx, tenant).await;
    let listed = database.members().list(&mut *tx, None, 100.try_into().unwrap()).await.unwrap();
    let listed: BTreeMap<_, _> = listed.into_iter().map(|member| (member.user.as_uuid(), member.standing)).collect();
    assert_eq!(listed.len(), firm.people.iter().flatten().count());
    for (user, person) in people.iter().zip(&firm.people) {
        let Some(person) = person else { continue };
        let standing = &listed[user];
        assert_eq!(standing.status == Some(Status::Active), person.active);
        assert!(
            standing.roles.iter().map(|held| held.role.as_str()).collect::<std::collections::BTreeSet<_>>()
                == person.roles
        );
        let held = |allow: bool| standing.overrides.iter().any(|held| held.scope.is_some() == allow);
        assert_eq!((held(true), held(false)), (person.allowed, person.denied));
    }
}
