//! The right edge of a tree: all that is needed to append to it.

use super::node::{Node, Range};
use crate::{Digest, Error, error::Repr};

/// The roots of the full subtrees that a tree consists of, from left to right: at most 64 hashes, whatever its size.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A frontier as it was stored.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if a tree of `size` leaves has another number of peaks: one
    /// for each binary 1 of its size.
    pub fn from_parts(size: u64, peaks: Vec<Digest>) -> Result<Self, Error> {
        if peaks.len() != Range::to(size).nodes().count() {
            return Err(Repr::Malformed("a tree of this size has another number of peaks").into());
        }
        Ok(Self { size, peaks })
    }

    /// The frontier of a tree whose nodes are at hand. `hash` gives the hash of a node that [`nodes`](Self::nodes) names.
    ///
    /// # Errors
    /// Those of `hash`.
    pub fn from_nodes<E>(size: u64, hash: impl FnMut(Node) -> Result<Digest, E>) -> Result<Self, E> {
        Ok(Self { size, peaks: Range::to(size).nodes().map(hash).collect::<Result<_, E>>()? })
    }

    /// The nodes that the frontier of a tree of `size` leaves is made of, the largest first.
    pub fn nodes(size: u64) -> impl Iterator<Item = Node> {
        Range::to(size).nodes()
    }

    /// The hash of a node that is a peak.
    #[cfg(feature = "checkpoint")]
    pub(crate) fn node(&self, node: Node) -> Result<Digest, Error> {
        let mut places = Self::nodes(self.size).zip(&self.peaks);
        let peak = places.find_map(|(place, peak)| (place == node).then_some(*peak));
        peak.ok_or_else(|| Repr::Malformed("a node is not at the right edge").into())
    }

    /// Appends a leaf.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the tree is full, after 2^63 - 1 leaves.
    pub fn push(&mut self, leaf: Digest) -> Result<(), Error> {
        let size = self.size.checked_add(1).filter(|size| i64::try_from(*size).is_ok());
        let size = size.ok_or(Repr::Malformed("the tree is full"))?;
        // Each trailing 1 of the old size is a full subtree that the new leaf completes with what comes so far.
        let completed = self.size.trailing_ones() as usize;
        let rest = self.peaks.len().saturating_sub(completed);
        let peak = self.peaks.drain(rest..).rev().fold(leaf, |right, left| Digest::node(&left, &right));
        self.peaks.push(peak);
        self.size = size;
        Ok(())
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the full subtrees, the largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// The root of the tree. Without leaves: the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Digest {
        let root = self.peaks.iter().rev().copied().reduce(|right, left| Digest::node(&left, &right));
        root.unwrap_or_else(|| Digest::of(&[]))
    }
}
