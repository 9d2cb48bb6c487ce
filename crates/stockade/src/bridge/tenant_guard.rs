//! What the guard of tenants refused, as audit entries.

use serde_json::{Value, json};
use stockade_audit_chain::{Actor, Entry, Outcome, Severity, TenantId};
use stockade_tenant_guard::{Event, ForeignRow, Impersonation, Observer, Straddle, TenantId as Guarded};

use super::{PLATFORM, Recorder};

/// A tenant that has no scope is told of in the log of the platform: into its own nothing can be written.
impl<F: Fn(TenantId, Entry) + Send + Sync + 'static> Observer for Recorder<F> {
    fn observe(&self, event: Event<'_>) {
        let (tenant, entry) = tenant_entry(event);
        (self.0)(tenant, entry);
    }
}

/// What `event` looks like in the audit log, and in whose.
///
/// Critical is what only a mistake in the application or an attack makes: a batch that straddles tenants, a row of another tenant.
#[must_use]
pub fn tenant_entry(event: Event<'_>) -> (TenantId, Entry) {
    use Outcome::{Denied, Failure, Success};
    use Severity::{Critical, Info, Notice, Warning};

    let of = |tenant: Guarded| TenantId::from(tenant.as_uuid());
    let guard = || Actor::system("tenant-guard");
    let entry = |tenant, by, action, severity, outcome, facts: Value| {
        let entry = Entry::new(tenant, by, action).severity(severity).outcome(outcome);
        (tenant, if facts.is_null() { entry } else { entry.after(facts) })
    };
    match event {
        Event::StatementRefused { tenant, refusal } => {
            let why = json!({ "reason": refusal.to_string() });
            entry(of(tenant), guard(), "tenant.statement", Warning, Denied, why)
        }
        Event::BatchRefused(Straddle { expected, found, index }) => {
            let facts = json!({ "found": found.to_string(), "index": index });
            entry(of(expected), guard(), "tenant.batch", Critical, Denied, facts)
        }
        Event::ForeignRow(ForeignRow { expected, found }) => {
            entry(of(expected), guard(), "tenant.foreign_row", Critical, Denied, json!({ "found": found.to_string() }))
        }
        Event::TenantRefused { tenant, status } => {
            let platform = TenantId::from(PLATFORM);
            let status = status.map_or_else(|| "unknown".to_owned(), |status| format!("{status:?}").to_lowercase());
            let facts = json!({ "status": status });
            let (platform, told) = entry(platform, guard(), "tenant.scope", Warning, Denied, facts);
            (platform, told.entity("tenant", tenant))
        }
        Event::ImpersonationBegun(Impersonation { actor, tenant, session, reason, expires_at, .. }) => {
            let facts = json!({ "session": session, "reason": reason, "expires_at": expires_at.to_rfc3339() });
            let staff = Actor::user(actor).in_impersonation(session);
            entry(of(tenant), staff, "tenant.impersonate", Notice, Success, facts)
        }
        Event::LeaseMinted { tenant } => entry(of(tenant), guard(), "lease.mint", Info, Success, Value::Null),
        Event::LeaseFailed { tenant } => entry(of(tenant), guard(), "lease.mint", Warning, Failure, Value::Null),
        Event::LeasesRevoked { tenant, leases } => {
            entry(of(tenant), guard(), "lease.revoke", Notice, Success, json!({ "leases": leases }))
        }
        // A kind of event that is newer than this function is still recorded, without what it says.
        _ => entry(TenantId::from(PLATFORM), guard(), "tenant.event", Warning, Success, Value::Null),
    }
}
