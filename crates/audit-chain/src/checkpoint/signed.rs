//! A checkpoint whose signature holds.

use super::{Checkpoint, Note, VerifierKey};
use crate::Digest;

/// A checkpoint that its log's key has signed. There is no other way to one than [`SignedCheckpoint::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    hash: Digest,
}

impl SignedCheckpoint {
    /// Reads a note that `key` must have signed. `None` if it has not, if the text is no checkpoint, or if its origin is not the
    /// name of the key: a key speaks for one log.
    #[must_use]
    pub fn open(note: &Note, key: &VerifierKey) -> Option<Self> {
        let checkpoint = Checkpoint::read(note).ok()?;
        let signed = checkpoint.origin() == key.name() && note.is_signed_by(key);
        signed.then(|| Self { checkpoint, hash: Self::text_hash(note) })
    }

    /// What was signed.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The hash of the text, which the next checkpoint names: SHA-256, without the signatures, because witnesses add to those.
    #[must_use]
    pub const fn hash(&self) -> &Digest {
        &self.hash
    }

    pub(crate) fn text_hash(note: &Note) -> Digest {
        Digest::of(&[note.text().as_bytes()])
    }

    /// The hash of the checkpoint before, which this one's line `previous` names; `None` in the first.
    #[must_use]
    pub fn previous(&self) -> Option<Digest> {
        let lines = self.checkpoint.extensions().iter();
        lines.filter_map(|line| line.strip_prefix(PREVIOUS)).find_map(|hash| hash.parse().ok())
    }
}

/// What the line begins with that names the checkpoint before.
pub(super) const PREVIOUS: &str = "previous ";
