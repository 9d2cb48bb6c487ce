//! The properties of the score.

use chrono::TimeDelta;
use proptest::{prelude::*, sample::Index};
use stockade_posture::{
    Assessment, ControlId, Exemption, Observation, Outcome, Plan, Standing, Status, Subject, catalog,
};

use crate::evidence::{Evidence, evidence, max_age, now, with_outcome};

/// The score before the ceiling, computed again from the results with another formula.
fn mean(assessment: &Assessment, but: Option<ControlId>) -> Option<u64> {
    let counted = || assessment.results().iter().filter(|r| r.is_applicable() && Some(r.control().id) != but);
    counted().any(|r| r.is_measured()).then(|| {
        let (sum, weights) = counted().fold((0, 0), |(sum, weights), result| {
            let weight = u64::from(result.control().weight.value());
            let attained = match result.standing() {
                Standing::InPlace => 10_000,
                Standing::InProgress => 5_000 * result.passing() / result.subjects(),
                Standing::NotYet => 0,
            };
            (sum + weight * attained, weights + weight)
        });
        sum / weights / 100
    })
}

fn held(assessment: &Assessment, but: Option<ControlId>) -> bool {
    assessment.results().iter().any(|r| r.holds_ceiling() && Some(r.control().id) != but)
}

fn points(assessment: &Assessment) -> Option<u8> {
    assessment.score().map(|score| score.points)
}

fn exempt(control: ControlId) -> Exemption {
    Exemption::new(control, "does not apply", "officer", now() + TimeDelta::days(30))
}

