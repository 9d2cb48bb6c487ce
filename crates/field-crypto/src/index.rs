//! Searching for equal values without opening them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::column::Column;
use crate::id::KeyId;

/// A blind index over a column: a keyed hash of the normalised value, by which equal values of one tenant are found.
/// [`columns!`](crate::columns) writes the implementation.
///
/// Column, name and normaliser are part of the key, so that changing one of them makes another index.
pub trait BlindIndex: 'static {
    /// The name of the column that holds the tags.
    const NAME: &'static str;
    /// The column that is indexed.
    type Column: Column;
    /// What makes different spellings of a value equal.
    type Normaliser: Normaliser;
}

/// Makes different spellings of a value equal.
pub trait Normaliser: 'static {
    /// The name, part of the key of every index that uses it. Change it when the result for any value changes.
    const NAME: &'static str;

    /// The one spelling. An empty result means that the value cannot be indexed.
    fn normalise(value: &str) -> Zeroizing<String>;
}

/// Keeps the ASCII digits: for social security numbers, tax identifiers and account numbers.
#[derive(Clone, Copy, Debug)]
pub enum DigitsOnly {}

/// Removes white space from both ends and makes letters lower case by Unicode's rules: for e-mail addresses and names.
#[derive(Clone, Copy, Debug)]
pub enum LowerTrim {}

/// A value's entry in the index `I`: `0x01 ‖ key id (u32, big endian) ‖ HMAC-SHA256 truncated to 128 bits`.
///
/// Equal values of a tenant have equal tags under one index key, so a `UNIQUE (tenant_id, ssn_index)` constraint holds.
/// With the feature `postgres` it is a sqlx `bytea`, and a `Vec` of it is a `bytea[]`.
pub struct IndexTag<I> {
    bytes: [u8; 21],
    index: PhantomData<fn() -> I>,
}

impl Normaliser for DigitsOnly {
    const NAME: &'static str = "digits-only";

    fn normalise(value: &str) -> Zeroizing<String> {
        // Of full capacity from the start: growing would leave a copy behind.
        let mut digits = Zeroizing::new(String::with_capacity(value.len()));
        digits.extend(value.chars().filter(char::is_ascii_digit));
        digits
    }
}

impl Normaliser for LowerTrim {
    const NAME: &'static str = "lower-trim";

    fn normalise(value: &str) -> Zeroizing<String> {
        let value = value.trim();
        // A few letters have a longer lower case: twice the length is room for all of them.
        let mut lower = Zeroizing::new(String::with_capacity(2 * value.len()));
        lower.extend(value.chars().flat_map(char::to_lowercase));
        lower
    }
}

impl<I> IndexTag<I> {
    pub(crate) const VERSION: u8 = 1;

    /// The tag as it is stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 21] {
        &self.bytes
    }

    /// Takes a stored tag; `None` unless it is one of version 1.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 21] = bytes.try_into().ok()?;
        let [version, a, b, c, d, ..] = bytes;
        let key = KeyId::new(u32::from_be_bytes([a, b, c, d]));
        (version == Self::VERSION && key.is_some()).then_some(Self { bytes, index: PhantomData })
    }

    pub(crate) fn compute(mut mac: Hmac<Sha256>, key: KeyId, term: &str) -> Self {
        mac.update(term.as_bytes());
        let mut bytes = [Self::VERSION; 21];
        let tag = mac.finalize().into_bytes();
        let parts = key.as_u32().to_be_bytes().into_iter().chain(tag);
        for (slot, byte) in bytes.iter_mut().skip(1).zip(parts) {
            *slot = byte;
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

#[cfg(test)]
mod tests {
    use hmac::{Hmac, KeyInit as _};
    use serde_json::Value;
    use sha2::Sha256;

    use super::{DigitsOnly, IndexTag, LowerTrim, Normaliser as _};
    use crate::id::KeyId;

    /// RFC 4231, the cases with a text as data, through the function that computes tags.
    #[test]
    fn rfc_4231_hmac_sha256() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("../tests/data/rfc4231.json")).unwrap();
        assert_eq!(cases.len(), 4);
        for case in &cases {
            let bytes = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
            let mac = Hmac::<Sha256>::new_from_slice(&bytes("key")).unwrap();
            let term = String::from_utf8(bytes("data")).unwrap();
            let tag = IndexTag::<()>::compute(mac, KeyId::new(0x0102_0304).unwrap(), &term);
            assert_eq!(tag.as_bytes()[..5], [1, 1, 2, 3, 4]);
            assert_eq!(tag.as_bytes()[5..], bytes("tag")[..16], "{}", case["name"]);
        }
    }

    #[test]
    fn spellings_become_equal() {
        assert_eq!(*DigitsOnly::normalise(" 078-05-1120 "), "078051120");
        assert_eq!(*DigitsOnly::normalise("n/a"), "");
        assert_eq!(*LowerTrim::normalise("\tAda@Example.COM \n"), "ada@example.com");
        assert_eq!(*LowerTrim::normalise("\u{130}stanbul"), "i\u{307}stanbul");
    }
}
