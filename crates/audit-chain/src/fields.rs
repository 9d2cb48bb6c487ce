//! The fields of an entry with their types: the one place where columns and tags meet.

use uuid::Uuid;

use crate::{
    Digest, Envelope, Error, TenantId,
    envelope::{Reader, Writer},
    format::tag,
};

/// An entry as the columns of its row. Enumerations are kept as stored, so that a value which
/// somebody changed to nonsense can still be encoded and found out.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) entry_id: Uuid,
    pub(crate) tenant: TenantId,
    /// Milliseconds since 1970-01-01 UTC, as every time in here.
    pub(crate) recorded_at: i64,
    pub(crate) occurred_at: Option<i64>,
    pub(crate) action: String,
    pub(crate) severity: u8,
    pub(crate) outcome: String,
    pub(crate) actor_kind: String,
    pub(crate) actor_id: String,
    pub(crate) actor_role: Option<String>,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) impersonation: Option<String>,
    pub(crate) entity_type: Option<String>,
    pub(crate) entity_id: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<String>,
    pub(crate) before: Option<String>,
    pub(crate) after: Option<String>,
    pub(crate) changes: Option<String>,
    pub(crate) commitments: Vec<(String, Digest)>,
}

impl Fields {
    pub(crate) fn encode(&self) -> Result<Envelope, Error> {
        let mut writer = Writer::new();
        writer.put(tag::ENTRY_ID, self.entry_id.as_bytes());
        writer.put(tag::TENANT, self.tenant.as_uuid().as_bytes());
        writer.put(tag::RECORDED_AT, &self.recorded_at.to_be_bytes());
        if let Some(time) = self.occurred_at {
            writer.put(tag::OCCURRED_AT, &time.to_be_bytes());
        }
        writer.put(tag::ACTION, self.action.as_bytes());
        writer.put(tag::SEVERITY, &[self.severity]);
        writer.put(tag::OUTCOME, self.outcome.as_bytes());
        writer.put(tag::ACTOR_KIND, self.actor_kind.as_bytes());
        writer.put(tag::ACTOR_ID, self.actor_id.as_bytes());
        writer.put_text(tag::ACTOR_ROLE, self.actor_role.as_deref());
        writer.put_text(tag::ON_BEHALF_OF, self.on_behalf_of.as_deref());
        writer.put_text(tag::IMPERSONATION, self.impersonation.as_deref());
        writer.put_text(tag::ENTITY_TYPE, self.entity_type.as_deref());
        writer.put_text(tag::ENTITY_ID, self.entity_id.as_deref());
        writer.put_text(tag::METHOD, self.method.as_deref());
        writer.put_text(tag::ENDPOINT, self.endpoint.as_deref());
        if let Some(status) = self.status {
            writer.put(tag::STATUS, &status.to_be_bytes());
        }
        writer.put_text(tag::REQUEST_ID, self.request_id.as_deref());
        writer.put_text(tag::BEFORE, self.before.as_deref());
        writer.put_text(tag::AFTER, self.after.as_deref());
        writer.put_text(tag::CHANGES, self.changes.as_deref());
        if !self.commitments.is_empty() {
            writer.put(tag::COMMITMENTS, &encode_commitments(&self.commitments));
        }
        writer.finish()
    }
}

pub(crate) fn encode_commitments(commitments: &[(String, Digest)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, commitment) in commitments {
        // Recording limits a path to far less than 64 KiB; a longer one in a row was put there, and
        // must not hash like a short one.
        bytes.extend(u16::try_from(path.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend(path.as_bytes());
        bytes.extend(commitment.as_bytes());
    }
    bytes
}

/// Reads the field `COMMITMENTS`; `None` if it is not canonical.
pub(crate) fn decode_commitments(bytes: &[u8]) -> Option<Vec<(&str, Digest)>> {
    let mut reader = Reader::new(bytes);
    let mut commitments: Vec<(&str, Digest)> = Vec::new();
    while !reader.is_empty() {
        let length = reader.u16()?;
        let path = std::str::from_utf8(reader.take(length.into())?).ok()?;
        let commitment = Digest::try_from(reader.take(32)?).ok()?;
        if commitments.last().is_some_and(|(last, _)| *last >= path) {
            return None;
        }
        commitments.push((path, commitment));
    }
    Some(commitments)
}
