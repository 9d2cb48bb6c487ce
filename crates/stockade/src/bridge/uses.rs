//! What the policy refused, and uses of what must be recorded, as audit entries.

use serde_json::json;
use stockade_audit_chain::{Actor, Entry, Outcome, Severity, TenantId};
use stockade_rbac::{AccessRecord, Denied, Permission, Reason, Refusal};

/// What a refusal looks like in the audit log of `tenant`: the action is the permission, and why stands beside it, with roles.
///
/// A notice; a warning if the permission is flagged `audit`, and critical if the row is another tenant's: the database should have kept that
/// row from the person, so its policies are missing or broken. Add what it was about by [`Entry::entity`].
#[must_use]
pub fn denied_entry<P: Permission>(tenant: TenantId, by: Actor, denied: &Denied) -> Entry {
    let audited = P::from_key(denied.permission()).is_none_or(|permission| permission.info().is_audited());
    let severity = match denied.refusal() {
        Refusal::OtherTenant => Severity::Critical,
        _ if audited => Severity::Warning,
        _ => Severity::Notice,
    };
    Entry::new(tenant, by, denied.permission())
        .severity(severity)
        .outcome(Outcome::Denied)
        .after(json!({ "reason": denied.explanation() }))
}

/// What a use of an `audit` permission looks like: `entry`, which says who used what on which row, with the decision.
///
/// A notice; a warning if the permission was lent or is used as somebody else, and critical if an exception for the person granted it and no
/// role: break-glass. The entry holds the reason that was given, which may name people.
#[must_use]
pub fn use_entry(entry: Entry, record: &AccessRecord) -> Entry {
    let severity = match record {
        AccessRecord { exception: Some(_), .. } => Severity::Critical,
        AccessRecord { delegated_by: Some(_), .. } | AccessRecord { on_behalf_of: Some(_), .. } => Severity::Warning,
        _ => Severity::Notice,
    };
    let version = record.subject_version.map(i64::from);
    let reason = record.exception.as_ref().or(record.reason.as_ref()).map(Reason::as_str);
    entry.severity(severity).after(json!({
        "decision": record.explanation,
        "policy": record.policy_version.to_string(),
        "version": version,
        "reason": reason,
        "lent_by": record.delegated_by.map(|by| by.to_string()),
    }))
}
