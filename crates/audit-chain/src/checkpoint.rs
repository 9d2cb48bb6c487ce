//! Checkpoints: how large a tree is and what its root is, said in a note (C2SP tlog-checkpoint).

mod anchor;
mod note;
mod proof;
mod publication;
mod signed;
mod snapshot;

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};

pub use anchor::{Anchor, AnchorError, FileAnchor};
pub use note::{LocalSigner, Note, Signer, VerifierKey};
pub use proof::{HeadProof, ProvenHead};
pub use publication::Publication;
pub use signed::SignedCheckpoint;
pub use snapshot::{Snapshot, TenantHead};

use crate::{Digest, Error, error::Repr};

/// What a log's operator says of its tree at one moment, before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Digest,
    extensions: Vec<String>,
}

impl Checkpoint {
    /// A statement about the tree of `size` leaves with this root, in the log that `origin` names.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the origin is empty or more than one line.
    pub fn new(origin: impl Into<String>, size: u64, root: Digest) -> Result<Self, Error> {
        let origin = origin.into();
        if !is_line(&origin) {
            return Err(Repr::Malformed("the origin of a checkpoint is one line of text").into());
        }
        Ok(Self { origin, size, root, extensions: Vec::new() })
    }

    /// Adds a line that verifiers who do not know it pass over.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if it is empty or more than one line.
    pub fn extension(mut self, line: impl Into<String>) -> Result<Self, Error> {
        let line = line.into();
        if !is_line(&line) {
            return Err(Repr::Malformed("an extension of a checkpoint is one line of text").into());
        }
        self.extensions.push(line);
        Ok(self)
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree.
    #[must_use]
    pub const fn root(&self) -> Digest {
        self.root
    }

    /// The lines after the root.
    #[must_use]
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// The note to sign.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the lines are too long for a note.
    pub fn to_note(&self) -> Result<Note, Error> {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()));
        for line in &self.extensions {
            let _ = writeln!(text, "{line}");
        }
        Note::new(text)
    }

    /// Reads the text of a note. Whether somebody signed it is the note's matter.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the text is not a checkpoint in its one canonical form.
    pub fn read(note: &Note) -> Result<Self, Error> {
        let malformed = || Error::from(Repr::Malformed("a checkpoint is an origin, a size, a root and further lines"));
        let mut lines = note.text().strip_suffix('\n').ok_or_else(malformed)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(malformed());
        };
        let number: u64 = size.parse().map_err(|_| malformed())?;
        let root = STANDARD.decode(root).map_err(|_| malformed())?;
        let mut checkpoint = Self::new(origin, number, Digest::try_from(&root[..])?)?;
        for line in lines {
            checkpoint = checkpoint.extension(line)?;
        }
        // `+7` and `007` are numbers too, and would be other texts with the same meaning.
        if number.to_string() == size { Ok(checkpoint) } else { Err(malformed()) }
    }
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|character| character.is_ascii_control())
}

#[cfg(test)]
mod tests;
