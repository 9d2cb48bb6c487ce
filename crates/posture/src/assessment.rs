//! The assessment: all evidence at one moment, beside the catalogue.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound as _, Utc};

use crate::{
    catalog::{CATALOG_VERSION, catalog},
    control::ControlId,
    digest::Digest,
    freshness::Freshness,
    history::{Drift, Snapshot, Trend},
    observation::Observation,
    remediation::Remediation,
    render,
    result::ControlResult,
    score::{Part, Score},
    statement::{Attestation, Exemption, Plan},
    status::CLOCK_TOLERANCE,
};

/// All controls of the catalogue judged at one moment.
///
/// The same evidence gives the same assessment, byte for byte, in whatever order it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessment {
    at: DateTime<Utc>,
    results: Vec<ControlResult>,
    score: Option<Score>,
    fix_next: Vec<Remediation>,
    drift: Option<Drift>,
    trend: Trend,
    digest: Digest,
}

/// How many controls have usable evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Coverage {
    /// Controls that apply and for which usable evidence says pass or fail.
    pub measured: usize,
    /// Controls that apply.
    pub applicable: usize,
}

/// Gathers evidence for an [`Assessment`].
///
/// If several observations name the same control and subject, the latest counts, and of two at the same time the worse.
/// Of several attestations or exemptions of one control the one that lasts longest counts, of several open plans the one
/// that is due first, of several that are overdue the one that was due last.
#[derive(Debug, Clone)]
#[must_use = "nothing is judged before `build`"]
pub struct AssessmentBuilder {
    at: DateTime<Utc>,
    observations: Vec<Observation>,
    attestations: Vec<Attestation>,
    exemptions: Vec<Exemption>,
    plans: Vec<Plan>,
    history: Vec<Snapshot>,
}

impl Assessment {
    /// Begins an assessment that judges the age of evidence at `at`.
    ///
    /// Evidence dated up to five minutes after `at` is fresh; dated later, it counts as absent.
    pub const fn builder(at: DateTime<Utc>) -> AssessmentBuilder {
        AssessmentBuilder {
            at,
            observations: vec![],
            attestations: vec![],
            exemptions: vec![],
            plans: vec![],
            history: vec![],
        }
    }

    /// The moment at which the evidence was judged.
    #[must_use]
    pub const fn at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The version of the catalogue that was used.
    #[must_use]
    pub const fn catalog_version(&self) -> u32 {
        CATALOG_VERSION
    }

    /// The score, or nothing if no control was measured.
    #[must_use]
    pub const fn score(&self) -> Option<Score> {
        self.score
    }

    /// The result of every control, in the order of the [`catalog`].
    #[must_use]
    pub fn results(&self) -> &[ControlResult] {
        &self.results
    }

    /// The result of one control.
    #[must_use]
    pub fn result(&self, control: ControlId) -> Option<&ControlResult> {
        self.results.iter().find(|result| result.control().id == control)
    }

    /// Every control that applies and is not in place, the most points to gain first.
    #[must_use]
    pub fn fix_next(&self) -> &[Remediation] {
        &self.fix_next
    }

    /// How many of the controls that apply were measured.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let applicable = || self.results.iter().filter(|result| result.is_applicable());
        Coverage {
            measured: applicable().filter(|result| result.is_measured()).count(),
            applicable: applicable().count(),
        }
    }

    /// All evidence for the controls that apply, by age.
    #[must_use]
    pub fn freshness(&self) -> Freshness {
        let applicable = self.results.iter().filter(|result| result.is_applicable());
        applicable.fold(Freshness::default(), |sum, result| sum.and(result.freshness()))
    }

    /// What has changed since the last assessment of the history before this one.
    #[must_use]
    pub const fn drift(&self) -> Option<&Drift> {
        self.drift.as_ref()
    }

    /// The score on each of the 90 days that end with this assessment, as far as the history tells.
    #[must_use]
    pub const fn trend(&self) -> &Trend {
        &self.trend
    }

    /// The little of this assessment that a history keeps.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(self)
    }

    /// The time of the oldest observation that counts.
    #[must_use]
    pub fn oldest_evidence(&self) -> Option<DateTime<Utc>> {
        self.results.iter().filter_map(ControlResult::oldest_evidence).min()
    }

    /// The SHA-256 of [`render::json`].
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

impl AssessmentBuilder {
    /// Adds observations.
    pub fn observe(mut self, observations: impl IntoIterator<Item = Observation>) -> Self {
        self.observations.extend(observations);
        self
    }

    /// Adds a signed statement for a control that cannot be measured.
    pub fn attest(mut self, attestation: Attestation) -> Self {
        self.attestations.push(attestation);
        self
    }

    /// Adds an approved decision that a control does not apply.
    pub fn exempt(mut self, exemption: Exemption) -> Self {
        self.exemptions.push(exemption);
        self
    }

    /// Adds a plan to put a control in place.
    pub fn plan(mut self, plan: Plan) -> Self {
        self.plans.push(plan);
        self
    }

    /// Adds what is known of earlier assessments, for [`Assessment::drift`] and [`Assessment::trend`]. It moves neither a status
    /// nor the score; snapshots that are not earlier than this assessment are left out.
    pub fn history(mut self, earlier: impl IntoIterator<Item = Snapshot>) -> Self {
        self.history.extend(earlier);
        self
    }

    /// Judges every control of the catalogue.
    #[must_use]
    pub fn build(self) -> Assessment {
        let at = self.at;
        let mut observations = one_per_subject(self.observations, at);
        let results: Vec<ControlResult> = catalog()
            .map(|control| {
                let id = control.id;
                ControlResult::judge(
                    control,
                    observations.remove(&id).unwrap_or_default(),
                    self.attestations.iter().filter(|attestation| attestation.control() == id).max().cloned(),
                    self.exemptions.iter().filter(|exemption| exemption.control() == id).max().cloned(),
                    self.plans.iter().filter(|plan| plan.control() == id).cloned(),
                    at,
                )
            })
            .collect();
        let parts: Vec<Part> = results.iter().filter_map(Part::of).collect();
        let fix_next = Remediation::list(&results);
        let score = Score::of(&parts);
        let earlier = || self.history.iter().filter(|snapshot| snapshot.at() < at.trunc_subsecs(6));
        let drift = earlier().max().map(|last| Drift::since(last, score, &results));
        let trend = Trend::until(at, score, earlier());
        let mut assessment = Assessment { at, results, score, fix_next, drift, trend, digest: Digest::of(&[]) };
        assessment.digest = Digest::of(render::json(&assessment).as_bytes());
        assessment
    }
}

/// Keeps one observation for each control and subject, in the order of the subjects.
///
/// An observation dated in the future loses against any other, so that a wrong clock cannot hide what is known.
fn one_per_subject(mut observations: Vec<Observation>, at: DateTime<Utc>) -> BTreeMap<ControlId, Vec<Observation>> {
    observations.sort_by_cached_key(|seen| (seen.collected_at() <= at + CLOCK_TOLERANCE, seen.clone()));
    let mut latest = BTreeMap::new();
    for seen in observations {
        latest.insert((seen.control(), seen.subject().clone()), seen);
    }
    let mut by_control: BTreeMap<ControlId, Vec<Observation>> = BTreeMap::new();
    for ((control, _), seen) in latest {
        by_control.entry(control).or_default().push(seen);
    }
    by_control
}
