//! Signed notes: a text and the Ed25519 signatures under it (C2SP signed-note).
//!
//! ```text
//! example.com/audit
//! 4711
//! nND/nri//U0xuHUrYSy0HtMeal2vzD9V4k/BO79C+QeI=
//!
//! — example.com/audit az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
//! ```

mod cosignature;
mod key;
mod signer;

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};

pub use key::VerifierKey;
pub use signer::{LocalSigner, Signer};

use crate::{Error, error::Repr};

/// A text with signatures. Reading one checks its form; [`Note::is_signed_by`] checks a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

/// One line under a note.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    /// The first four bytes of the key's hash, then what the key's algorithm makes.
    bytes: Vec<u8>,
}

impl Note {
    /// The longest note that is read, in bytes.
    pub const MAX_LEN: usize = 1 << 20;
    /// The most signatures under a note that is read.
    pub const MAX_SIGNATURES: usize = 100;

    /// A text that nobody has signed yet.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the text does not end with a line feed, is too long, or holds
    /// a control character other than the line feed.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        if text.len() > Self::MAX_LEN || !text.ends_with('\n') || text.chars().any(is_forbidden) {
            return Err(Repr::Malformed("a note is lines of text").into());
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Adds a signature. One of the same key that was there is replaced.
    ///
    /// # Errors
    /// [`ErrorKind::Signing`](crate::ErrorKind::Signing) if the signer fails, or what it gives is not its key's signature of
    /// this text.
    pub async fn sign(&mut self, signer: &impl Signer) -> Result<(), Error> {
        let key = signer.key();
        let signed = signer.sign(self.text.as_bytes()).await.map_err(Repr::Signing)?;
        // A signer is another machine at times. A note with a signature that does not hold would be kept for ever.
        if !key.accepts(self.text.as_bytes(), &signed) {
            return Err(Repr::WrongSignature.into());
        }
        self.signatures.retain(|signature| !signature.is_of(key));
        let bytes = [&key.id()[..], &signed[..]].concat();
        self.signatures.push(Signature { name: key.name().to_owned(), bytes });
        Ok(())
    }

    /// Whether `key` has signed this text. Signatures of other keys, known or not, make no difference.
    #[must_use]
    pub fn is_signed_by(&self, key: &VerifierKey) -> bool {
        let mut own = self.signatures.iter().filter(|signature| signature.is_of(key)).peekable();
        own.peek().is_some()
            && own.all(|signature| {
                let signed = signature.bytes.get(4..).and_then(|bytes| bytes.try_into().ok());
                signed.is_some_and(|signed: &[u8; 64]| key.accepts(self.text.as_bytes(), signed))
            })
    }

    /// The text, which ends with a line feed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names of the keys that claim to have signed.
    pub fn claimed_signers(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| signature.name.as_str())
    }
}

impl Signature {
    fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.bytes.starts_with(&key.id())
    }
}

impl FromStr for Note {
    type Err = Error;

    fn from_str(note: &str) -> Result<Self, Error> {
        let malformed = || Error::from(Repr::Malformed("a note is text, an empty line and signatures"));
        if note.len() > Self::MAX_LEN {
            return Err(malformed());
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or_else(malformed)?;
        let signatures = signatures.strip_suffix('\n').ok_or_else(malformed)?;
        if signatures.split('\n').count() > Self::MAX_SIGNATURES {
            return Err(malformed());
        }
        let signatures: Option<Vec<_>> = signatures.split('\n').map(Signature::read).collect();
        Ok(Self { signatures: signatures.ok_or_else(malformed)?, ..Self::new([text, "\n"].concat())? })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures
            .iter()
            .try_for_each(|signature| writeln!(f, "— {} {}", signature.name, STANDARD.encode(&signature.bytes)))
    }
}

impl Signature {
    fn read(line: &str) -> Option<Self> {
        let (name, bytes) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = STANDARD.decode(bytes).ok().filter(|bytes| bytes.len() > 4)?;
        key::is_name(name).then(|| Self { name: name.to_owned(), bytes })
    }
}

/// The control characters of ASCII, but for the line feed.
fn is_forbidden(character: char) -> bool {
    character.is_ascii_control() && character != '\n'
}

#[cfg(test)]
mod tests;
