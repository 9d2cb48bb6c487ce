//! Random and hostile evidence for the other tests.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use proptest::{collection::vec, prelude::*, sample::select};
use stockade_posture::{
    Assessment, AssessmentBuilder, Attestation, Control, ControlId, Exemption, Method, Observation, Outcome, Plan,
    Subject, catalog,
};

/// The time at which every test assesses.
pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 3, 4, 9, 0, 0).unwrap()
}

pub(crate) fn max_age(control: &Control) -> TimeDelta {
    TimeDelta::from_std(control.max_age).unwrap()
}

/// Everything that an assessment is made of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) observations: Vec<Observation>,
    pub(crate) attestations: Vec<Attestation>,
    pub(crate) exemptions: Vec<Exemption>,
    pub(crate) plans: Vec<Plan>,
}

impl Evidence {
    pub(crate) fn assess(self) -> Assessment {
        self.into_builder(now()).build()
    }

    /// The same evidence, judged at another time.
    pub(crate) fn assess_at(self, at: DateTime<Utc>) -> Assessment {
        self.into_builder(at).build()
    }

    pub(crate) fn into_builder(self, at: DateTime<Utc>) -> AssessmentBuilder {
        let mut builder = Assessment::builder(at).observe(self.observations);
        for attestation in self.attestations {
            builder = builder.attest(attestation);
        }
        for exemption in self.exemptions {
            builder = builder.exempt(exemption);
        }
        for plan in self.plans {
            builder = builder.plan(plan);
        }
        builder
    }

    /// Evidence with which everything is in place.
    pub(crate) fn complete() -> Self {
        Self::complete_at(now())
    }

    /// The same at another time.
    pub(crate) fn complete_at(at: DateTime<Utc>) -> Self {
        let measured = catalog().filter(|control| control.method != Method::Attest);
        let attested = catalog().filter(|control| control.method == Method::Attest);
        Self {
            observations: measured.map(|control| Observation::pass(control.id, Subject::new("all"), at)).collect(),
            attestations: attested.map(|control| attestation_until(control, at + TimeDelta::days(1))).collect(),
            ..Self::default()
        }
    }
}

/// An attestation that ends so many days from now; negative numbers have run out.
pub(crate) fn attestation(control: &Control, days: i64) -> Attestation {
    attestation_until(control, now() + TimeDelta::days(days))
}

fn attestation_until(control: &Control, until: DateTime<Utc>) -> Attestation {
    Attestation::new(control.id, "head of engineering", "so it is", until - TimeDelta::days(300), until).unwrap()
}

fn control() -> impl Strategy<Value = &'static Control> {
    select(catalog().collect::<Vec<_>>())
}

/// Ages at and around every limit, and times before and beyond the tolerance for clocks that run ahead.
fn age() -> impl Strategy<Value = (i32, i64)> {
    select(vec![(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1), (3, 0), (0, -240), (0, -300), (0, -301), (0, -90_000)])
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(Outcome::Pass),
        1 => Just(Outcome::Fail { reason: "wrong".into() }),
        1 => Just(Outcome::Unknown { reason: "unseen".into() }),
    ]
}

pub(crate) fn with_outcome(control: ControlId, subject: Subject, at: DateTime<Utc>, outcome: &Outcome) -> Observation {
    match outcome {
        Outcome::Pass => Observation::pass(control, subject, at),
        Outcome::Fail { reason } => Observation::fail(control, subject, at, reason),
        Outcome::Unknown { reason } => Observation::unknown(control, subject, at, reason),
    }
}

/// Observations of pairs of control and subject, each pair at most once.
fn observations(count: Range<usize>) -> impl Strategy<Value = Vec<Observation>> {
    vec((control(), outcome(), age()), count).prop_map(|drawn| {
        let each = drawn.into_iter().enumerate();
        each.map(|(n, (control, outcome, (times, seconds)))| {
            let at = now() - max_age(control) * times - TimeDelta::seconds(seconds);
            with_outcome(control.id, Subject::new(format!("subject {n}")), at, &outcome)
        })
        .collect()
    })
}

