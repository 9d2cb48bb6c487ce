//! An entry where it is stored, without a copy.

use uuid::Uuid;

use crate::{
    Digest, Error, Finding, Link, Opening, TenantId,
    envelope::View,
    error::Repr,
    fields::decode_commitments,
    format::{tag, tag_of_path},
};

/// A [`Record`](crate::Record), borrowed.
#[derive(Clone, Copy)]
pub(crate) struct RecordView<'a> {
    pub(crate) entry_id: Uuid,
    pub(crate) tenant: TenantId,
    pub(crate) envelope: View<'a>,
    pub(crate) leaf: Digest,
    pub(crate) openings: &'a [Option<Opening>],
}

impl<'a> RecordView<'a> {
    /// Reads the bytes of an envelope; fails as `Envelope::decode` and `Record::new` do.
    pub(crate) fn read(envelope: &'a [u8], openings: &'a [Option<Opening>]) -> Result<Self, Error> {
        Self::of(View::read(envelope)?, openings)
    }

    pub(super) fn of(envelope: View<'a>, openings: &'a [Option<Opening>]) -> Result<Self, Error> {
        let uuid =
            |tag, problem| envelope.field(tag).and_then(|id| Uuid::from_slice(id).ok()).ok_or(Repr::Malformed(problem));
        let entry_id = uuid(tag::ENTRY_ID, "the envelope has no entry id")?;
        let tenant = uuid(tag::TENANT, "the envelope has no tenant")?.into();
        Ok(Self { entry_id, tenant, envelope, leaf: Digest::leaf(envelope.bytes()), openings })
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

    /// The commitment to the personal value at this path.
    pub(crate) fn commitment(&self, path: &str) -> Option<Digest> {
        self.commitments()?.into_iter().find_map(|(found, commitment)| (found == path).then_some(commitment))
    }

    pub(crate) fn commitments(&self) -> Option<Vec<(&'a str, Digest)>> {
        self.envelope.commitments().map_or_else(|| Some(Vec::new()), decode_commitments)
    }
}
