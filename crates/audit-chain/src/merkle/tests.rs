//! Against the recursive definitions of RFC 6962, its test vectors, and an independent implementation.

use proptest::prelude::*;

use super::*;
use crate::{Digest, Error};

/// The tree of RFC 6962's own tests (certificate-transparency, merkletree).
const LEAVES: [&[u8]; 8] = [
    b"",
    &[0x00],
    &[0x10],
    &[0x20, 0x21],
    &[0x30, 0x31],
    &[0x40, 0x41, 0x42, 0x43],
    &[0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57],
    &[0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f],
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// MTH of RFC 6962, section 2.1, as it is written there.
fn tree_hash(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            Digest::node(&tree_hash(left), &tree_hash(right))
        }
    }
}

/// A tree of leaves that all differ.
fn leaves(count: u64) -> Vec<Digest> {
    (0..count).map(|number| Digest::leaf(&number.to_be_bytes())).collect()
}

/// The hash of a node, by the definition.
fn node_hash(leaves: &[Digest], node: Node) -> Result<Digest, Error> {
    let first = usize::try_from(node.index << node.level).unwrap();
    Ok(tree_hash(&leaves[first..first + (1 << node.level)]))
}

fn included(leaves: &[Digest], index: u64) -> InclusionProof {
    InclusionProof::new(index, leaves.len() as u64, |node| node_hash(leaves, node)).unwrap()
}

fn consistent(leaves: &[Digest], old_size: u64) -> ConsistencyProof {
    ConsistencyProof::new(old_size, leaves.len() as u64, |node| node_hash(leaves, node)).unwrap()
}

#[test]
fn roots_are_those_of_the_rfc() {
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root().to_string(), ROOTS[0]);
    for (leaf, root) in LEAVES.iter().zip(&ROOTS[1..]) {
        frontier.push(Digest::leaf(leaf)).unwrap();
        assert_eq!(frontier.root().to_string(), *root);
    }
}

