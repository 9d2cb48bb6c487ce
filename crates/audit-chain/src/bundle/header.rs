//! The first line of a bundle.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::json;

use super::{
    members::{Members, hexadecimal},
    rendering::moment,
};
use crate::{ChainId, Digest, Error, Frontier, Head, TenantId, json::canonical};

/// The version of the bundle that this crate writes.
const VERSION: u64 = 1;

/// What a bundle is about: which chain, up to where, and which of its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleHeader {
    exported_at: DateTime<Utc>,
    head: Head,
    start: Option<Start>,
    filter: Option<BTreeMap<String, String>>,
}

/// Where a range begins that does not begin with entry 1: after the link with this hash.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Start {
    hash: Digest,
    frontier: Frontier,
}

impl BundleHeader {
    /// Every entry from the first to `head`, which is the chain's head or any link before it.
    #[must_use]
    pub fn new(head: Head, exported_at: DateTime<Utc>) -> Self {
        Self { exported_at: exported_at.trunc_subsecs(3), head, start: None, filter: None }
    }

    /// Begins after the link with this hash, which is the last leaf of the tree that `frontier` stands for.
    #[must_use]
    pub fn after(mut self, hash: Digest, frontier: Frontier) -> Self {
        self.start = Some(Start { hash, frontier });
        self
    }

    /// Not every entry but a choice, which these words describe.
    #[must_use]
    pub fn filtered(mut self, filter: BTreeMap<String, String>) -> Self {
        self.filter = Some(filter);
        self
    }

    /// The last link that the bundle is about.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The number of the first entry that can be in the bundle.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.start.as_ref().map_or(1, |start| start.frontier.size().saturating_add(1))
    }

    /// The words that describe the choice; `None` for a bundle of every entry.
    #[must_use]
    pub const fn filter(&self) -> Option<&BTreeMap<String, String>> {
        self.filter.as_ref()
    }

    /// When the bundle was made, as it says itself.
    #[must_use]
    pub const fn exported_at(&self) -> DateTime<Utc> {
        self.exported_at
    }

    /// The link before the first entry, or the genesis of the chain.
    pub(super) fn start(&self) -> Head {
        self.start.as_ref().map_or_else(
            || Head::genesis(self.head.tenant, self.head.chain),
            |start| Head { seq: start.frontier.size(), hash: start.hash, ..self.head },
        )
    }

    /// The tree over the leaves before the first entry.
    pub(super) fn frontier(&self) -> Frontier {
        self.start.as_ref().map(|start| start.frontier.clone()).unwrap_or_default()
    }

    /// Reads the line and demands that writing it gives the same text.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut members = Members::of(serde_json::from_str(text).ok()?)?;
        let (tenant, chain) = (TenantId::from(members.uuid("tenant")?), ChainId::from(members.uuid("chain")?));
        let mut head = members.object("head")?;
        let head = Head { tenant, chain, seq: head.number("seq")?, hash: head.digest("hash")? };
        let start = match members.optional("start") {
            None => None,
            Some(start) => {
                let mut start = Members::of(start)?;
                let frontier = Frontier::from_parts(start.number("seq")?, start.digests("frontier")?).ok()?;
                Some(Start { hash: start.digest("hash")?, frontier })
            }
        };
        let filter = match members.optional("filter") {
            None => None,
            Some(filter) => Some(serde_json::from_value(filter).ok()?),
        };
        let header = Self { exported_at: members.time("exported_at")?, head, start, filter };
        (header.write().ok()? == text).then_some(header)
    }

    pub(super) fn write(&self) -> Result<String, Error> {
        let mut line = json!({
            "type": "header",
            "bundle": VERSION,
            "tenant": self.head.tenant.to_string(),
            "chain": self.head.chain.as_uuid().to_string(),
            "exported_at": moment(self.exported_at),
            "head": {"seq": self.head.seq, "hash": self.head.hash.to_string()},
        });
        if let (Some(start), Some(members)) = (&self.start, line.as_object_mut()) {
            let (seq, peaks) = (start.frontier.size(), hexadecimal(start.frontier.peaks()));
            let start = json!({"seq": seq, "hash": start.hash.to_string(), "frontier": peaks});
            members.insert("start".to_owned(), start);
        }
        if let (Some(filter), Some(members)) = (&self.filter, line.as_object_mut()) {
            members.insert("filter".to_owned(), json!(filter));
        }
        canonical("header of a bundle", &line)
    }
}

/// The number of the bundle's version, if the text is a header at all.
pub(super) fn version(text: &str) -> Option<u64> {
    let mut members = Members::of(serde_json::from_str(text).ok()?)?;
    (members.text("type")? == "header").then(|| members.number("bundle")).flatten()
}

/// Whether this crate can read a bundle of this version.
pub(super) const fn is_known(version: u64) -> bool {
    version == VERSION
}
