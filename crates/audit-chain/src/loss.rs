//! What the restore of a backup lost, said in an entry of the log.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{Digest, Record, format::tag, record::RecordView};

/// The end of a chain that a restored backup does not have: entries `after + 1` to `through`.
///
/// It is stated by an entry with the action `audit.restored` that follows in the restored chain, and counts only for a
/// verifier that was told to accept it, against a kept head that it names exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Loss {
    /// The entry that states it.
    pub entry_id: Uuid,
    /// The number of the last entry that the backup had.
    pub after: u64,
    /// The number of the last entry that was lost, which is that of the kept head.
    pub through: u64,
    /// The hash of the kept head.
    pub hash: Digest,
}

impl Loss {
    /// The action of an entry that states a loss.
    pub const ACTION: &'static str = "audit.restored";

    /// What an entry states, if it states a loss.
    #[must_use]
    pub fn read(record: &Record) -> Option<Self> {
        Self::stated(&record.view())
    }

    pub(crate) fn stated(record: &RecordView<'_>) -> Option<Self> {
        if record.envelope.field(tag::ACTION)? != Self::ACTION.as_bytes() {
            return None;
        }
        let stated: Value = serde_json::from_slice(record.envelope.field(tag::AFTER)?).ok()?;
        let number = |name: &str| stated.get(name).and_then(Value::as_u64);
        let hash = stated.get("hash").and_then(Value::as_str)?.parse().ok()?;
        Some(Self { entry_id: record.entry_id, after: number("after")?, through: number("through")?, hash })
    }

    /// What an entry has to say, as its state after.
    #[must_use]
    pub fn statement(after: u64, through: u64, hash: &Digest) -> Value {
        json!({ "after": after, "through": through, "hash": hash.to_string() })
    }
}
