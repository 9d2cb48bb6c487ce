//! What to fix next, by what it gains.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use crate::{
    control::{Control, Method, Weight},
    observation::Observation,
    result::{ControlResult, Standing},
    score::{Part, Score},
    statement::Plan,
};

/// How bad it is that a control is not in place, after its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Weight 1 or 2.
    Low,
    /// Weight 3.
    Medium,
    /// Weight 4.
    High,
    /// Weight 5: it holds the score at 79 while nothing of it is in place.
    Critical,
}

/// One control that is not in place, and what mending it would gain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remediation {
    /// The control, with the general fix and how to verify it.
    pub control: &'static Control,
    /// By how many points the score would rise if this control alone were in place.
    pub points: u8,
    /// How bad it is.
    pub severity: Severity,
    /// Why the control is not in place, on one line.
    pub why: String,
    /// What does not pass, failures before unknowns. Each may suggest its own remedy.
    pub shortfalls: Vec<Observation>,
    /// How far it is.
    pub state: RemediationState,
    /// The open plan, or else the one that was due last: its owner and its date.
    pub plan: Option<Plan>,
}

/// How far a remediation is. What was done and measured is in place, and no longer on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RemediationState {
    /// Nobody has taken it.
    Open,
    /// Somebody has, and the date lies ahead.
    Planned,
    /// The date has passed and the control is not in place.
    Overdue,
}

impl Severity {
    /// The severity of a control of this weight.
    #[must_use]
    pub const fn of(weight: Weight) -> Self {
        match weight.value() {
            5.. => Self::Critical,
            4 => Self::High,
            3 => Self::Medium,
            _ => Self::Low,
        }
    }

    /// The word in exports and on the page.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl RemediationState {
    /// The word in exports and on the page.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Planned => "planned",
            Self::Overdue => "overdue",
        }
    }

    const fn of(result: &ControlResult) -> Self {
        match (result.plan(), result.overdue_plan()) {
            (Some(_), _) => Self::Planned,
            (None, Some(_)) => Self::Overdue,
            (None, None) => Self::Open,
        }
    }
}

impl Remediation {
    /// Who sees to it.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.plan.as_ref().map(Plan::owner)
    }

    /// By when.
    #[must_use]
    pub fn due(&self) -> Option<DateTime<Utc>> {
        self.plan.as_ref().map(Plan::due)
    }

    /// All controls that apply and are not in place: the most points first, then the heaviest, then in the order of the catalogue.
    pub(crate) fn list(results: &[ControlResult]) -> Vec<Self> {
        let parts: Vec<Part> = results.iter().filter_map(Part::of).collect();
        let now = Score::of(&parts).map_or(0, |score| score.points);
        let open = results.iter().filter(|result| result.is_applicable() && result.standing() != Standing::InPlace);
        let mut list: Vec<Self> = open
            .map(|result| {
                let id = result.control().id;
                let mended: Vec<Part> =
                    parts.iter().map(|part| if part.id == id { part.mended() } else { *part }).collect();
                Self {
                    control: result.control(),
                    points: Score::of(&mended).map_or(0, |score| score.points).saturating_sub(now),
                    severity: Severity::of(result.control().weight),
                    why: why(result),
                    shortfalls: result.shortfalls().cloned().collect(),
                    state: RemediationState::of(result),
                    plan: result.plan().or(result.overdue_plan()).cloned(),
                }
            })
            .collect();
        list.sort_by_key(|item| Reverse((item.points, item.control.weight)));
        list
    }
}

fn why(result: &ControlResult) -> String {
    let mut shortfalls = result.shortfalls();
    if let Some(first) = shortfalls.next() {
        let reason = format!("{}: {}", first.subject(), first.outcome().reason().unwrap_or_default());
        return match shortfalls.count() {
            0 => reason,
            1 => format!("{reason}; one more subject falls short"),
            n => format!("{reason}; {n} more subjects fall short"),
        };
    }
    match (result.control().method, result.attestation(), result.observations()) {
        (Method::Attest, None, _) => "Nobody has attested this.".to_owned(),
        (Method::Attest, Some(_), _) => "The attestation is not valid now.".to_owned(),
        (_, _, []) => "Not measured.".to_owned(),
        _ => "Every subject passes, but the evidence is too old.".to_owned(),
    }
}
