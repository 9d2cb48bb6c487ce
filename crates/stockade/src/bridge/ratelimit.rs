//! Episodes of refusal as audit entries.

use serde_json::json;
use stockade_audit_chain::{Actor, Entry, Outcome, Severity, TenantId};
use stockade_ratelimit::{Event, EventKind, Observer};

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
