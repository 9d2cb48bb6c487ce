//! A checkpoint with everything that it commits to: what is kept outside the audited database.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    Checkpoint, HeadProof, Note, SignedCheckpoint, Signer, Snapshot, TenantHead, VerifierKey, signed::PREVIOUS,
};
use crate::{ConsistencyProof, Digest, Error, Frontier, InclusionProof, TenantId, error::Repr};

/// A signed checkpoint, the snapshot of all tenants' heads that it adds to the log, and the right edge of the log before it.
///
/// Shows as one line of JSON, about 150 bytes a tenant, and reads back from it. Reading checks the form;
/// [`open`](Publication::open) checks the signature and that snapshot and log are what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    note: Note,
    before: Frontier,
    snapshot: Snapshot,
}

impl Publication {
    /// The checkpoint after `previous`, signed: its log is that of `previous` and one leaf longer.
    ///
    /// # Errors
    /// [`ErrorKind::Signing`](crate::ErrorKind::Signing) if the signer fails, [`ErrorKind::Malformed`](crate::ErrorKind::Malformed)
    /// if the log is full.
    pub async fn sign(previous: Option<&Self>, snapshot: Snapshot, signer: &impl Signer) -> Result<Self, Error> {
        let before = previous.map_or_else(|| Ok(Frontier::new()), Self::frontier)?;
        let mut after = before.clone();
        after.push(snapshot.leaf())?;
        let mut checkpoint = Checkpoint::new(signer.key().name(), after.size(), after.root())?;
        if let Some(previous) = previous {
            checkpoint = checkpoint.extension(format!("{PREVIOUS}{}", SignedCheckpoint::text_hash(&previous.note)))?;
        }
        let mut note = checkpoint.to_note()?;
        note.sign(signer).await?;
        Ok(Self { note, before, snapshot })
    }

    /// Puts a publication together from what was stored. Nothing is checked until [`open`](Self::open).
    #[must_use]
    pub const fn from_parts(note: Note, before: Frontier, snapshot: Snapshot) -> Self {
        Self { note, before, snapshot }
    }

    /// The checkpoint, if `key` has signed it and it commits to exactly this snapshot after exactly this log.
    #[must_use]
    pub fn open(&self, key: &VerifierKey) -> Option<SignedCheckpoint> {
        let signed = SignedCheckpoint::open(&self.note, key)?;
        let after = self.frontier().ok()?;
        let (size, root) = (signed.checkpoint().size(), signed.checkpoint().root());
        ((after.size(), after.root()) == (size, root)).then_some(signed)
    }

    /// The number of the checkpoint, which is the number of snapshots in its log.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.before.size().saturating_add(1)
    }

    /// The signed note.
    #[must_use]
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// The heads of all tenants.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The right edge of the log before this checkpoint.
    #[must_use]
    pub const fn before(&self) -> &Frontier {
        &self.before
    }

    /// The right edge of the log with this checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the log is full.
    pub fn frontier(&self) -> Result<Frontier, Error> {
        let mut after = self.before.clone();
        after.push(self.snapshot.leaf())?;
        Ok(after)
    }

    /// The proof that this checkpoint commits to a tenant's head; `None` if the snapshot has none.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the parts do not belong together.
    pub fn prove_head(&self, tenant: TenantId) -> Result<Option<HeadProof>, Error> {
        let Some((head, among)) = self.snapshot.prove(tenant)? else { return Ok(None) };
        let within = InclusionProof::new(self.before.size(), self.size(), |node| self.before.node(node))?;
        Ok(Some(HeadProof::from_parts(head, among, self.snapshot.root(), within)))
    }

    /// The proof that this checkpoint's log is the one before it and one snapshot more, as a witness demands it.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the parts do not belong together.
    pub fn prove_extension(&self) -> Result<ConsistencyProof, Error> {
        let leaf = crate::Node { level: 0, index: self.before.size() };
        ConsistencyProof::new(self.before.size(), self.size(), |node| {
            if node == leaf { Ok(self.snapshot.leaf()) } else { self.before.node(node) }
        })
    }
}

impl fmt::Display for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log: Vec<_> = self.before.peaks().iter().map(|peak| STANDARD.encode(peak.as_bytes())).collect();
        let heads: Vec<_> = self.snapshot.heads().iter().map(|head| STANDARD.encode(head.to_bytes())).collect();
        let document = json!({ "note": self.note.to_string(), "size": self.before.size(), "log": log, "heads": heads });
        document.fmt(f)
    }
}

impl FromStr for Publication {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let malformed = || Error::from(Repr::Malformed("a publication is a note, the log before it, and heads"));
        let document: Value = serde_json::from_str(text).map_err(|_| malformed())?;
        let list = |name: &str| {
            let items = document.get(name).and_then(Value::as_array).ok_or_else(malformed)?;
            let bytes = |item: &Value| item.as_str().and_then(|item| STANDARD.decode(item).ok()).ok_or_else(malformed);
            items.iter().map(bytes).collect::<Result<Vec<_>, Error>>()
        };
        let note = document.get("note").and_then(Value::as_str).ok_or_else(malformed)?.parse()?;
        let size = document.get("size").and_then(Value::as_u64).ok_or_else(malformed)?;
        let peaks = list("log")?.iter().map(|peak| Digest::try_from(&peak[..])).collect::<Result<_, _>>()?;
        let head = |bytes: Vec<u8>| {
            <[u8; 104]>::try_from(bytes).ok().and_then(|bytes| TenantHead::from_bytes(&bytes)).ok_or_else(malformed)
        };
        let heads = list("heads")?.into_iter().map(head).collect::<Result<Vec<_>, Error>>()?;
        Ok(Self { note, before: Frontier::from_parts(size, peaks)?, snapshot: Snapshot::new(heads)? })
    }
}

#[cfg(test)]
mod tests;
