//! Proof that a checkpoint commits to a tenant's head.

use super::{SignedCheckpoint, TenantHead, snapshot::snapshot_leaf};
use crate::{Digest, InclusionProof};

/// The way from a tenant's head to the root that a checkpoint signs: the head among the heads of a snapshot, and the snapshot
/// among all that the log has ever committed to. About `log2(tenants) + log2(checkpoints)` hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadProof {
    head: TenantHead,
    among: InclusionProof,
    tenants_root: Digest,
    within: InclusionProof,
}

/// A head that a signed checkpoint commits to. There is no other way to one than [`HeadProof::verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProvenHead {
    head: TenantHead,
    checkpoint: u64,
}

impl HeadProof {
    /// A proof as it was received: the head, its place among the heads of a snapshot, the root over those heads, and the
    /// snapshot's place in the log. Nothing is checked until [`verify`](Self::verify).
    #[must_use]
    pub const fn from_parts(
        head: TenantHead,
        among: InclusionProof,
        tenants_root: Digest,
        within: InclusionProof,
    ) -> Self {
        Self { head, among, tenants_root, within }
    }

    /// The head that it is about.
    #[must_use]
    pub const fn head(&self) -> &TenantHead {
        &self.head
    }

    /// The head's place among those of all tenants.
    #[must_use]
    pub const fn among(&self) -> &InclusionProof {
        &self.among
    }

    /// The root over the heads of all tenants.
    #[must_use]
    pub const fn tenants_root(&self) -> &Digest {
        &self.tenants_root
    }

    /// The snapshot's place in the log.
    #[must_use]
    pub const fn within(&self) -> &InclusionProof {
        &self.within
    }

    /// The head, if the checkpoint commits to it; `None` for whatever else.
    #[must_use]
    pub fn verify(&self, signed: &SignedCheckpoint) -> Option<ProvenHead> {
        let leaf = snapshot_leaf(self.among.size(), &self.tenants_root);
        let holds = self.within.size() == signed.checkpoint().size()
            && self.among.verify(&self.head.leaf(), &self.tenants_root)
            && self.within.verify(&leaf, &signed.checkpoint().root());
        holds.then(|| ProvenHead { head: self.head, checkpoint: self.within.index().saturating_add(1) })
    }
}

impl ProvenHead {
    /// The head.
    #[must_use]
    pub const fn head(&self) -> &TenantHead {
        &self.head
    }

    /// Which checkpoint of the log first committed to it: 1, 2, 3 and so on.
    #[must_use]
    pub const fn checkpoint(&self) -> u64 {
        self.checkpoint
    }
}
