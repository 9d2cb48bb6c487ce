//! The lines that say what was forgotten.

use serde_json::{Value, json};

use super::members::{Members, base64, hexadecimal};
use crate::{
    Digest, Envelope, ErasedValue, ErasureEvidence, Error, InclusionProof, PurgeEvidence, PurgedRange, Record,
    json::canonical,
};

/// Evidence of forgetting, as an entry of the log and what it covers.
#[derive(Clone, Debug)]
pub(super) enum Evidence {
    Erasure(ErasureEvidence),
    Purge(PurgeEvidence),
}

/// Evidence, and where its entry is not among those of the bundle, its number and the way to the root.
#[derive(Clone, Debug)]
pub(super) struct Forgotten {
    pub(super) evidence: Evidence,
    pub(super) place: Option<(u64, Vec<Digest>)>,
}

impl Evidence {
    pub(super) const fn record(&self) -> &Record {
        match self {
            Self::Erasure(evidence) => evidence.record(),
            Self::Purge(evidence) => evidence.record(),
        }
    }

    /// The type of the line, the name of its list, and the list.
    fn value(&self) -> (&'static str, &'static str, Vec<Value>) {
        let value = |value: &ErasedValue| {
            let (entry_id, commitment) = (value.entry_id.to_string(), value.commitment.to_string());
            json!({"entry_id": entry_id, "path": value.path, "commitment": commitment})
        };
        let range = |range: &PurgedRange| {
            let (before, after) = (range.before.to_string(), range.after.to_string());
            json!({"first": range.first, "last": range.last, "before": before, "after": after})
        };
        match self {
            Self::Erasure(evidence) => ("erasure", "values", evidence.values().iter().map(value).collect()),
            Self::Purge(evidence) => ("purge", "ranges", evidence.ranges().iter().map(range).collect()),
        }
    }
}

impl Forgotten {
    pub(super) fn erasure(members: &mut Members) -> Option<Self> {
        let values = members.list("values")?.into_iter().map(|value| {
            let mut value = Members::of(value)?;
            let (entry_id, path) = (value.uuid("entry_id")?, value.text("path")?);
            Some(ErasedValue { entry_id, path, commitment: value.digest("commitment")? })
        });
        let values = values.collect::<Option<_>>()?;
        Self::read(members, |record| Evidence::Erasure(ErasureEvidence::new(record, values)))
    }

    pub(super) fn purge(members: &mut Members) -> Option<Self> {
        let ranges = members.list("ranges")?.into_iter().map(|range| {
            let mut range = Members::of(range)?;
            let (first, last) = (range.number("first")?, range.number("last")?);
            Some(PurgedRange { first, last, before: range.digest("before")?, after: range.digest("after")? })
        });
        let ranges = ranges.collect::<Option<_>>()?;
        Self::read(members, |record| Evidence::Purge(PurgeEvidence::new(record, ranges)))
    }

    fn read(members: &mut Members, evidence: impl FnOnce(Record) -> Evidence) -> Option<Self> {
        let record = Record::new(Envelope::decode(&members.bytes("envelope")?).ok()?, Vec::new()).ok()?;
        let place = match members.optional("place") {
            None => None,
            Some(place) => {
                let mut place = Members::of(place)?;
                Some((place.number("seq")?, place.digests("path")?))
            }
        };
        Some(Self { evidence: evidence(record), place })
    }

    pub(super) fn write(&self) -> Result<String, Error> {
        let (kind, name, list) = self.evidence.value();
        let envelope = base64(self.evidence.record().envelope().encode());
        let mut line = json!({"type": kind, "envelope": envelope, name: list});
        if let (Some((seq, path)), Some(members)) = (&self.place, line.as_object_mut()) {
            members.insert("place".to_owned(), json!({"seq": seq, "path": hexadecimal(path)}));
        }
        canonical("evidence in a bundle", &line)
    }
}

/// The number and the path of a proof that an entry is in a tree.
pub(super) fn place(proof: &InclusionProof) -> (u64, Vec<Digest>) {
    (proof.index().saturating_add(1), proof.path().to_vec())
}
