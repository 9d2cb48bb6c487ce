//! The chain of one tenant: a head, and the links behind it.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use crate::{Digest, Error, TenantId, error::Repr, format};

/// The random identity of a chain, drawn when a tenant's first entry is sealed. A chain that was
/// deleted and begun again is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChainId(Uuid);

impl ChainId {
    /// Draws an identity.
    ///
    /// # Errors
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness) if the operating system gives no
    /// random bytes.
    pub fn random() -> Result<Self, Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(Repr::Random)?;
        Ok(Self(uuid::Builder::from_random_bytes(bytes).into_uuid()))
    }

    /// The identity as a UUID.
    #[must_use]
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

impl From<Uuid> for ChainId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

/// The end of a chain. Kept somewhere else, it is what a rewritten history cannot agree with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head {
    /// Whose chain.
    pub tenant: TenantId,
    /// Which chain.
    pub chain: ChainId,
    /// The number of the last entry; 0 before the first.
    pub seq: u64,
    /// The hash of the last link, or the genesis hash.
    pub hash: Digest,
}

impl Head {
    /// The head of a chain without entries.
    #[must_use]
    pub fn genesis(tenant: TenantId, chain: ChainId) -> Self {
        let hash = Digest::of(&[format::GENESIS_DOMAIN, tenant.as_uuid().as_bytes(), chain.as_uuid().as_bytes()]);
        Self { tenant, chain, seq: 0, hash }
    }

    /// A head as a database holds it.
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn stored(tenant: Uuid, chain: Uuid, seq: i64, hash: &[u8]) -> Result<Self, Error> {
        let seq = u64::try_from(seq).map_err(|_| Repr::Malformed("a stored head has a negative number"))?;
        Ok(Self { tenant: tenant.into(), chain: chain.into(), seq, hash: Digest::try_from(hash)? })
    }

    /// Links an entry to the end and moves the head there.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the chain is full, after 2^63 - 1
    /// entries.
    pub fn append(&mut self, entry_id: Uuid, leaf: Digest) -> Result<Link, Error> {
        let seq = self.seq.checked_add(1).filter(|seq| i64::try_from(*seq).is_ok());
        let seq = seq.ok_or(Repr::Malformed("the chain is full"))?;
        let hash = link_hash(self.tenant, seq, &self.hash, &leaf);
        let link = Link { tenant: self.tenant, seq, entry_id, prev: self.hash, leaf, hash };
        (self.seq, self.hash) = (seq, hash);
        Ok(link)
    }
}

impl fmt::Display for Head {
    /// `tenant:chain:seq:hash`, for a note on paper or a line in a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.tenant, self.chain.0, self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = Error;

    /// Reads what `Display` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, Error> {
        let read = || {
            let mut parts = text.split(':');
            let mut part = || parts.next();
            let tenant = Uuid::try_parse(part()?).ok()?.into();
            let chain = Uuid::try_parse(part()?).ok()?.into();
            Some(Self { tenant, chain, seq: part()?.parse().ok()?, hash: part()?.parse().ok()? })
        };
        let head = read().filter(|head| head.to_string() == text);
        head.ok_or_else(|| Repr::Malformed("the text is not a head").into())
    }
}

/// One entry's place in its tenant's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// Whose chain.
    pub tenant: TenantId,
    /// The entry's number: 1, 2, 3 and so on, without gaps.
    pub seq: u64,
    /// Which entry.
    pub entry_id: Uuid,
    /// The hash of the link before, or the genesis hash.
    pub prev: Digest,
    /// The leaf hash of the entry.
    pub leaf: Digest,
    /// The hash of this link.
    pub hash: Digest,
}

impl Link {
    /// The hash that this link must have, by its other parts.
    #[must_use]
    pub fn computed_hash(&self) -> Digest {
        link_hash(self.tenant, self.seq, &self.prev, &self.leaf)
    }
}

fn link_hash(tenant: TenantId, seq: u64, prev: &Digest, leaf: &Digest) -> Digest {
    Digest::of(&[
        format::LINK_DOMAIN,
        tenant.as_uuid().as_bytes(),
        &seq.to_be_bytes(),
        prev.as_bytes(),
        leaf.as_bytes(),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_kept_as_text() {
        let head = Head::genesis(Uuid::from_u128(7).into(), Uuid::from_u128(9).into());
        let text = head.to_string();
        assert_eq!(text.parse::<Head>().unwrap(), head);
        for wrong in [text.replacen(":0:", ":00:", 1), text.to_uppercase(), format!("{text}:"), text.replace('-', "")] {
            assert!(wrong.parse::<Head>().is_err(), "{wrong}");
        }
    }
}