proptest! {
    #[test]
    fn score_is_bounded(evidence in evidence()) {
        let assessment = evidence.assess();
        if let Some(score) = assessment.score() {
            prop_assert!(score.points <= 100);
            let complete = assessment.results().iter().filter(|r| r.is_applicable()).all(|r| r.standing() == Standing::InPlace);
            prop_assert_eq!(score.points == 100, complete);
        }
    }

    #[test]
    fn the_score_is_the_weighted_mean(evidence in evidence()) {
        let assessment = evidence.assess();
        let expected = mean(&assessment, None).map(|mean| if held(&assessment, None) { mean.min(79) } else { mean });
        prop_assert_eq!(points(&assessment).map(u64::from), expected);
    }

    #[test]
    fn better_evidence_never_lowers_the_score(evidence in evidence(), which in any::<Index>()) {
        prop_assume!(!evidence.observations.is_empty());
        let before = points(&evidence.clone().assess());
        let at = which.index(evidence.observations.len());
        let old = evidence.observations[at].clone();

        let mut passing = evidence.clone();
        passing.observations[at] = Observation::pass(old.control(), old.subject().clone(), old.collected_at());
        prop_assert!(points(&passing.assess()) >= before);

        let mut fresh = evidence;
        fresh.observations[at] = with_outcome(old.control(), old.subject().clone(), now(), old.outcome());
        prop_assert!(points(&fresh.assess()) >= before);
    }

    #[test]
    fn order_changes_nothing(evidence in evidence(), turn in any::<Index>()) {
        let straight = evidence.clone().assess();
        let mut turned = evidence;
        turned.observations.reverse();
        let middle = turn.index(turned.observations.len() + 1);
        turned.observations.rotate_left(middle);
        turned.attestations.reverse();
        turned.exemptions.reverse();
        turned.plans.reverse();
        let turned = turned.assess();
        prop_assert_eq!(turned.digest(), straight.digest());
        prop_assert_eq!(turned, straight);
    }

    #[test]
    fn an_exemption_gives_the_score_of_the_rest(evidence in evidence(), which in any::<Index>()) {
        let id = catalog().nth(which.index(catalog().count())).unwrap().id;
        let plain = evidence.clone().assess();
        let mut exempted = evidence;
        exempted.exemptions.push(exempt(id));
        let exempted = exempted.assess();
        let rest = mean(&plain, Some(id)).map(|mean| if held(&plain, Some(id)) { mean.min(79) } else { mean });
        prop_assert_eq!(points(&exempted).map(u64::from), rest);
    }

    #[test]
    fn no_evidence_adds_nothing(evidence in evidence()) {
        for result in evidence.assess().results() {
            if result.subjects() == 0 {
                prop_assert_eq!(result.attainment(), 0);
                prop_assert!(!result.is_measured());
            }
        }
    }

    /// Each subject becomes `n` subjects with the same outcome and age.
    #[test]
    fn subjects_count_by_proportion(evidence in evidence(), n in 2_usize..4) {
        let observations = evidence.observations.clone();
        let before = points(&evidence.clone().assess());
        let mut split = Evidence { attestations: vec![], ..evidence.clone() };
        let plain = points(&split.clone().assess());
        split.observations = observations
            .iter()
            .flat_map(|seen| (0..n).map(move |copy| {
                let subject = Subject::new(format!("{} part {copy}", seen.subject()));
                with_outcome(seen.control(), subject, seen.collected_at(), seen.outcome())
            }))
            .collect();
        prop_assert_eq!(points(&split.assess()), plain);

        // Said twice, it is still said of one subject.
        let mut twice = evidence;
        twice.observations.extend(observations);
        prop_assert_eq!(points(&twice.assess()), before);
    }

    #[test]
    fn a_plan_never_moves_the_score(evidence in evidence()) {
        let before = evidence.clone().assess().score();
        let mut planned = evidence;
        planned.plans.extend(catalog().map(|control| Plan::new(control.id, "team", now() + TimeDelta::days(7))));
        let planned = planned.assess();
        prop_assert_eq!(planned.score(), before);
        prop_assert!(planned.results().iter().all(|result| *result.status() != Status::NotYet));
    }

    #[test]
    fn the_ceiling_holds(evidence in evidence()) {
        let assessment = evidence.assess();
        if let Some(score) = assessment.score() {
            prop_assert!(score.points <= 79 || !held(&assessment, None));
            match score.capped_by {
                Some(id) => {
                    prop_assert_eq!(score.points, 79);
                    prop_assert!(assessment.result(id).unwrap().holds_ceiling());
                    prop_assert!(mean(&assessment, None) > Some(79));
                }
                None => prop_assert_eq!(Some(u64::from(score.points)), mean(&assessment, None)),
            }
        }
    }
}

proptest! {
    // Each case assesses up to 29 times.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What an item of `fix_next` promises is what mending the control gives.
    #[test]
    fn a_fix_gains_what_it_promises(evidence in evidence()) {
        let assessment = evidence.clone().assess();
        let now_at = points(&assessment).unwrap_or(0);
        let gains: Vec<_> = assessment.fix_next().iter().map(|item| (item.points, item.control.weight)).collect();
        prop_assert!(gains.is_sorted_by(|a, b| a >= b));
        for item in assessment.fix_next() {
            let id = item.control.id;
            let mut mended = evidence.clone();
            mended.observations.retain(|seen| seen.control() != id);
            mended.attestations.retain(|attestation| attestation.control() != id);
            let whole = Evidence::complete();
            mended.observations.extend(whole.observations.into_iter().filter(|seen| seen.control() == id));
            mended.attestations.extend(whole.attestations.into_iter().filter(|attestation| attestation.control() == id));
            prop_assert_eq!(points(&mended.assess()), Some(now_at + item.points), "{}", id);
        }
    }
}

#[test]
fn nothing_measured_is_no_score() {
    assert_eq!(Evidence::default().assess().score(), None);
    let unknown = Observation::unknown(ControlId::RLS_FORCED, Subject::new("t"), now(), "unreachable");
    assert_eq!(Evidence { observations: vec![unknown], ..Evidence::default() }.assess().score(), None);
    let everything_exempt = Evidence { exemptions: catalog().map(|c| exempt(c.id)).collect(), ..Evidence::complete() };
    assert_eq!(everything_exempt.assess().score(), None);
}

