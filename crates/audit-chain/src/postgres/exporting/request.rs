//! What is to be exported, and what the log says of it.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde_json::{Value, json};
use uuid::Uuid;

use super::shapes::{Rows, Shape};
use crate::{
    Actor, BundleCheckpoint, Digest, Entry, Error, Publication, TenantId, json::canonical, postgres::Filter,
    store::exported,
};

/// What to export, in which form, and who asked.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    actor: Actor,
    pub(super) what: What,
    pub(super) checkpoint: Option<BundleCheckpoint>,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Rows(Shape, Filter),
    Range(TenantId, Option<RangeInclusive<u64>>),
    Choice(Filter),
}

impl ExportRequest {
    /// A table for people with a spreadsheet: what [`csv`](crate::csv) writes, newest first.
    #[must_use]
    pub const fn csv(filter: Filter, actor: Actor) -> Self {
        Self { actor, what: What::Rows(Shape::Csv, filter), checkpoint: None }
    }

    /// One JSON object a line, for programs, newest first.
    #[must_use]
    pub const fn json_lines(filter: Filter, actor: Actor) -> Self {
        Self { actor, what: What::Rows(Shape::JsonLines, filter), checkpoint: None }
    }

    /// A [bundle](crate::bundle) of everything that is sealed, which anyone can verify.
    #[must_use]
    pub const fn bundle(tenant: TenantId, actor: Actor) -> Self {
        Self { actor, what: What::Range(tenant, None), checkpoint: None }
    }

    /// A [bundle](crate::bundle) of every entry with these numbers, which proves that none was left out.
    #[must_use]
    pub const fn range(tenant: TenantId, entries: RangeInclusive<u64>, actor: Actor) -> Self {
        Self { actor, what: What::Range(tenant, Some(entries)), checkpoint: None }
    }

    /// A [bundle](crate::bundle) of what a filter finds: each entry is proven, completeness is not. Without a
    /// [checkpoint](Self::attested_by) nothing in it can be proven.
    #[must_use]
    pub const fn choice(filter: Filter, actor: Actor) -> Self {
        Self { actor, what: What::Choice(filter), checkpoint: None }
    }

    /// Ties a bundle to a signed checkpoint, if that commits to a head of the tenant.
    ///
    /// # Errors
    /// [`Malformed`](crate::ErrorKind::Malformed) if the parts of the publication do not belong together.
    pub fn attested_by(mut self, publication: &Publication) -> Result<Self, Error> {
        let proof = publication.prove_head(self.tenant())?;
        self.checkpoint = proof.map(|proof| BundleCheckpoint::new(publication.note().clone(), proof));
        Ok(self)
    }

    /// Whose log.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        match &self.what {
            What::Rows(_, filter) | What::Choice(filter) => filter.tenant(),
            What::Range(tenant, _) => *tenant,
        }
    }

    /// The announcement, to be recorded and committed before the export begins.
    #[must_use]
    pub fn entry(&self) -> Entry {
        exported::announcement(self.tenant(), self.actor.clone(), self.description())
    }

    pub(super) fn completion(&self, announced: Uuid, entries: u64, sha256: Digest) -> Entry {
        exported::completion(self.tenant(), self.actor.clone(), announced, entries, sha256)
    }

    /// The announcement's state as it is stored.
    pub(super) fn statement(&self) -> Result<String, Error> {
        canonical("announcement", &self.description())
    }

    /// The words that a filtered bundle carries.
    pub(super) fn words(&self) -> Option<BTreeMap<String, String>> {
        match &self.what {
            What::Choice(filter) => Some(filter.words()),
            _ => None,
        }
    }

    pub(super) fn rows(&self) -> Option<Rows> {
        match &self.what {
            What::Rows(shape, filter) => Some(Rows::new(*shape, filter.clone())),
            _ => None,
        }
    }

    fn description(&self) -> Value {
        match &self.what {
            What::Rows(Shape::Csv, filter) => json!({"format": "csv", "filter": filter.words()}),
            What::Rows(Shape::JsonLines, filter) => json!({"format": "json lines", "filter": filter.words()}),
            What::Choice(filter) => json!({"format": "bundle", "filter": filter.words()}),
            What::Range(_, Some(range)) => json!({"format": "bundle", "from": range.start(), "to": range.end()}),
            What::Range(_, None) => json!({"format": "bundle"}),
        }
    }
}
