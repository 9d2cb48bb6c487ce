//! The bytes of an entry: tagged fields in one canonical encoding.

mod view;

use std::fmt;

pub(crate) use self::view::{Reader, View};
use crate::{Digest, Error, error::Repr, format};

/// An entry as the bytes that are hashed. The layout is in the module [`format`](crate::format).
///
/// There is exactly one encoding of a set of fields, and [`Envelope::decode`] accepts no other.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope(Vec<u8>);

impl Envelope {
    /// Reads an envelope, in its canonical encoding only. Unknown tags are kept.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownFormat`](crate::ErrorKind::UnknownFormat) if the bytes name another
    /// format, and [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for whatever else is not
    /// an envelope. Never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        View::read(bytes).map(|_| Self(bytes.to_vec()))
    }

    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.0
    }

    /// The leaf hash of the entry.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        Digest::leaf(&self.0)
    }

    /// The value of a field, if the entry has it. Tags are in [`format::tag`](crate::format::tag).
    #[must_use]
    pub fn field(&self, tag: u16) -> Option<&[u8]> {
        self.fields().find_map(|(found, value)| (found == tag).then_some(value))
    }

    /// All fields, by ascending tag.
    pub fn fields(&self) -> impl Iterator<Item = (u16, &[u8])> {
        view::fields(&self.0)
    }

    pub(crate) fn view(&self) -> View<'_> {
        View::known(&self.0)
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("leaf", &self.leaf())
            .field("fields", &self.fields().count())
            .finish_non_exhaustive()
    }
}

/// Writes fields in ascending order of their tags.
pub(crate) struct Writer {
    body: Vec<u8>,
    fields: usize,
    last: u16,
    ascending: bool,
}

/// Room for most entries, so that writing one allocates once.
const USUAL: usize = 1024;

const HEADER: usize = format::ENTRY_DOMAIN.len() + 4;

impl Writer {
    pub(crate) fn new() -> Self {
        let mut body = Vec::with_capacity(USUAL);
        body.extend(format::ENTRY_DOMAIN);
        body.extend(format::FORMAT.to_be_bytes());
        body.extend([0, 0]);
        Self { body, fields: 0, last: 0, ascending: true }
    }

    /// Appends a field. The callers below write the tags in order; a tag out of order makes
    /// `finish` fail.
    pub(crate) fn put(&mut self, tag: u16, value: &[u8]) {
        self.body.extend(tag.to_be_bytes());
        // A length that does not fit makes the envelope too long, which `finish` refuses.
        self.body.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.body.extend(value);
        self.ascending &= tag > self.last;
        (self.fields, self.last) = (self.fields + 1, tag);
    }

    pub(crate) fn put_text(&mut self, tag: u16, value: Option<&str>) {
        if let Some(value) = value {
            self.put(tag, value.as_bytes());
        }
    }

    pub(crate) fn finish(mut self) -> Result<Envelope, Error> {
        if self.body.len() > format::MAX_ENVELOPE {
            return Err(Repr::Invalid { part: "content", problem: "is longer than one mebibyte" }.into());
        }
        if !self.ascending {
            return Err(Repr::Malformed("the tags of the envelope do not ascend").into());
        }
        let count = u16::try_from(self.fields).map_err(|_| Repr::Malformed("the envelope has too many fields"))?;
        for (place, byte) in self.body.iter_mut().take(HEADER).rev().zip(count.to_be_bytes().into_iter().rev()) {
            *place = byte;
        }
        Ok(Envelope(self.body))
    }
}

#[cfg(test)]
mod tests;
