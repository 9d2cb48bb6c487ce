//! The Merkle tree over the leaves of one chain (RFC 6962, section 2.1; RFC 9162, section 2.1).
//!
//! The chain says which row was altered; the tree proves in a few hundred bytes that an entry is in the log, and that a
//! later log holds an earlier one unchanged. Both stand over the same leaf hashes.

mod consistency;
mod frontier;
mod inclusion;
#[cfg(feature = "checkpoint")]
mod levels;
mod node;
mod tile;

pub use consistency::ConsistencyProof;
pub use frontier::Frontier;
pub use inclusion::InclusionProof;
#[cfg(feature = "checkpoint")]
pub(crate) use levels::Levels;
pub use node::Node;
pub use tile::Tile;

#[cfg(test)]
mod tests;
