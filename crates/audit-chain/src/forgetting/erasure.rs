//! Forgetting a person's values, and the evidence that it was done.

use std::fmt;

use serde_json::json;
use uuid::Uuid;

use super::evidence;
use crate::{Actor, Digest, Entry, Record, TenantId, format};

/// Why values are erased. Everything here is stored in the log and stays: give ids and pseudonyms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureRequest {
    actor: Actor,
    request: String,
    legal_basis: String,
    subject: Option<String>,
}

/// A value that is gone: where it stood, and the commitment that stays in its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErasedValue {
    /// The entry that it belonged to.
    pub entry_id: Uuid,
    /// Where in the entry, as in [`Record::personal_paths`].
    pub path: String,
    /// The commitment to it.
    pub commitment: Digest,
}

/// An entry of the log that says what was erased, with the list of what it covers.
///
/// A missing value that it covers is not a gap: see [`Verifier::erasure`](crate::Verifier::erasure).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasureEvidence {
    record: Record,
    values: Vec<ErasedValue>,
}

impl ErasureRequest {
    /// An erasure by this actor, for the request with this id, on this legal basis (such as `GDPR Art. 17(1)(b)`).
    #[must_use]
    pub fn new(actor: Actor, request: impl fmt::Display, legal_basis: impl Into<String>) -> Self {
        Self { actor, request: request.to_string(), legal_basis: legal_basis.into(), subject: None }
    }

    /// Whose values: a pseudonym, never a name.
    #[must_use]
    pub fn subject(mut self, pseudonym: impl fmt::Display) -> Self {
        self.subject = Some(pseudonym.to_string());
        self
    }

    /// The entry that says that these values were erased, which have to be in [`ErasureEvidence`]'s order.
    #[must_use]
    pub fn entry(&self, tenant: TenantId, values: &[ErasedValue]) -> Entry {
        let statement = json!({
            "request": self.request,
            "legal_basis": self.legal_basis,
            "subject": self.subject,
            "count": values.len(),
            "root": ErasureEvidence::root(values).to_string(),
        });
        Entry::new(tenant, self.actor.clone().unnamed(), ErasureEvidence::ACTION).after(statement)
    }
}

impl ErasedValue {
    /// The leaf of this value in the tree of an erasure, as the page [`format`](mod@crate::format) lays it out.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        // A path is at most 256 bytes and a root long; a longer one must not hash like a short one.
        let length = u16::try_from(self.path.len()).unwrap_or(u16::MAX).to_be_bytes();
        let bytes = [
            format::ERASED_DOMAIN,
            self.entry_id.as_bytes(),
            &length,
            self.path.as_bytes(),
            self.commitment.as_bytes(),
        ];
        Digest::leaf(&bytes.concat())
    }
}

impl ErasureEvidence {
    /// The action of an entry that says what was erased.
    pub const ACTION: &str = "audit.erased";

    /// Evidence: the entry, and the values that it covers, by entry id and path, each once. Whether they agree is the verifier's
    /// matter.
    #[must_use]
    pub const fn new(record: Record, values: Vec<ErasedValue>) -> Self {
        Self { record, values }
    }

    /// The entry.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// What it covers.
    #[must_use]
    pub fn values(&self) -> &[ErasedValue] {
        &self.values
    }

    /// The root over a list of values: what an erasure's entry states, and what an [`InclusionProof`](crate::InclusionProof) for
    /// one value leads to.
    #[must_use]
    pub fn root(values: &[ErasedValue]) -> Digest {
        evidence::root(values.iter().map(ErasedValue::leaf))
    }

    /// Whether the entry states this list.
    pub(crate) fn agrees(&self) -> bool {
        self.values.is_sorted_by(|left, right| (left.entry_id, &left.path) < (right.entry_id, &right.path))
            && evidence::states(&self.record, Self::ACTION, self.values.len() as u64, Self::root(&self.values))
    }
}
