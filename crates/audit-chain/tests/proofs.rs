//! Proofs against an independent implementation: what one makes, the other accepts.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed assumption in a test should stop the test, in its helpers too"
)]

use proptest::prelude::*;
use stockade_audit_chain::{ConsistencyProof, Digest, Error, Frontier, InclusionProof, Node};
use tlog_tiles::{Hash, HashReader, check_record, check_tree, prove_record, prove_tree, stored_hashes, tree_hash};

/// The other implementation's store of hashes, which numbers all nodes in one row.
struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Stored {
    fn of(size: u64) -> Self {
        let mut stored = Self(Vec::new());
        for number in 0..size {
            let hashes = stored_hashes(number, &record(number), &stored).unwrap();
            stored.0.extend(hashes);
        }
        stored
    }

    fn node(&self, node: Node) -> Result<Digest, Error> {
        let index = tlog_tiles::stored_hash_index(node.level, node.index);
        Ok(Digest::from(self.0[usize::try_from(index).unwrap()].0))
    }
}

fn record(number: u64) -> Vec<u8> {
    format!("record {number}").into_bytes()
}

fn theirs(path: &[Digest]) -> Vec<Hash> {
    path.iter().map(|digest| Hash(*digest.as_bytes())).collect()
}

fn ours(path: &[Hash]) -> Vec<Digest> {
    path.iter().map(|hash| Digest::from(hash.0)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_implementations_agree(size in 1_u64..700, place in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
        let stored = Stored::of(size);
        let root = tree_hash(size, &stored).unwrap();
        let mut frontier = Frontier::new();
        for number in 0..size {
            frontier.push(Digest::leaf(&record(number))).unwrap();
        }
        prop_assert_eq!(frontier.root(), Digest::from(root.0));
        prop_assert_eq!(Frontier::from_nodes(size, |node| stored.node(node)).unwrap(), frontier.clone());

        let index = place.index(usize::try_from(size).unwrap()) as u64;
        let leaf = Digest::leaf(&record(index));
        let proof = InclusionProof::new(index, size, |node| stored.node(node)).unwrap();
        check_record(&theirs(proof.path()), size, root, index, Hash(*leaf.as_bytes())).unwrap();
        let their_path = ours(&prove_record(size, index, &stored).unwrap());
        prop_assert!(InclusionProof::from_parts(index, size, their_path).verify(&leaf, &frontier.root()));

        let old = old.index(usize::try_from(size).unwrap()) as u64 + 1;
        let old_root = tree_hash(old, &stored).unwrap();
        let proof = ConsistencyProof::new(old, size, |node| stored.node(node)).unwrap();
        check_tree(&theirs(proof.path()), size, root, old, old_root).unwrap();
        let their_path = ours(&prove_tree(size, old, &stored).unwrap());
        prop_assert!(ConsistencyProof::from_parts(old, size, their_path).verify(&Digest::from(old_root.0), &frontier.root()));
    }
}
