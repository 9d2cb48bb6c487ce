//! Proof that one tree is the beginning of another.

use std::cmp::Ordering;

use super::node::{Node, Range};
use crate::{Digest, Error, error::Repr};

/// The hashes from which both roots follow, if the smaller tree is the beginning of the larger one (RFC 9162, section
/// 2.1.4). Whoever kept an old root needs nothing else to see that no entry before it was altered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    old_size: u64,
    new_size: u64,
    path: Vec<Digest>,
}

impl ConsistencyProof {
    /// The nodes that a proof between these sizes is made of, so that their hashes can be fetched in one go.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the old tree is larger than the new one.
    pub fn nodes(old_size: u64, new_size: u64) -> Result<Vec<Node>, Error> {
        Ok(parts(old_size, new_size)?.into_iter().flat_map(Range::nodes).collect())
    }

    /// Puts a proof together. `hash` gives the hash of a node that [`nodes`](Self::nodes) names.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the old tree is larger than the new one, and those of `hash`.
    pub fn new<E: From<Error>>(
        old_size: u64,
        new_size: u64,
        mut hash: impl FnMut(Node) -> Result<Digest, E>,
    ) -> Result<Self, E> {
        let mut path = Vec::new();
        for part in parts(old_size, new_size)? {
            path.extend(part.hash(&mut hash)?);
        }
        Ok(Self { old_size, new_size, path })
    }

    /// A proof as it was received. Nothing is checked until [`verify`](Self::verify).
    #[must_use]
    pub const fn from_parts(old_size: u64, new_size: u64, path: Vec<Digest>) -> Self {
        Self { old_size, new_size, path }
    }

    /// The number of leaves of the smaller tree.
    #[must_use]
    pub const fn old_size(&self) -> u64 {
        self.old_size
    }

    /// The number of leaves of the larger tree.
    #[must_use]
    pub const fn new_size(&self) -> u64 {
        self.new_size
    }

    /// The hashes, in the order of the RFC.
    #[must_use]
    pub fn path(&self) -> &[Digest] {
        &self.path
    }

    /// Whether the tree with `old_root` is the beginning of the tree with `new_root`, at these sizes.
    ///
    /// The empty tree is the beginning of every tree, whose root then is not looked at.
    #[must_use]
    pub fn verify(&self, old_root: &Digest, new_root: &Digest) -> bool {
        // RFC 9162, section 2.1.4.2, and the two cases that it leaves out.
        match self.old_size.cmp(&self.new_size) {
            Ordering::Less => {}
            Ordering::Equal => return self.path.is_empty() && old_root == new_root,
            Ordering::Greater => return false,
        }
        if self.old_size == 0 {
            return self.path.is_empty() && *old_root == Digest::of(&[]);
        }
        let (Some(mut place), Some(mut last)) = (self.old_size.checked_sub(1), self.new_size.checked_sub(1)) else {
            return false;
        };
        let full = self.old_size.is_power_of_two().then_some(old_root);
        let mut path = full.into_iter().chain(&self.path);
        let Some(first) = path.next() else { return false };
        let (mut old, mut new) = (*first, *first);
        let skipped = place.trailing_ones();
        (place, last) = (place >> skipped, last >> skipped);
        for hash in path {
            if last == 0 {
                return false;
            }
            if place & 1 == 1 || place == last {
                (old, new) = (Digest::node(hash, &old), Digest::node(hash, &new));
                let skipped = if place & 1 == 0 { place.trailing_zeros().min(63) } else { 0 };
                (place, last) = (place >> skipped, last >> skipped);
            } else {
                new = Digest::node(&new, hash);
            }
            (place, last) = (place >> 1, last >> 1);
        }
        last == 0 && old == *old_root && new == *new_root
    }
}

/// The ranges whose hashes make the proof, in its order.
fn parts(old_size: u64, new_size: u64) -> Result<Vec<Range>, Error> {
    if old_size > new_size {
        return Err(Repr::Malformed("a tree does not become smaller").into());
    }
    let mut parts = Vec::new();
    if old_size == 0 {
        return Ok(parts);
    }
    let mut range = Range::to(new_size);
    while range.end != old_size {
        let (left, right) = range.split();
        let (inside, beside) = if old_size <= left.end { (left, right) } else { (right, left) };
        parts.push(beside);
        range = inside;
    }
    // The verifier has the old root itself.
    if range.start > 0 {
        parts.push(range);
    }
    parts.reverse();
    Ok(parts)
}
