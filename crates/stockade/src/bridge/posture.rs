//! The state of the audit log as observations of compliance controls.

use chrono::{DateTime, Utc};
use stockade_audit_chain::{Report, postgres::Health};
use stockade_posture::{ControlId, Observation, Subject};

#[cfg(feature = "bundle")]
use stockade_audit_chain::postgres::Checkpointing;

/// What the rules around the audit log say of [`ControlId::AUDIT_APPEND_ONLY`]: it holds while they are the ones that the
/// migrations made.
///
/// The first deviation stands in the reason; the log's [`health`](stockade_audit_chain::postgres::health) has all of them.
#[must_use]
pub fn log_rules(health: &Health, collected_at: DateTime<Utc>) -> Observation {
    let (control, subject) = (ControlId::AUDIT_APPEND_ONLY, Subject::new("rules of the audit log"));
    let observation = match health.deviations.first() {
        None => Observation::pass(control, subject, collected_at),
        Some(first) => Observation::fail(control, subject, collected_at, first.to_string()),
    };
    observation.fact("deviations", health.deviations.len())
}

/// What a verification that ended at `collected_at` says of [`ControlId::AUDIT_VERIFIES`], about the log that `subject` names.
#[must_use]
pub fn log_verified(subject: Subject, report: &Report, collected_at: DateTime<Utc>) -> Observation {
    let control = ControlId::AUDIT_VERIFIES;
    let observation = match report.verdicts().first() {
        _ if report.is_intact() => Observation::pass(control, subject, collected_at),
        // Without the tenant, which the subject names.
        Some(first) => {
            let place = first.seq.map_or_else(String::new, |seq| format!("entry {seq}: "));
            Observation::fail(control, subject, collected_at, format!("{place}{}", first.finding))
        }
        None => Observation::fail(control, subject, collected_at, "the log is not intact"),
    };
    let findings = report.verdicts().len() as u64 + report.suppressed();
    observation.fact("entries", report.checked()).fact("findings", findings).fact("erased_values", report.erased())
}

/// What a call of a checkpointer that ended at `collected_at` says of [`ControlId::AUDIT_ANCHORED`]: it holds if the anchor
/// has a checkpoint that the log continues. `None` for a call that left the work to another process.
#[cfg(feature = "bundle")]
#[must_use]
pub fn log_anchored(outcome: &Checkpointing, collected_at: DateTime<Utc>) -> Option<Observation> {
    let (control, subject) = (ControlId::AUDIT_ANCHORED, Subject::new("checkpoints of the audit log"));
    match outcome {
        Checkpointing::Published(last) | Checkpointing::Unchanged(last) => {
            Some(Observation::pass(control, subject, collected_at).fact("checkpoint", last.size()))
        }
        Checkpointing::Refused(refusals) => {
            let reason = "the log contradicts its last checkpoint";
            Some(Observation::fail(control, subject, collected_at, reason).fact("contradictions", refusals.len()))
        }
        Checkpointing::Standby => None,
    }
}
