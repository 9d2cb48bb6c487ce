//! The result of one control.

use chrono::{DateTime, Utc};

use crate::{
    control::Control,
    freshness::Freshness,
    observation::{Observation, Outcome},
    statement::{Attestation, Exemption, Plan},
    status::{self, Status, Tally},
};

/// What the evidence alone says about a control, before exemptions and plans. The order is from worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Nothing passes, or nothing is known.
    NotYet,
    /// Some subjects pass, or all do on stale evidence.
    InProgress,
    /// Every subject passes on fresh evidence.
    InPlace,
}

/// What is known of one control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControlResult {
    control: &'static Control,
    status: Status,
    tally: Tally,
    observations: Vec<Observation>,
    attestation: Option<Attestation>,
    plan: Option<Plan>,
    overdue: Option<Plan>,
}

impl ControlResult {
    /// Judges a control on one observation for each subject.
    pub(crate) fn judge(
        control: &'static Control,
        observations: Vec<Observation>,
        attestation: Option<Attestation>,
        exemption: Option<Exemption>,
        plans: impl Iterator<Item = Plan>,
        at: DateTime<Utc>,
    ) -> Self {
        let tally = status::tally(control, &observations, attestation.as_ref(), at);
        let (open, due): (Vec<Plan>, Vec<Plan>) = plans.partition(|plan| plan.due() > at);
        let (plan, overdue) = (open.into_iter().min(), due.into_iter().max());
        let status = match (exemption.filter(|exemption| status::is_in_force(exemption, at)), tally.standing) {
            (Some(exemption), _) => Status::NotApplicable {
                reason: exemption.reason().to_owned(),
                approved_by: exemption.approved_by().to_owned(),
                until: exemption.until(),
            },
            (None, Standing::InPlace) => Status::InPlace,
            (None, Standing::InProgress) => Status::InProgress,
            (None, Standing::NotYet) if plan.is_some() => Status::InProgress,
            (None, Standing::NotYet) => Status::NotYet,
        };
        Self { control, status, tally, observations, attestation, plan, overdue }
    }

    /// The control.
    #[must_use]
    pub const fn control(&self) -> &'static Control {
        self.control
    }

    /// The status to show.
    #[must_use]
    pub const fn status(&self) -> &Status {
        &self.status
    }

    /// What the evidence alone says. A plan can move the status; it cannot move this.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        self.tally.standing
    }

    /// Whether the control counts towards the score.
    #[must_use]
    pub const fn is_applicable(&self) -> bool {
        !matches!(self.status, Status::NotApplicable { .. })
    }

    /// Whether any usable evidence says pass or fail.
    #[must_use]
    pub const fn is_measured(&self) -> bool {
        self.tally.measured
    }

    /// Whether this control holds the score at its ceiling: it applies, has weight 5 and stands at not yet.
    #[must_use]
    pub fn holds_ceiling(&self) -> bool {
        self.is_applicable() && self.control.weight.is_essential() && self.standing() == Standing::NotYet
    }

    /// How many subjects pass. A valid attestation counts as one.
    #[must_use]
    pub const fn passing(&self) -> u64 {
        self.tally.passing
    }

    /// How many subjects there are. An attestation, valid or not, counts as one.
    #[must_use]
    pub const fn subjects(&self) -> u64 {
        self.tally.subjects
    }

    /// How far the objective is attained, in parts of 10,000.
    #[must_use]
    pub const fn attainment(&self) -> u64 {
        match self.tally.standing {
            Standing::NotYet => 0,
            Standing::InProgress => 5_000 * self.tally.passing / self.tally.subjects,
            Standing::InPlace => 10_000,
        }
    }

    /// The observations that count, one for each subject, in the order of the subjects.
    #[must_use]
    pub fn observations(&self) -> &[Observation] {
        &self.observations
    }

    /// The attestation that counts, valid or not.
    #[must_use]
    pub const fn attestation(&self) -> Option<&Attestation> {
        self.attestation.as_ref()
    }

    /// The open plan with the earliest due date.
    #[must_use]
    pub const fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// Whether the attestation that counts is valid.
    #[must_use]
    pub const fn has_valid_attestation(&self) -> bool {
        self.tally.attested
    }

    /// The plan that was due last, of those whose date has passed.
    #[must_use]
    pub const fn overdue_plan(&self) -> Option<&Plan> {
        self.overdue.as_ref()
    }

    /// The evidence by age.
    #[must_use]
    pub const fn freshness(&self) -> Freshness {
        self.tally.freshness
    }

    /// The time of the oldest observation.
    #[must_use]
    pub fn oldest_evidence(&self) -> Option<DateTime<Utc>> {
        self.observations.iter().map(Observation::collected_at).min()
    }

    /// The observations that do not pass, failures before unknowns.
    pub fn shortfalls(&self) -> impl Iterator<Item = &Observation> {
        let failed = self.observations.iter().filter(|seen| matches!(seen.outcome(), Outcome::Fail { .. }));
        failed.chain(self.observations.iter().filter(|seen| matches!(seen.outcome(), Outcome::Unknown { .. })))
    }
}
