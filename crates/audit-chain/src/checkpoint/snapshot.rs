//! What a checkpoint commits to: where every tenant's chain ended at one moment.

use crate::{
    ConsistencyProof, Digest, Error, Frontier, Head, InclusionProof, TenantId, error::Repr, format, merkle::Levels,
};

/// The end of one tenant's chain, and the root of the Merkle tree over its leaves.
///
/// The head's hash follows the chain, the root opens O(log n) proofs; both stand over the same leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TenantHead {
    /// The end of the chain.
    pub head: Head,
    /// The root of the tree over the chain's leaves, entry `n` at place `n - 1`.
    pub root: Digest,
}

impl TenantHead {
    /// The leaf that stands for the tenant in a snapshot's tree.
    ///
    /// Nobody can guess it who does not know the chain's random id: a tenant that is shown the hashes beside its own
    /// learns nothing about others but how many there are.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        Digest::leaf(&[format::HEAD_DOMAIN, &self.to_bytes()].concat())
    }

    /// Whether this head is of the same chain as an older one and holds it unchanged. Needs no entry and no link.
    #[must_use]
    pub fn extends(&self, older: &Self, proof: &ConsistencyProof) -> bool {
        (self.head.tenant, self.head.chain) == (older.head.tenant, older.head.chain)
            && (proof.old_size(), proof.new_size()) == (older.head.seq, self.head.seq)
            && proof.verify(&older.root, &self.root)
            && (older.head.seq != self.head.seq || older.head.hash == self.head.hash)
    }

    /// Tenant, chain id, number, hash and root, in 104 bytes.
    pub(crate) fn to_bytes(self) -> [u8; 104] {
        let Self { head, root } = self;
        let mut bytes = [0; 104];
        let parts = [
            &head.tenant.as_uuid().as_bytes()[..],
            &head.chain.as_uuid().as_bytes()[..],
            &head.seq.to_be_bytes()[..],
            &head.hash.as_bytes()[..],
            &root.as_bytes()[..],
        ];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; 104]) -> Option<Self> {
        let (tenant, rest) = bytes.split_first_chunk::<16>()?;
        let (chain, rest) = rest.split_first_chunk::<16>()?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let (hash, root) = rest.split_first_chunk::<32>()?;
        let uuid = |bytes: &[u8; 16]| uuid::Uuid::from_bytes(*bytes);
        let head = Head {
            tenant: uuid(tenant).into(),
            chain: uuid(chain).into(),
            seq: u64::from_be_bytes(*seq),
            hash: Digest::from(*hash),
        };
        Some(Self { head, root: Digest::try_from(root).ok()? })
    }
}

/// The heads of all tenants at one moment, by ascending tenant. A tenant that was deleted since is missing in a later one,
/// and one whose chain was begun anew has another chain id.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Snapshot {
    heads: Vec<TenantHead>,
}

impl Snapshot {
    /// A snapshot of these heads, in any order.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if a tenant has two.
    pub fn new(heads: impl IntoIterator<Item = TenantHead>) -> Result<Self, Error> {
        let mut heads: Vec<_> = heads.into_iter().collect();
        heads.sort_unstable_by_key(|head| head.head.tenant);
        if !heads.is_sorted_by(|left, right| left.head.tenant < right.head.tenant) {
            return Err(Repr::Malformed("a tenant has two heads in a snapshot").into());
        }
        Ok(Self { heads })
    }

    /// The heads, by ascending tenant.
    #[must_use]
    pub fn heads(&self) -> &[TenantHead] {
        &self.heads
    }

    /// A tenant's head.
    #[must_use]
    pub fn head(&self, tenant: TenantId) -> Option<&TenantHead> {
        self.position(tenant).and_then(|index| self.heads.get(index))
    }

    /// The root of the tree over the heads.
    #[must_use]
    pub fn root(&self) -> Digest {
        let mut frontier = Frontier::new();
        for head in &self.heads {
            // A tree is full after 2^63 leaves, which no memory holds.
            let _ = frontier.push(head.leaf());
        }
        frontier.root()
    }

    /// The leaf that stands for the snapshot in the tree whose root a checkpoint signs.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        snapshot_leaf(self.heads.len() as u64, &self.root())
    }

    /// The proof that a tenant's head is among these.
    pub(crate) fn prove(&self, tenant: TenantId) -> Result<Option<(TenantHead, InclusionProof)>, Error> {
        let Some((index, head)) = self.position(tenant).and_then(|index| Some((index, self.heads.get(index)?))) else {
            return Ok(None);
        };
        let levels = Levels::new(self.heads.iter().map(TenantHead::leaf).collect());
        let proof = InclusionProof::new(index as u64, self.heads.len() as u64, |node| levels.hash(node))?;
        Ok(Some((*head, proof)))
    }

    fn position(&self, tenant: TenantId) -> Option<usize> {
        self.heads.binary_search_by_key(&tenant, |head| head.head.tenant).ok()
    }
}

pub(super) fn snapshot_leaf(tenants: u64, root: &Digest) -> Digest {
    Digest::leaf(&[format::SNAPSHOT_DOMAIN, &tenants.to_be_bytes(), root.as_bytes()].concat())
}
