//! What is stored where an entry should be.

use crate::{Opening, Record};

/// What is stored for a link's entry.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// The entry.
    Record(&'a Record),
    /// The entry, as its bytes are stored: nothing is copied. Bytes that are no entry are a finding, as if the caller had
    /// said so.
    Bytes {
        /// The canonical encoding.
        envelope: &'a [u8],
        /// What opens its commitments, as [`Record::new`] takes it.
        openings: &'a [Option<Opening>],
    },
    /// An entry of a format that the reader does not know.
    UnknownFormat(u16),
    /// Something that is no entry.
    Unreadable,
    /// Nothing.
    Missing,
}
