//! Proof that a leaf is in a tree.

use super::node::{Node, Range};
use crate::{Digest, Error, error::Repr};

/// The hashes beside the way from a leaf to the root (RFC 9162, section 2.1.3): `log2(size)` of them, 32 bytes each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    index: u64,
    size: u64,
    path: Vec<Digest>,
}

impl InclusionProof {
    /// The nodes that a proof for leaf `index` of a tree of `size` leaves is made of, so that their hashes can be fetched
    /// in one go.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if there is no such leaf.
    pub fn nodes(index: u64, size: u64) -> Result<Vec<Node>, Error> {
        Ok(siblings(index, size)?.into_iter().flat_map(Range::nodes).collect())
    }

    /// Puts a proof together. `hash` gives the hash of a node that [`nodes`](Self::nodes) names.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if there is no such leaf, and those of `hash`.
    pub fn new<E: From<Error>>(
        index: u64,
        size: u64,
        mut hash: impl FnMut(Node) -> Result<Digest, E>,
    ) -> Result<Self, E> {
        let mut path = Vec::new();
        for sibling in siblings(index, size)? {
            path.extend(sibling.hash(&mut hash)?);
        }
        Ok(Self { index, size, path })
    }

    /// A proof as it was received. Nothing is checked until [`verify`](Self::verify).
    #[must_use]
    pub const fn from_parts(index: u64, size: u64, path: Vec<Digest>) -> Self {
        Self { index, size, path }
    }

    /// The place of the leaf, counted from 0. An entry's number is one more.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The number of leaves of the tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The hashes, from the leaf upwards.
    #[must_use]
    pub fn path(&self) -> &[Digest] {
        &self.path
    }

    /// Whether `leaf` is at this place in the tree with this size and `root`.
    #[must_use]
    pub fn verify(&self, leaf: &Digest, root: &Digest) -> bool {
        // RFC 9162, section 2.1.3.2.
        let Some(mut last) = self.size.checked_sub(1).filter(|last| self.index <= *last) else { return false };
        let (mut place, mut hash) = (self.index, *leaf);
        for sibling in &self.path {
            if last == 0 {
                return false;
            }
            if place & 1 == 1 || place == last {
                hash = Digest::node(sibling, &hash);
                // The right edge goes up without a sibling where the tree is not full.
                let skipped = if place & 1 == 0 { place.trailing_zeros().min(63) } else { 0 };
                (place, last) = (place >> skipped, last >> skipped);
            } else {
                hash = Digest::node(&hash, sibling);
            }
            (place, last) = (place >> 1, last >> 1);
        }
        last == 0 && hash == *root
    }
}

/// The ranges beside the way from a leaf to the root, from the leaf upwards.
fn siblings(index: u64, size: u64) -> Result<Vec<Range>, Error> {
    if index >= size {
        return Err(Repr::Malformed("a tree has no leaf beyond its size").into());
    }
    let mut range = Range::to(size);
    let mut siblings = Vec::new();
    while range.len() > 1 {
        let (left, right) = range.split();
        let (inside, beside) = if index < left.end { (left, right) } else { (right, left) };
        siblings.push(beside);
        range = inside;
    }
    siblings.reverse();
    Ok(siblings)
}
