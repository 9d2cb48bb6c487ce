//! The status of a control, rule by rule.

use chrono::{DateTime, TimeDelta, Utc};
use stockade_posture::{
    Assessment, AssessmentBuilder, Attestation, ControlId, ErrorKind, Exemption, Observation, Plan, Standing, Status,
    Subject,
};

use crate::evidence::{attestation, now};

const ID: ControlId = ControlId::RATELIMIT_AUTH;

fn builder() -> AssessmentBuilder {
    Assessment::builder(now())
}

fn pass(subject: &str, at: DateTime<Utc>) -> Observation {
    Observation::pass(ID, Subject::new(subject), at)
}

fn fail(subject: &str, at: DateTime<Utc>) -> Observation {
    Observation::fail(ID, Subject::new(subject), at, "no limit")
}

fn status(builder: AssessmentBuilder, id: ControlId) -> Status {
    builder.build().result(id).unwrap().status().clone()
}

#[test]
fn some_passing_is_in_progress() {
    assert_eq!(status(builder().observe([pass("a", now()), fail("b", now())]), ID), Status::InProgress);
    assert_eq!(status(builder().observe([pass("a", now()), pass("b", now())]), ID), Status::InPlace);
    assert_eq!(status(builder().observe([fail("a", now()), fail("b", now())]), ID), Status::NotYet);
    assert_eq!(status(builder(), ID), Status::NotYet);
}

#[test]
fn one_stale_subject_keeps_a_control_from_in_place() {
    let seen = [pass("a", now()), pass("b", now() - TimeDelta::hours(30))];
    assert_eq!(status(builder().observe(seen), ID), Status::InProgress);
}

/// A failure that nobody has looked at since is not progress, and it still holds the ceiling.
#[test]
fn a_stale_failure_is_not_progress() {
    let seen = Observation::fail(ControlId::RLS_FORCED, Subject::new("t"), now() - TimeDelta::hours(30), "not forced");
    let assessment = builder().observe([seen]).build();
    let result = assessment.result(ControlId::RLS_FORCED).unwrap();
    assert_eq!(result.status(), &Status::NotYet);
    assert!(result.holds_ceiling());
}

#[test]
fn the_latest_observation_of_a_subject_counts() {
    let hour = TimeDelta::hours(1);
    assert_eq!(status(builder().observe([pass("a", now()), fail("a", now() - hour)]), ID), Status::InPlace);
    assert_eq!(status(builder().observe([fail("a", now()), pass("a", now() - hour)]), ID), Status::NotYet);
    // At the same time the worse counts.
    assert_eq!(status(builder().observe([fail("a", now()), pass("a", now())]), ID), Status::NotYet);
}

/// A clock that runs ahead must not make a pass last, nor hide a failure.
#[test]
fn evidence_from_the_future_hides_nothing() {
    let tomorrow = now() + TimeDelta::days(1);
    let assessment = builder().observe([pass("a", tomorrow), fail("a", now())]).build();
    let result = assessment.result(ID).unwrap();
    assert_eq!(result.standing(), Standing::NotYet);
    assert_eq!(result.observations()[0].outcome().word(), "fail");
    assert!(!builder().observe([pass("a", tomorrow)]).build().result(ID).unwrap().is_measured());
}

#[test]
fn an_exemption_needs_an_approver_a_reason_and_time() {
    let until = now() + TimeDelta::days(1);
    let granted = Exemption::new(ID, "no public sign-in", "officer", until);
    let expected = Status::NotApplicable { reason: "no public sign-in".into(), approved_by: "officer".into(), until };
    assert_eq!(status(builder().exempt(granted), ID), expected);
    for useless in [
        Exemption::new(ID, "no public sign-in", " ", until),
        Exemption::new(ID, "", "officer", until),
        Exemption::new(ID, "no public sign-in", "officer", now()),
    ] {
        assert_eq!(status(builder().exempt(useless), ID), Status::NotYet);
    }
}

#[test]
fn a_plan_moves_the_label_until_it_is_due() {
    let open = Plan::new(ID, "team", now() + TimeDelta::days(1));
    let due = Plan::new(ID, "team", now());
    assert_eq!(status(builder().plan(open.clone()), ID), Status::InProgress);
    assert_eq!(status(builder().plan(due.clone()), ID), Status::NotYet);
    let assessment = builder().plan(open.clone()).plan(due).build();
    assert_eq!(assessment.result(ID).unwrap().plan(), Some(&open));
    assert_eq!(assessment.result(ID).unwrap().standing(), Standing::NotYet);
}

#[test]
fn only_a_valid_attestation_puts_an_attested_control_in_place() {
    let id = ControlId::ATTEST_PENTEST;
    let control = id.control().unwrap();
    let seen = Observation::pass(id, Subject::new("scan"), now());
    assert_eq!(status(builder().attest(attestation(control, 1)), id), Status::InPlace);
    assert_eq!(status(builder().attest(attestation(control, 0)), id), Status::NotYet);
    assert_eq!(status(builder().observe([seen.clone()]), id), Status::InProgress);
    assert_eq!(status(builder().observe([seen]).attest(attestation(control, 0)), id), Status::InProgress);
    // Of two, the one that lasts longer counts.
    assert_eq!(status(builder().attest(attestation(control, 1)).attest(attestation(control, 0)), id), Status::InPlace);
}

#[test]
fn an_attestation_does_not_outvote_a_failure() {
    let id = ControlId::ATTEST_PENTEST;
    let seen = Observation::fail(id, Subject::new("finding 3"), now(), "open");
    let assessment = builder().observe([seen]).attest(attestation(id.control().unwrap(), 1)).build();
    let result = assessment.result(id).unwrap();
    assert_eq!((result.status(), result.passing(), result.subjects()), (&Status::InProgress, 1, 2));
}

#[test]
fn an_attestation_not_given_yet_does_not_count() {
    let id = ControlId::ATTEST_PENTEST;
    let given = now() + TimeDelta::days(2);
    let early = Attestation::new(id, "head", "will be so", given, given + TimeDelta::days(9)).unwrap();
    assert_eq!(status(builder().attest(early), id), Status::NotYet);
}

#[test]
fn unusable_attestations_are_refused() {
    let refuse = |id, days| Attestation::new(id, "head", "it is so", now(), now() + TimeDelta::days(days)).unwrap_err();
    assert_eq!(refuse(ControlId::RLS_FORCED, 10).kind(), ErrorKind::NotAttestable);
    assert_eq!(refuse(ControlId::ATTEST_PENTEST, 0).kind(), ErrorKind::Validity);
    assert_eq!(refuse(ControlId::ATTEST_PENTEST, 366).kind(), ErrorKind::Validity);
    let error = refuse(ControlId::RLS_FORCED, 10);
    assert_eq!(error.to_string(), "control `rls.forced` is measured and cannot be attested");
    assert!(!error.is_retryable());
}
