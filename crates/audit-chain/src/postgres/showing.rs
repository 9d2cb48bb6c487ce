//! From a row of the database to a row of a page.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Row as _, postgres::PgRow};
use uuid::Uuid;

use super::columns;
use crate::{ActorKind, AuditRow, Error, Opening, Outcome, Severity, error::Repr, fields::Fields, format};

pub(super) fn audit_row(row: &PgRow) -> Result<AuditRow, Error> {
    let id: Uuid = row.try_get("entry_id")?;
    let seq: Option<i64> = row.try_get("seq")?;
    let stored = columns::fields(row).zip(columns::openings(row));
    let shown = stored.and_then(|(fields, openings)| shown(fields, &openings, seq.map(i64::unsigned_abs)));
    shown.ok_or_else(|| Repr::Corrupt(id).into())
}

fn shown(fields: Fields, openings: &[Option<Opening>], seq: Option<u64>) -> Option<AuditRow> {
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
        format::IP_PATH => shown.ip = Some(address(value)?),
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

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.split_first()? {
        (4, address) => <[u8; 4]>::try_from(address).ok().map(IpAddr::from),
        (6, address) => <[u8; 16]>::try_from(address).ok().map(IpAddr::from),
        _ => None,
    }
}
