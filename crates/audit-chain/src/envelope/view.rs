//! The bytes of an entry where they lie, without a copy.

use crate::{
    Error,
    error::Repr,
    format::{self, tag},
};

/// The canonical encoding of an entry, borrowed.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    bytes: &'a [u8],
    /// The value of the field `COMMITMENTS`, which is the last and which every check asks for.
    commitments: Option<&'a [u8]>,
}

const TRUNCATED: Repr = Repr::Malformed("the envelope ends too early");

impl<'a> View<'a> {
    /// Reads what [`Envelope::decode`](crate::Envelope::decode) reads.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > format::MAX_ENVELOPE {
            return Err(Repr::Malformed("the envelope is too long").into());
        }
        let mut reader = Reader::new(bytes);
        if reader.take(format::ENTRY_DOMAIN.len()) != Some(format::ENTRY_DOMAIN) {
            return Err(Repr::Malformed("the bytes do not begin like an envelope").into());
        }
        let format = reader.u16().ok_or(TRUNCATED)?;
        if format != format::FORMAT {
            return Err(Repr::UnknownFormat(format).into());
        }
        let count = reader.u16().ok_or(TRUNCATED)?;
        let (mut last, mut commitments) = (0, None);
        for _ in 0..count {
            let found = reader.u16().ok_or(TRUNCATED)?;
            if found <= last {
                return Err(Repr::Malformed("the tags of the envelope do not ascend").into());
            }
            let value = reader.value().ok_or(TRUNCATED)?;
            if found == tag::COMMITMENTS {
                commitments = Some(value);
            }
            last = found;
        }
        if !reader.is_empty() {
            return Err(Repr::Malformed("bytes follow the last field of the envelope").into());
        }
        Ok(Self { bytes, commitments })
    }

    /// The bytes of an envelope that was read before.
    pub(super) fn known(bytes: &'a [u8]) -> Self {
        let view = Self { bytes, commitments: None };
        Self { commitments: view.field(tag::COMMITMENTS), ..view }
    }

    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) const fn commitments(self) -> Option<&'a [u8]> {
        self.commitments
    }

    pub(crate) fn field(self, tag: u16) -> Option<&'a [u8]> {
        fields(self.bytes).find_map(|(found, value)| (found == tag).then_some(value))
    }
}

/// The fields of an envelope that was read before.
pub(super) fn fields(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut reader = Reader::new(bytes.get(super::HEADER..).unwrap_or_default());
    std::iter::from_fn(move || Some((reader.u16()?, reader.value()?)))
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

    pub(crate) const fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// A length, and as many bytes.
    fn value(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }
}
