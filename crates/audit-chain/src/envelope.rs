//! The bytes of an entry: tagged fields in one canonical encoding.

use std::{fmt, ops::Range};

use crate::{Digest, Error, error::Repr, format};

/// An entry as the bytes that are hashed. The layout is in the module [`format`](crate::format).
///
/// There is exactly one encoding of a set of fields, and [`Envelope::decode`] accepts no other.
#[derive(Clone, PartialEq, Eq)]
pub struct Envelope {
    bytes: Vec<u8>,
    fields: Vec<(u16, Range<usize>)>,
}

impl Envelope {
    /// Reads an envelope, in its canonical encoding only. Unknown tags are kept.
    ///
    /// # Errors
    /// [`ErrorKind::UnknownFormat`](crate::ErrorKind::UnknownFormat) if the bytes name another
    /// format, and [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) for whatever else is not
    /// an envelope. Never panics.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > format::MAX_ENVELOPE {
            return Err(Repr::Malformed("the envelope is too long").into());
        }
        let mut reader = Reader { bytes, at: 0 };
        if reader.take(format::ENTRY_DOMAIN.len()) != Some(format::ENTRY_DOMAIN) {
            return Err(Repr::Malformed("the bytes do not begin like an envelope").into());
        }
        let format = reader.u16().ok_or(TRUNCATED)?;
        if format != format::FORMAT {
            return Err(Repr::UnknownFormat(format).into());
        }
        let count = reader.u16().ok_or(TRUNCATED)?;
        // A field has six bytes at least: a count that promises more than there is reserves nothing for it.
        let mut fields = Vec::with_capacity(usize::from(count).min(bytes.len() / 6));
        let mut last = 0;
        for _ in 0..count {
            let tag = reader.u16().ok_or(TRUNCATED)?;
            if tag <= last {
                return Err(Repr::Malformed("the tags of the envelope do not ascend").into());
            }
            let length = reader.u32().and_then(|length| usize::try_from(length).ok()).ok_or(TRUNCATED)?;
            let start = reader.at;
            reader.take(length).ok_or(TRUNCATED)?;
            fields.push((tag, start..reader.at));
            last = tag;
        }
        if reader.at != bytes.len() {
            return Err(Repr::Malformed("bytes follow the last field of the envelope").into());
        }
        Ok(Self { bytes: bytes.to_vec(), fields })
    }

    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> &[u8] {
        &self.bytes
    }

    /// The leaf hash of the entry.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        Digest::leaf(&self.bytes)
    }

    /// The value of a field, if the entry has it. Tags are in [`format::tag`](crate::format::tag).
    #[must_use]
    pub fn field(&self, tag: u16) -> Option<&[u8]> {
        self.fields().find_map(|(found, value)| (found == tag).then_some(value))
    }

    /// All fields, by ascending tag.
    pub fn fields(&self) -> impl Iterator<Item = (u16, &[u8])> {
        self.fields.iter().filter_map(|(tag, range)| self.bytes.get(range.clone()).map(|value| (*tag, value)))
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("leaf", &self.leaf())
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

/// Writes fields in ascending order of their tags.
pub(crate) struct Writer {
    body: Vec<u8>,
    fields: Vec<(u16, Range<usize>)>,
}

const HEADER: usize = format::ENTRY_DOMAIN.len() + 4;
const TRUNCATED: Repr = Repr::Malformed("the envelope ends too early");

impl Writer {
    pub(crate) fn new() -> Self {
        let mut body = format::ENTRY_DOMAIN.to_vec();
        body.extend(format::FORMAT.to_be_bytes());
        body.extend([0, 0]);
        Self { body, fields: Vec::new() }
    }

    /// Appends a field. The callers below write the tags in order; a tag out of order makes
    /// `finish` fail.
    pub(crate) fn put(&mut self, tag: u16, value: &[u8]) {
        self.body.extend(tag.to_be_bytes());
        // A length that does not fit makes the envelope too long, which `finish` refuses.
        self.body.extend(u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
        let start = self.body.len();
        self.body.extend(value);
        self.fields.push((tag, start..self.body.len()));
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
        if !self.fields.is_sorted_by(|left, right| left.0 < right.0) {
            return Err(Repr::Malformed("the tags of the envelope do not ascend").into());
        }
        let count =
            u16::try_from(self.fields.len()).map_err(|_| Repr::Malformed("the envelope has too many fields"))?;
        for (place, byte) in self.body.iter_mut().take(HEADER).rev().zip(count.to_be_bytes().into_iter().rev()) {
            *place = byte;
        }
        Ok(Envelope { bytes: self.body, fields: self.fields })
    }
}

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }
}
