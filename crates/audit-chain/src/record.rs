//! An entry as it is stored: its envelope, and what opens its commitments.

use std::fmt;

use uuid::Uuid;

use crate::{
    Digest, Envelope, Error, Finding, Link, Opening, TenantId,
    error::Repr,
    fields::decode_commitments,
    format::{tag, tag_of_path},
};

/// A recorded entry: the bytes that are hashed, and the personal values that are not.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    entry_id: Uuid,
    tenant: TenantId,
    envelope: Envelope,
    leaf: Digest,
    openings: Vec<Option<Opening>>,
}

impl Record {
    /// Puts a record together from an envelope and what opens its commitments, in the order of the
    /// paths; `None` stands for a value that is not there any more.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the envelope names no entry id or
    /// no tenant.
    pub fn new(envelope: Envelope, openings: Vec<Option<Opening>>) -> Result<Self, Error> {
        let uuid =
            |tag, problem| envelope.field(tag).and_then(|id| Uuid::from_slice(id).ok()).ok_or(Repr::Malformed(problem));
        let entry_id = uuid(tag::ENTRY_ID, "the envelope has no entry id")?;
        let tenant = uuid(tag::TENANT, "the envelope has no tenant")?.into();
        let leaf = envelope.leaf();
        Ok(Self { entry_id, tenant, envelope, leaf, openings })
    }

    /// The entry's id.
    #[must_use]
    pub const fn entry_id(&self) -> Uuid {
        self.entry_id
    }

    /// The tenant whose log the entry is for.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The bytes that are hashed.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// The leaf hash.
    #[must_use]
    pub const fn leaf(&self) -> Digest {
        self.leaf
    }

    /// What opens the commitments, in the order of their paths.
    #[must_use]
    pub fn openings(&self) -> &[Option<Opening>] {
        &self.openings
    }

    /// The paths of the personal values, in order; empty if the envelope's list of them cannot be
    /// read.
    #[must_use]
    pub fn personal_paths(&self) -> Vec<&str> {
        self.commitments().unwrap_or_default().into_iter().map(|(path, _)| path).collect()
    }

    /// What does not agree with the link that claims this record.
    pub(crate) fn findings(&self, link: &Link) -> Vec<Finding> {
        if self.leaf != link.leaf {
            return vec![Finding::ContentAltered];
        }
        if self.tenant != link.tenant || self.entry_id != link.entry_id {
            return vec![Finding::ForeignEntry];
        }
        let Some(commitments) = self.commitments() else { return vec![Finding::ContentAltered] };
        if self.openings.len() > commitments.len() {
            return vec![Finding::ContentAltered];
        }
        let openings = self.openings.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        let problem = |((path, commitment), opening): ((&str, Digest), Option<&Opening>)| {
            let path = path.to_owned();
            match (opening, tag_of_path(&path)) {
                (None, _) => Some(Finding::PersonalMissing { path }),
                (Some(opening), Some(tag)) if opening.commitment(tag) == commitment => None,
                (Some(_), _) => Some(Finding::PersonalAltered { path }),
            }
        };
        commitments.into_iter().zip(openings).filter_map(problem).collect()
    }

    /// Whether a personal value is not there any more.
    #[cfg(feature = "postgres")]
    pub(crate) fn is_blanked(&self) -> bool {
        self.openings.iter().any(Option::is_none)
            || self.commitments().is_none_or(|commitments| commitments.len() > self.openings.len())
    }

    /// The commitment to the personal value at this path.
    pub(crate) fn commitment(&self, path: &str) -> Option<Digest> {
        self.commitments()?.into_iter().find_map(|(found, commitment)| (found == path).then_some(commitment))
    }

    pub(crate) fn commitments(&self) -> Option<Vec<(&str, Digest)>> {
        self.envelope.field(tag::COMMITMENTS).map_or_else(|| Some(Vec::new()), decode_commitments)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("entry_id", &self.entry_id)
            .field("tenant", &self.tenant)
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}
