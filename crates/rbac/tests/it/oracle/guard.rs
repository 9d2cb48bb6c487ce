//! The grant guard against the model, on random policies and people.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use stockade_rbac::{Change, GrantRefusal, Override, Permission, Reason, Scope, Target};

use super::draw::{Case, Perm, case, permissions};
use crate::model;

/// What the guard said of one change.
struct Said {
    by: Perm,
    target: usize,
    change: model::guard::Change,
    others: usize,
    verdict: Result<(), GrantRefusal>,
}

/// Everything that the drawn person could try on anybody, themselves included, with some of the permissions to grant.
fn attempts(case: &Case) -> Vec<Said> {
    use model::guard::Change as Model;
    let granter = case.actor();
    let targets: Vec<_> = case.others.iter().map(|other| case.other(other)).chain([granter.clone()]).collect();
    let because = || Reason::new("drawn").unwrap();
    let perm = permissions().nth(3).unwrap();
    let scope = Scope::Team.min(perm.info().up_to());
    let allow = Override::allow(perm, scope, because(), Utc::now() + TimeDelta::hours(1)).unwrap();
    let deny = Override::deny(perm, because());
    let mut changes = vec![
        (Change::Override(&allow), Model::Allow(perm.key().to_owned(), scope.name().to_owned())),
        (Change::Override(&deny), Model::Deny),
        (Change::Lift(&allow), Model::LiftAllow),
        (Change::Lift(&deny), Model::LiftDeny),
        (Change::Suspend, Model::Suspend),
        (Change::Reinstate, Model::Reinstate),
        (Change::Remove, Model::Remove),
        (Change::Assign("unheard-of"), Model::Assign("unheard-of".to_owned())),
        (Change::Revoke("unheard-of"), Model::Revoke("unheard-of".to_owned())),
    ];
    for name in case.policy.roles.keys() {
        changes.push((Change::Assign(name), Model::Assign(name.clone())));
        changes.push((Change::Revoke(name), Model::Revoke(name.clone())));
    }
    let mut said = Vec::new();
    let mut ways: Vec<_> = permissions().collect();
    ways.sort_by_key(|by| std::cmp::Reverse(granter.scope(*by)));
    for by in ways.into_iter().take(3) {
        let guard = granter.granting(by);
        for (number, target) in targets.iter().enumerate() {
            for (others, (change, in_model)) in changes.iter().enumerate().map(|(number, change)| (number % 2, change))
            {
                let verdict = guard.check(&Target::new(target).other_owners(others), change);
                said.push(Said { by, target: number, change: in_model.clone(), others, verdict });
            }
        }
    }
    said
}

fn model_says(case: &Case, said: &Said) -> bool {
    let target = case.others.get(said.target).unwrap_or(&case.person);
    case.policy.may_change(&case.person, target, said.others, said.by.key(), &said.change)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn the_guard_lets_pass_what_the_model_does(case in case()) {
        for said in attempts(&case) {
            let target = case.others.get(said.target).unwrap_or(&case.person);
            prop_assert_eq!(said.verdict.is_ok(), model_says(&case, &said),
                "{:?} of {:?} by {}: {:?}", said.change, target, said.by.key(), said.verdict);
        }
    }
}

/// Or the comparison would show little. Separation is not among them: who could give both halves of one would mostly break it;
/// it has a test of its own.
#[test]
fn every_rule_of_the_guard_takes_part_in_the_comparison() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..400 {
        let case = case().new_tree(&mut runner).unwrap().current();
        for said in attempts(&case) {
            let rule = match said.verdict {
                Ok(()) => "allowed",
                Err(GrantRefusal::NotPermitted(_)) => "not permitted",
                Err(GrantRefusal::Token) => "token",
                Err(GrantRefusal::OwnPromotion) => "own promotion",
                Err(GrantRefusal::Lacks { .. }) => "lacks",
                Err(GrantRefusal::Elsewhere { .. }) => "elsewhere",
                Err(GrantRefusal::TargetAbove { .. }) => "target above",
                Err(GrantRefusal::StaffOnly) => "staff only",
                Err(GrantRefusal::OwnerOnly) => "owner only",
                Err(GrantRefusal::LastOwner) => "last owner",
                Err(GrantRefusal::NotAssignable) => "not assignable",
                Err(GrantRefusal::NotAssigned) => "not assigned",
                Err(GrantRefusal::Separation { .. }) => "separation",
                Err(GrantRefusal::Delegated { .. }) => "delegated",
            };
            *seen.entry(rule).or_default() += 1;
        }
    }
    assert!(seen.len() >= 13 && seen.values().all(|times| *times >= 5), "{seen:?}");
}
