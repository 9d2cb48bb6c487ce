//! Tiles: 256 neighbouring nodes of every eighth level, stored as one row (C2SP tlog-tiles).

use super::node::Node;
use crate::{Digest, Error, error::Repr};

/// A full tile: the nodes `256 * index` to `256 * index + 255` of tree level `8 * level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 for a tile of leaves. At most 7.
    pub level: u8,
    /// How many tiles of this level stand to its left.
    pub index: u64,
}

impl Tile {
    /// How many nodes a tile holds.
    pub const WIDTH: usize = 256;
    const HEIGHT: u8 = 8;

    /// The tile that the hash of `node` can be computed from.
    #[must_use]
    pub const fn of(node: Node) -> Self {
        let above = node.level % Self::HEIGHT;
        Self { level: node.level / Self::HEIGHT, index: node.index >> (Self::HEIGHT - above) }
    }

    /// The tiles that became full when the tree grew to `size` leaves, from the leaves upwards.
    pub fn completed(size: u64) -> impl Iterator<Item = Self> {
        let levels = if size == 0 { 0..0 } else { 0..7 };
        let leaves = |level: u8| 1_u64 << (Self::HEIGHT * (level + 1));
        levels
            .take_while(move |level| size.is_multiple_of(leaves(*level)))
            .map(move |level| Self { level, index: size / leaves(level) - 1 })
    }

    /// The first node that the tile holds.
    #[must_use]
    pub const fn first(self) -> Node {
        Node { level: self.level * Self::HEIGHT, index: self.index << Self::HEIGHT }
    }

    /// The node that all of the tile's nodes lie below: an entry of a tile of the next level.
    #[must_use]
    pub const fn root(self) -> Node {
        Node { level: (self.level + 1) * Self::HEIGHT, index: self.index }
    }

    /// The hash of `node`, computed from the hashes of this tile, or from as many of them as there are at the right edge.
    ///
    /// # Errors
    /// [`ErrorKind::Malformed`](crate::ErrorKind::Malformed) if the node is neither below nor at the [root](Self::root) of
    /// these hashes.
    pub fn hash(self, hashes: &[Digest], node: Node) -> Result<Digest, Error> {
        let outside = || Error::from(Repr::Malformed("a node is not in the tile"));
        let first = self.first();
        let above = node.level.checked_sub(first.level).filter(|above| *above <= Self::HEIGHT).ok_or_else(outside)?;
        let start = node.index.checked_shl(u32::from(above)).and_then(|index| index.checked_sub(first.index));
        let start = start.and_then(|start| usize::try_from(start).ok()).ok_or_else(outside)?;
        let hashes = hashes.get(start..).and_then(|rest| rest.get(..1 << above)).ok_or_else(outside)?;
        let mut hashes = hashes.to_vec();
        while hashes.len() > 1 {
            let (pairs, _) = hashes.as_chunks::<2>();
            hashes = pairs.iter().map(|[left, right]| Digest::node(left, right)).collect();
        }
        hashes.first().copied().ok_or_else(outside)
    }
}
