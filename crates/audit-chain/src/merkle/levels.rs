//! A tree in memory, for what is small enough: one leaf a tenant.

use super::Node;
use crate::{Digest, Error, error::Repr};

/// Every full subtree over some leaves, level by level.
pub(crate) struct Levels(Vec<Vec<Digest>>);

impl Levels {
    pub(crate) fn new(leaves: Vec<Digest>) -> Self {
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let (pairs, _) = below.as_chunks::<2>();
            levels.push(pairs.iter().map(|[left, right]| Digest::node(left, right)).collect());
        }
        Self(levels)
    }

    pub(crate) fn hash(&self, node: Node) -> Result<Digest, Error> {
        let level = self.0.get(usize::from(node.level));
        let hash = usize::try_from(node.index).ok().and_then(|index| level?.get(index));
        hash.copied().ok_or_else(|| Repr::Malformed("a node is not in the tree").into())
    }
}
