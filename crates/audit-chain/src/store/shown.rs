//! From the fields of an entry to a row of a page.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::{ActorKind, AuditRow, Opening, Outcome, Severity, fields::Fields, format};

/// Shows an entry with what opens its commitments, in the order of their paths; `None` if it is not
/// what recording could have written.
pub(crate) fn shown(fields: Fields, openings: &[Option<Opening>], seq: Option<u64>) -> Option<AuditRow> {
    let mut shown = AuditRow {
        entry_id: fields.entry_id,
        tenant: fields.tenant,
        seq,
        recorded_at: DateTime::<Utc>::from_timestamp_millis(fields.recorded_at)?,
        occurred_at: fields.occurred_at.and_then(DateTime::from_timestamp_millis),
        action: fields.action,
        severity: Severity::from_code(fields.severity)?,
        outcome: Outcome::from_name(&fields.outcome)?,
        actor_kind: ActorKind::from_name(&fields.actor_kind)?,
        actor_id: fields.actor_id,
        actor_name: None,
        actor_role: fields.actor_role,
        on_behalf_of: fields.on_behalf_of,
        impersonation: fields.impersonation,
        entity_type: fields.entity_type,
        entity_id: fields.entity_id,
        before: fields.before.map(|text| serde_json::from_str(&text)).transpose().ok()?,
        after: fields.after.map(|text| serde_json::from_str(&text)).transpose().ok()?,
        changes: fields
            .changes
            .map_or(Ok(Vec::new()), |text| serde_json::from_str::<Value>(&text).and_then(serde_json::from_value))
            .ok()?,
        ip: None,
        user_agent: None,
        method: fields.method,
        endpoint: fields.endpoint,
        status: fields.status,
        request_id: fields.request_id,
    };
    for ((path, _), opening) in fields.commitments.iter().zip(openings) {
        if let Some(opening) = opening {
            show_personal(&mut shown, path, &opening.value)?;
        }
    }
    Some(shown)
}

/// Puts a personal value where it was recorded.
fn show_personal(shown: &mut AuditRow, path: &str, value: &[u8]) -> Option<()> {
    let text = || String::from_utf8(value.to_vec()).ok();
    match path {
        format::NAME_PATH => shown.actor_name = Some(text()?),
        format::USER_AGENT_PATH => shown.user_agent = Some(text()?),
        format::IP_PATH => shown.ip = Some(format::address(value)?),
        _ => {
            let (state, pointer) = match path.strip_prefix(format::BEFORE_PATH) {
                Some(pointer) => (&mut shown.before, pointer),
                None => (&mut shown.after, path.strip_prefix(format::AFTER_PATH)?),
            };
            *state.as_mut()?.pointer_mut(pointer)? = serde_json::from_slice(value).ok()?;
        }
    }
    Some(())
}
