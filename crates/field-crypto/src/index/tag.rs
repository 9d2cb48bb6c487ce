//! A value's entry in an index.

#[cfg(test)]
mod tests;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::{BlindIndex, IndexKind};
use crate::column::Column;
use crate::id::KeyId;

/// A value's entry in the index `I`: `0x01 ‖ key id (u32, big endian) ‖ HMAC-SHA256`, of which as many bits as the kind
/// of the index says: 21 bytes for [`Unique`](crate::Unique), and whole bytes with zeros at the end for
/// [`Approx`](crate::Approx).
///
/// With the feature `postgres` it is a sqlx `bytea`, and a `Vec` of it is a `bytea[]`.
pub struct IndexTag<I> {
    bytes: [u8; HEADER + HASH],
    index: PhantomData<fn() -> I>,
}

const VERSION: u8 = 1;
const HEADER: usize = 5;
const HASH: usize = 16;

impl<I: BlindIndex> IndexTag<I> {
    pub(crate) const VERSION: u8 = VERSION;
    const LEN: usize = HEADER + (<I::Kind as IndexKind>::BITS as usize).div_ceil(8);

    /// The tag as it is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..Self::LEN).unwrap_or(&self.bytes)
    }

    /// Takes a stored tag; `None` unless it is one of version 1 and of this index's length.
    #[must_use]
    pub fn from_bytes(stored: &[u8]) -> Option<Self> {
        let (&[version, a, b, c, d], hash) = stored.split_first_chunk::<HEADER>()?;
        let key = KeyId::new(u32::from_be_bytes([a, b, c, d]))?;
        let mut whole = [0; HASH];
        whole.get_mut(..hash.len())?.copy_from_slice(hash);
        let tag = Self::of(key, u128::from_be_bytes(whole));
        (version == VERSION && stored == tag.as_bytes()).then_some(tag)
    }

    pub(crate) fn compute(mut mac: Hmac<Sha256>, key: KeyId, term: &str) -> Self {
        mac.update(term.as_bytes());
        let hash: [u8; 32] = mac.finalize().into_bytes().into();
        Self::of(key, hash.first_chunk().copied().map_or(0, u128::from_be_bytes))
    }

    /// Keeps the first bits of the hash, as many as the kind says.
    fn of(key: KeyId, hash: u128) -> Self {
        let bits = u32::from(<I::Kind as IndexKind>::BITS);
        let hash = hash & u128::MAX.checked_shl(128 - bits).unwrap_or(0);
        let mut bytes = [VERSION; HEADER + HASH];
        if let Some((header, last)) = bytes.split_first_chunk_mut::<HEADER>() {
            let [a, b, c, d] = key.as_u32().to_be_bytes();
            *header = [VERSION, a, b, c, d];
            last.copy_from_slice(&hash.to_be_bytes());
        }
        Self { bytes, index: PhantomData }
    }
}

impl<I> Clone for IndexTag<I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for IndexTag<I> {}

impl<I> PartialEq for IndexTag<I> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl<I> Eq for IndexTag<I> {}

impl<I> Hash for IndexTag<I> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes.hash(state);
    }
}

impl<I: BlindIndex> fmt::Debug for IndexTag<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexTag({}.{})", I::Column::TABLE, I::NAME)
    }
}
