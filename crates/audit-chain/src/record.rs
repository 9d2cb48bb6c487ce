//! An entry as it is stored: its envelope, and what opens its commitments.

mod view;

use std::fmt;

use uuid::Uuid;

pub(crate) use self::view::RecordView;
use crate::{Digest, Envelope, Error, Opening, TenantId};

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
        let RecordView { entry_id, tenant, leaf, .. } = RecordView::of(envelope.view(), &openings)?;
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

    /// The same, borrowed.
    pub(crate) fn view(&self) -> RecordView<'_> {
        let Self { entry_id, tenant, envelope, leaf, openings } = self;
        RecordView { entry_id: *entry_id, tenant: *tenant, envelope: envelope.view(), leaf: *leaf, openings }
    }

    /// Whether a personal value is not there any more.
    #[cfg(any(feature = "postgres", all(feature = "sqlite", feature = "bundle")))]
    pub(crate) fn is_blanked(&self) -> bool {
        self.openings.iter().any(Option::is_none)
            || self.commitments().is_none_or(|commitments| commitments.len() > self.openings.len())
    }

    pub(crate) fn commitments(&self) -> Option<Vec<(&str, Digest)>> {
        self.view().commitments()
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