/// Nearly everything in place, so that the ceiling matters: without some controls, and with a few random observations more.
fn nearly_complete() -> impl Strategy<Value = Evidence> {
    (vec(control(), 0..4), vec(control(), 0..3), evidence_of(0..3)).prop_map(|(gone, planned, more)| {
        let mut evidence = Evidence::complete();
        evidence.observations.retain(|seen| !gone.iter().any(|control| control.id == seen.control()));
        evidence.observations.extend(more.observations);
        evidence.exemptions.extend(more.exemptions);
        evidence.plans =
            planned.into_iter().map(|control| Plan::new(control.id, "team", now() + TimeDelta::days(1))).collect();
        evidence
    })
}

pub(crate) fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![nearly_complete(), evidence_of(0..60)]
}

fn evidence_of(count: Range<usize>) -> impl Strategy<Value = Evidence> {
    let attestable = select(catalog().filter(|control| control.method == Method::Attest).collect::<Vec<_>>());
    let attestations = vec((attestable, -5_i64..5).prop_map(|(control, days)| attestation(control, days)), 0..4);
    let until = || (-5_i64..5).prop_map(|days| now() + TimeDelta::days(days));
    let exemptions = vec(
        (control(), until()).prop_map(|(control, until)| Exemption::new(control.id, "none kept", "officer", until)),
        0..6,
    );
    let plans = vec((control(), until()).prop_map(|(control, due)| Plan::new(control.id, "team", due)), 0..6);
    (observations(count), attestations, exemptions, plans).prop_map(
        |(observations, attestations, exemptions, plans)| Evidence { observations, attestations, exemptions, plans },
    )
}

/// Text that would be markup if a renderer forgot to escape it.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let pieces = vec![
        "<script>alert(1)</script>",
        "</details>",
        "\"",
        "'",
        " onload=x ",
        "<img src=x>",
        "&lt;",
        "&",
        "|",
        "\\",
        "\\|",
        "`",
        "``",
        "](",
        "[x](y)",
        "![",
        "https://evil.example",
        "www.evil.example",
        "@team",
        "#1",
        "\n",
        "\r\n## ",
        "\n| a | b |",
        "---",
        "*",
        "_",
        "<!--",
        "-->",
        "]]>",
        "{{",
        "\u{202E}",
        "\u{0}",
        "é",
        "a",
        " ",
        "$x$",
        "~~",
        "==",
    ];
    vec(select(pieces), 1..8).prop_map(|pieces| pieces.concat())
}

/// An assessment with `text` in every place that takes text from outside.
pub(crate) fn filled_with(text: &str) -> Assessment {
    let (at, until) = (now(), now() + TimeDelta::days(30));
    let signed = Attestation::new(ControlId::ATTEST_PENTEST, text, text, at, until).unwrap().evidence(text);
    Assessment::builder(at)
        .observe([
            Observation::pass(ControlId::RLS_ENABLED, Subject::new(text), at)
                .fact("name", text)
                .fact("count", 3)
                .by(text),
            Observation::fail(ControlId::RLS_FORCED, Subject::new(text), at, text).remedy(text).by(text),
            Observation::unknown(ControlId::RLS_ROLE, Subject::new(text), at, text).fact("flag", true),
        ])
        .attest(signed)
        .exempt(Exemption::new(ControlId::CRYPTO_DISPOSAL, format!("x{text}"), format!("x{text}"), until))
        .plan(Plan::new(ControlId::RLS_FORCED, text, until))
        .plan(Plan::new(ControlId::RLS_ROLE, text, at - TimeDelta::days(1)))
        .history([Assessment::builder(at - TimeDelta::days(1)).build().snapshot()])
        .build()
}
