//! What happens to keys as audit entries.

use serde_json::{Value, json};
use stockade_audit_chain::{Actor, Entry, Severity, TenantId};
use stockade_field_crypto::{FieldEvent, KeyInfo, Observer, TenantId as TenantOfKeys};

use super::{PLATFORM, Recorder};

impl<F: Fn(TenantId, Entry) + Send + Sync + 'static> Observer for Recorder<F> {
    fn observe(&self, event: &FieldEvent) {
        let (tenant, entry) = field_entry(event);
        (self.0)(tenant, entry);
    }
}

/// What `event` looks like in the audit log, and in whose. A key appears by its number and its check value, which together say for
/// good which key it was.
#[must_use]
pub fn field_entry(event: &FieldEvent) -> (TenantId, Entry) {
    let (tenant, action, key, facts): (Option<&TenantOfKeys>, _, Option<String>, Value) = match event {
        FieldEvent::KeyCreated(KeyInfo { tenant, key, purpose, kek, kcv, .. }) => (
            Some(tenant),
            "key.create",
            Some(key.to_string()),
            json!({ "purpose": purpose.as_str(), "wrapped_by": kek.as_str(), "kcv": kcv.to_string() }),
        ),
        FieldEvent::SubjectKeyCreated(made) => (
            Some(&made.tenant),
            "subject_key.create",
            Some(made.key.to_string()),
            json!({ "subject": made.subject.to_string(), "wrapped_by": made.wrapped_by.to_string(), "kcv": made.kcv.to_string() }),
        ),
        FieldEvent::KeyPromoted { tenant, key, purpose } => {
            (Some(tenant), "key.promote", Some(key.to_string()), json!({ "purpose": purpose.as_str() }))
        }
        FieldEvent::KeyRewrapped { tenant, key, kek } => {
            (Some(tenant), "key.rewrap", Some(key.to_string()), json!({ "wrapped_by": kek.as_str() }))
        }
        FieldEvent::KeyRetired { tenant, key } => (Some(tenant), "key.retire", Some(key.to_string()), Value::Null),
        FieldEvent::KeyDestroyed { tenant, key } => (Some(tenant), "key.destroy", Some(key.to_string()), Value::Null),
        FieldEvent::RowsSealed { tenant, table, column, key, rows } => (
            Some(tenant),
            "key.seal_anew",
            Some(key.to_string()),
            json!({ "column": format!("{table}.{column}"), "rows": rows }),
        ),
        // A kind of event that is newer than this function is still recorded, without what it says.
        _ => (None, "key.event", None, Value::Null),
    };
    let tenant = TenantId::from(tenant.map_or(PLATFORM, |tenant| *tenant.as_uuid()));
    let mut entry = Entry::new(tenant, Actor::system("field-crypto"), action).severity(Severity::Notice);
    if let Some(key) = key {
        entry = entry.entity("key", key);
    }
    if !facts.is_null() {
        entry = entry.after(facts);
    }
    (tenant, entry)
}
