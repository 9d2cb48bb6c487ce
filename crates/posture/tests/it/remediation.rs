//! What is to be fixed: who has taken it, by when, and how fresh the evidence is.

use chrono::TimeDelta;
use proptest::prelude::*;
use stockade_posture::{Assessment, ControlId, Observation, Plan, RemediationState, Standing, Subject, render};

use crate::evidence::{Evidence, evidence, now};

const ID: ControlId = ControlId::RATELIMIT_AUTH;

proptest! {
    /// Everything that applies and is not in place is on the list once, with its plan and its state.
    #[test]
    fn the_list_is_complete(evidence in evidence()) {
        let assessment = evidence.clone().assess();
        let open: Vec<ControlId> = assessment
            .results()
            .iter()
            .filter(|result| result.is_applicable() && result.standing() != Standing::InPlace)
            .map(|result| result.control().id)
            .collect();
        let mut listed: Vec<ControlId> = assessment.fix_next().iter().map(|item| item.control.id).collect();
        listed.sort_by_key(|id| open.iter().position(|open| open == id));
        prop_assert_eq!(listed, open);
        for item in assessment.fix_next() {
            let plans = || evidence.plans.iter().filter(|plan| plan.control() == item.control.id);
            let (open, due): (Vec<_>, Vec<_>) = plans().partition(|plan| plan.due() > now());
            let (state, plan) = match (open.iter().min(), due.iter().max()) {
                (Some(plan), _) => (RemediationState::Planned, Some(*plan)),
                (None, Some(plan)) => (RemediationState::Overdue, Some(*plan)),
                (None, None) => (RemediationState::Open, None),
            };
            prop_assert_eq!((item.state, item.plan.as_ref()), (state, plan));
            prop_assert_eq!((item.owner(), item.due()), (plan.map(Plan::owner), plan.map(Plan::due)));
        }
    }

    /// Each observation and each attestation is counted once, by its age.
    #[test]
    fn freshness_counts_all_evidence(evidence in evidence()) {
        let assessment = evidence.assess();
        let applicable = || assessment.results().iter().filter(|result| result.is_applicable());
        let freshness = assessment.freshness();
        prop_assert_eq!(freshness.total(), applicable().map(|result| result.subjects()).sum::<u64>());
        if assessment.results().iter().all(|result| result.standing() == Standing::InPlace) {
            prop_assert_eq!(freshness.fresh, freshness.total());
        }
        for result in applicable().filter(|result| result.standing() == Standing::InPlace) {
            prop_assert_eq!(result.freshness().stale + result.freshness().outdated, 0);
        }
    }
}

#[test]
fn an_overdue_plan_is_named_and_helps_nothing() {
    let plan = Plan::new(ID, "edge team", now() - TimeDelta::days(3));
    let assessment = Evidence { plans: vec![plan], ..Evidence::default() }.assess();
    let item = assessment.fix_next().iter().find(|item| item.control.id == ID).unwrap();
    assert_eq!((item.state, item.owner()), (RemediationState::Overdue, Some("edge team")));
    assert_eq!(assessment.result(ID).unwrap().standing(), Standing::NotYet);
    let json: serde_json::Value = serde_json::from_str(&render::json(&assessment)).unwrap();
    let item = json["fix_next"].as_array().unwrap().iter().find(|item| item["control"] == "ratelimit.auth").unwrap();
    assert_eq!((&item["state"], &item["owner"]), (&"overdue".into(), &"edge team".into()));
    assert!(render::html_page(&assessment).contains("Overdue: edge team, was due <time>2026-03-01</time>"));
    assert!(render::markdown(&assessment).contains("| overdue: edge team, 2026-03-01 |"));
}

/// What an overdue plan was about and was done after all is in place.
#[test]
fn what_is_in_place_is_not_overdue() {
    let plan = Plan::new(ID, "edge team", now() - TimeDelta::days(3));
    let assessment = Evidence { plans: vec![plan], ..Evidence::complete() }.assess();
    assert!(assessment.fix_next().is_empty());
    assert!(!render::html_page(&assessment).contains("Overdue"));
}

#[test]
fn ages_are_counted_at_their_limits() {
    let seen = |name: &str, age| Observation::pass(ID, Subject::new(name), now() - age);
    let day = TimeDelta::days(1);
    let second = TimeDelta::seconds(1);
    let all =
        [seen("a", day), seen("b", day + second), seen("c", day * 2), seen("d", day * 2 + second), seen("e", day * -1)];
    let freshness = Assessment::builder(now()).observe(all).build().freshness();
    assert_eq!((freshness.fresh, freshness.stale, freshness.outdated), (1, 2, 2));
}
