//! What the log says of an export.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Actor, Digest, Entry, Severity, TenantId};

/// The action of the entries that say that something was exported.
const ACTION: &str = "audit.exported";

/// The announcement of an export, with what is wanted.
pub(crate) fn announcement(tenant: TenantId, actor: Actor, wanted: Value) -> Entry {
    Entry::new(tenant, actor, ACTION).after(wanted).severity(Severity::Notice)
}

/// How much was handed over, with the SHA-256 of every byte, for an export that was announced.
pub(crate) fn completion(tenant: TenantId, actor: Actor, announced: Uuid, entries: u64, sha256: Digest) -> Entry {
    let done = json!({"entries": entries, "sha256": sha256.to_string()});
    announcement(tenant, actor, done).entity("export", announced)
}