// From the same tests: the proof for leaf 5 of 8, and from 6 leaves to 8, by their first and last hashes.
#[test]
fn proofs_are_those_of_the_rfc() {
    let leaves = LEAVES.map(Digest::leaf);
    let path: Vec<_> = included(&leaves, 5).path().iter().map(ToString::to_string).collect();
    assert_eq!(
        path,
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    let path: Vec<_> = consistent(&leaves, 6).path().iter().map(ToString::to_string).collect();
    assert_eq!(
        path,
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn every_small_tree_proves_every_leaf_and_every_earlier_tree() {
    let all = leaves(70);
    for size in 0..=all.len() {
        let tree = &all[..size];
        let root = tree_hash(tree);
        for (index, leaf) in tree.iter().enumerate() {
            let proof = included(tree, index as u64);
            assert!(proof.verify(leaf, &root), "{index} of {size}");
            assert!(proof.path().len() <= (size as u64).next_power_of_two().ilog2() as usize);
        }
        for old in 0..=size {
            let proof = consistent(tree, old as u64);
            assert!(proof.verify(&tree_hash(&all[..old]), &root), "{old} to {size}");
        }
    }
}

#[test]
fn a_proof_says_nothing_about_another_leaf_place_size_or_root() {
    let tree = leaves(37);
    let root = tree_hash(&tree);
    for index in 0..37 {
        let proof = included(&tree, index);
        let leaf = &tree[usize::try_from(index).unwrap()];
        for (other, another_leaf) in tree.iter().enumerate() {
            let elsewhere = InclusionProof::from_parts(other as u64, 37, proof.path().to_vec());
            assert_eq!(elsewhere.verify(leaf, &root), other as u64 == index);
            assert_eq!(proof.verify(another_leaf, &root), other as u64 == index);
        }
        // The size is not in the hashes: a proof fixes it as far as the way to the root has another shape.
        for size in (0..33).chain(65..200) {
            assert!(
                !InclusionProof::from_parts(index, size, proof.path().to_vec()).verify(leaf, &root),
                "{index} of {size}"
            );
        }
        assert!(!proof.verify(leaf, &tree_hash(&tree[..36])));
    }
}

#[test]
fn a_rewritten_history_is_not_consistent() {
    let old = leaves(21);
    let kept = tree_hash(&old);
    for altered in 0..21 {
        let mut new = leaves(50);
        new[altered] = Digest::leaf(b"another");
        assert!(!consistent(&new, 21).verify(&kept, &tree_hash(&new)), "{altered}");
    }
}

#[test]
fn extreme_sizes_neither_panic_nor_pass() {
    let digest = Digest::leaf(b"");
    for size in [0, 1, 2, u64::MAX - 1, u64::MAX, 1 << 63] {
        for index in [0, 1, size.saturating_sub(1), size, u64::MAX] {
            for length in [0, 1, 63, 64, 65] {
                let path = vec![digest; length];
                let proof = InclusionProof::from_parts(index, size, path.clone());
                assert_eq!(proof.verify(&digest, &digest), size == 1 && index == 0 && length == 0);
                let proof = ConsistencyProof::from_parts(index, size, path);
                let same = index == size && length == 0;
                assert_eq!(proof.verify(&digest, &digest), same);
            }
        }
    }
    assert!(InclusionProof::nodes(5, 5).is_err());
    assert!(ConsistencyProof::nodes(6, 5).is_err());
    assert_eq!(InclusionProof::nodes(0, 1 << 62).unwrap().len(), 62);
    let mut full = Frontier::from_parts(i64::MAX.unsigned_abs(), vec![digest; 63]).unwrap();
    assert!(full.push(digest).is_err());
    assert!(Frontier::from_parts(3, vec![digest]).is_err());
}

#[test]
fn tiles_hold_every_node_of_a_proof() {
    let size = 3 * 65_536 + 2 * 256 + 77;
    let all = leaves(size);
    // What a store keeps: full tiles, each with its root, and the leaves.
    let mut stored = std::collections::BTreeMap::new();
    let mut level_of_roots = vec![all.clone()];
    for level in 0..2_u8 {
        let below = &level_of_roots[usize::from(level)];
        let roots: Vec<_> = below.chunks_exact(Tile::WIDTH).map(tree_hash).collect();
        level_of_roots.push(roots);
    }
    let mut completed = 0;
    for size in 1..=size {
        for tile in Tile::completed(size) {
            let first = usize::try_from(tile.first().index).unwrap();
            let hashes = &level_of_roots[usize::from(tile.level)][first..first + Tile::WIDTH];
            assert_eq!(tile.hash(hashes, tile.root()).unwrap(), tree_hash(hashes));
            assert!(stored.insert(tile, hashes.to_vec()).is_none());
            completed += 1;
        }
    }
    assert_eq!(completed, 3 * 256 + 2 + 3);
    let read = |node: Node| {
        let tile = Tile::of(node);
        let first = usize::try_from(tile.first().index).unwrap();
        let edge = || level_of_roots[usize::from(tile.level)].iter().skip(first).take(Tile::WIDTH).copied().collect();
        let hashes: Vec<Digest> = stored.get(&tile).cloned().unwrap_or_else(edge);
        tile.hash(&hashes, node)
    };
    let root = tree_hash(&all);
    for index in [0, 1, 255, 256, 65_535, 65_536, size / 2, size - 78, size - 77, size - 1] {
        let proof = InclusionProof::new(index, size, read).unwrap();
        assert!(proof.verify(&all[usize::try_from(index).unwrap()], &root), "{index}");
        let tiles: std::collections::BTreeSet<_> =
            InclusionProof::nodes(index, size).unwrap().into_iter().map(Tile::of).collect();
        assert!(tiles.len() <= 6, "{index}: {tiles:?}");
    }
    for old in [1, 256, 300, 65_536, 65_537, size - 1] {
        let proof = ConsistencyProof::new(old, size, read).unwrap();
        assert!(proof.verify(&tree_hash(&all[..usize::try_from(old).unwrap()]), &root), "{old}");
    }
    let outside = Node { level: 0, index: 256 };
    assert!(Tile { level: 0, index: 0 }.hash(&all[..256], outside).is_err());
    assert!(Tile { level: 1, index: 0 }.hash(&all[..256], outside).is_err());
}

proptest! {
    #[test]
    fn a_frontier_is_the_tree(size in 0_u64..2_000) {
        let all = leaves(size);
        let mut frontier = Frontier::new();
        for leaf in &all {
            frontier.push(*leaf).unwrap();
        }
        prop_assert_eq!(frontier.size(), size);
        prop_assert_eq!(frontier.root(), tree_hash(&all));
        prop_assert_eq!(Frontier::from_parts(size, frontier.peaks().to_vec()).unwrap(), frontier);
    }

    #[test]
    fn no_bit_of_a_proof_may_change(size in 2_u64..300, place in any::<prop::sample::Index>(), bit in any::<prop::sample::Index>(), old in any::<prop::sample::Index>()) {
        let all = leaves(size);
        let root = tree_hash(&all);
        let index = place.index(all.len());
        let flip = |path: &[Digest]| {
            let mut bytes: Vec<u8> = path.iter().flat_map(|digest| *digest.as_bytes()).collect();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes.as_chunks::<32>().0.iter().map(|bytes| Digest::from(*bytes)).collect::<Vec<_>>()
        };
        let proof = included(&all, index as u64);
        let flipped = InclusionProof::from_parts(index as u64, size, flip(proof.path()));
        prop_assert!(!flipped.verify(&all[index], &root));
        let old = old.index(all.len() - 1) as u64 + 1;
        let proof = consistent(&all, old);
        let old_root = tree_hash(&all[..usize::try_from(old).unwrap()]);
        let flipped = ConsistencyProof::from_parts(old, size, flip(proof.path()));
        prop_assert!(!flipped.verify(&old_root, &root));
        for path in [&proof.path()[1..], &[proof.path(), &[root]].concat()] {
            prop_assert!(!ConsistencyProof::from_parts(old, size, path.to_vec()).verify(&old_root, &root));
        }
    }
}
