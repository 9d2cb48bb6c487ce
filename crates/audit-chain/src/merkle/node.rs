//! Where a node is, and how the hash of a range of leaves is put together from nodes.

use crate::Digest;

/// The root of a full subtree: `2^level` leaves from leaf `index * 2^level` on, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    /// 0 for a leaf. At most 63.
    pub level: u8,
    /// How many nodes of this level stand to its left.
    pub index: u64,
}

/// The leaves from `start` up to, but not including, `end`, which a tree hashes as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Range {
    pub(super) const fn to(end: u64) -> Self {
        Self { start: 0, end }
    }

    pub(super) const fn len(self) -> u64 {
        self.end - self.start
    }

    /// The left half, as large as a full subtree can be, and the rest. Only for more than one leaf.
    pub(super) const fn split(self) -> (Self, Self) {
        let middle = self.start + (1 << (self.len() - 1).ilog2());
        (Self { end: middle, ..self }, Self { start: middle, ..self })
    }

    /// The full subtrees that it consists of, from left to right, the largest first.
    pub(super) fn nodes(self) -> impl DoubleEndedIterator<Item = Node> {
        (0..64_u8).rev().filter(move |level| self.len() >> level & 1 == 1).map(move |level| {
            // What is left of this node in the range are the larger subtrees.
            let before = self.len() >> level & !1;
            Node { level, index: (self.start >> level) + before }
        })
    }

    /// The hash of its leaves; `None` if it is empty.
    pub(super) fn hash<E>(self, mut hash: impl FnMut(Node) -> Result<Digest, E>) -> Result<Option<Digest>, E> {
        self.nodes().rev().try_fold(None, |right, node| {
            let left = hash(node)?;
            Ok(Some(right.map_or(left, |right| Digest::node(&left, &right))))
        })
    }
}
