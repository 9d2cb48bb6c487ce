//! Episodes of refusal as audit entries.

use serde_json::json;
use stockade_audit_chain::{Actor, Entry, Outcome, Severity, TenantId};
use stockade_ratelimit::{Event, EventKind, Observer};

#[cfg(any(feature = "postgres", feature = "redis"))]
use stockade_ratelimit::store::{Health, HealthObserver};

use super::{PLATFORM, Recorder};

impl<F: Fn(TenantId, Entry) + Send + Sync + 'static> Observer for Recorder<F> {
    fn observe(&self, event: &Event) {
        let tenant = TenantId::from(PLATFORM);
        (self.0)(tenant, limit_entry(tenant, event));
    }
}

/// What `event` looks like in the audit log of `tenant`: a warning when refusals begin, a note with their number when they end.
///
/// The key that was limited, an address or an account, appears only as the event's keyed fingerprint.
#[must_use]
pub fn limit_entry(tenant: TenantId, event: &Event) -> Entry {
    let (severity, facts) = match event.kind {
        EventKind::Opened => (Severity::Warning, json!({ "state": "opened" })),
        EventKind::Closed { refusals, lasted } => {
            (Severity::Notice, json!({ "state": "closed", "refusals": refusals, "lasted_seconds": lasted.as_secs() }))
        }
        _ => (Severity::Notice, json!({ "state": "continues" })),
    };
    Entry::new(tenant, Actor::system("ratelimit"), "ratelimit.breach")
        .entity("limit", format!("{} {}", event.rule, event.fingerprint))
        .severity(severity)
        .outcome(Outcome::Denied)
        .after(facts)
}

#[cfg(any(feature = "postgres", feature = "redis"))]
impl<F: Fn(TenantId, Entry) + Send + Sync + 'static> HealthObserver for Recorder<F> {
    fn observe(&self, health: &Health) {
        let tenant = TenantId::from(PLATFORM);
        (self.0)(tenant, store_entry(tenant, health));
    }
}

/// What an outage of the store of shared limits looks like in the audit log of `tenant`: a warning when it begins, a note
/// with what was decided without it when it ends.
#[cfg(any(feature = "postgres", feature = "redis"))]
#[must_use]
pub fn store_entry(tenant: TenantId, health: &Health) -> Entry {
    let (severity, outcome, facts) = match health {
        Health::Degraded => (Severity::Warning, Outcome::Failure, json!({ "state": "degraded" })),
        Health::Recovered { lasted, decided } => {
            let facts = json!({ "state": "recovered", "lasted_seconds": lasted.as_secs(), "decided_without": decided });
            (Severity::Notice, Outcome::Success, facts)
        }
        _ => (Severity::Notice, Outcome::Success, json!({ "state": "changed" })),
    };
    Entry::new(tenant, Actor::system("ratelimit"), "ratelimit.store").severity(severity).outcome(outcome).after(facts)
}