#[test]
fn everything_in_place_is_100() {
    let assessment = Evidence::complete().assess();
    assert_eq!((points(&assessment), assessment.score().unwrap().capped_by), (Some(100), None));
    assert!(assessment.fix_next().is_empty());
}

#[test]
fn all_failing_is_0_and_not_nothing() {
    let fail = |c: &stockade_posture::Control| Observation::fail(c.id, Subject::new("t"), now(), "wrong");
    let evidence = Evidence { observations: catalog().map(fail).collect(), ..Evidence::default() };
    assert_eq!(points(&evidence.assess()), Some(0));
}

/// All but `rls.forced`: the mean is 94, the ceiling holds it at 79 and says by what.
#[test]
fn one_essential_control_caps_the_score() {
    let mut evidence = Evidence::complete();
    evidence.observations.retain(|seen| seen.control() != ControlId::RLS_FORCED);
    let assessment = evidence.assess();
    assert_eq!(mean(&assessment, None), Some(94));
    let score = assessment.score().unwrap();
    assert_eq!((score.points, score.capped_by), (79, Some(ControlId::RLS_FORCED)));
    assert_eq!(assessment.fix_next()[0].control.id, ControlId::RLS_FORCED);
    assert_eq!(assessment.fix_next()[0].points, 21);
}

/// A plan to have it done says nothing about today: the ceiling stays.
#[test]
fn a_plan_does_not_lift_the_ceiling() {
    let mut evidence = Evidence::complete();
    evidence.observations.retain(|seen| seen.control() != ControlId::RLS_FORCED);
    evidence.plans.push(Plan::new(ControlId::RLS_FORCED, "team", now() + TimeDelta::days(7)));
    let assessment = evidence.assess();
    assert_eq!(assessment.result(ControlId::RLS_FORCED).unwrap().status(), &Status::InProgress);
    assert_eq!(assessment.score().unwrap().capped_by, Some(ControlId::RLS_FORCED));
}

/// One of 10,001 subjects passes: the attainment rounds to nothing, but the control is no longer at not yet.
#[test]
fn a_small_share_does_not_cap() {
    let mut evidence = Evidence::complete();
    let fails =
        (0..10_000).map(|n| Observation::fail(ControlId::RLS_FORCED, Subject::new(format!("{n}")), now(), "wrong"));
    evidence.observations.extend(fails);
    let assessment = evidence.assess();
    assert_eq!(assessment.result(ControlId::RLS_FORCED).unwrap().attainment(), 0);
    assert_eq!(points(&assessment), Some(94));
}

#[test]
fn the_age_limits_are_exact() {
    let id = ControlId::SUPPLY_SBOM;
    let limit = max_age(id.control().unwrap());
    let standing = |age: TimeDelta| {
        let seen = Observation::pass(id, Subject::new("release"), now() - age);
        Assessment::builder(now()).observe([seen]).build().result(id).unwrap().standing()
    };
    let second = TimeDelta::seconds(1);
    assert_eq!(standing(limit), Standing::InPlace);
    assert_eq!(standing(limit + second), Standing::InProgress);
    assert_eq!(standing(limit * 2), Standing::InProgress);
    assert_eq!(standing(limit * 2 + second), Standing::NotYet);
    assert_eq!(standing(TimeDelta::minutes(-5)), Standing::InPlace);
    assert_eq!(standing(TimeDelta::minutes(-5) - second), Standing::NotYet);
}

#[test]
fn outcomes_are_ordered_from_best_to_worst() {
    let (unknown, fail) = (Outcome::Unknown { reason: "z".into() }, Outcome::Fail { reason: "a".into() });
    assert!(Outcome::Pass < unknown && unknown < fail);
}
