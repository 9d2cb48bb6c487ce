use chrono::DateTime;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{Actor, ChainId, Content, Entry, Finding, Head, Link, LocalSigner, Record, Verifier};

const NAME: &str = "example.com/audit";

fn signer() -> LocalSigner {
    LocalSigner::from_seed(NAME, &[7; 32]).unwrap()
}

fn tenant(number: u128) -> TenantId {
    Uuid::from_u128(number).into()
}

/// A chain in memory, with the tree over its leaves.
struct Chain {
    head: Head,
    tree: Frontier,
    log: Vec<(Link, Record)>,
}

impl Chain {
    fn of(tenant: TenantId, entries: u64) -> Self {
        let mut chain =
            Self { head: Head::genesis(tenant, ChainId::random().unwrap()), tree: Frontier::new(), log: Vec::new() };
        chain.grow(entries);
        chain
    }

    fn grow(&mut self, entries: u64) {
        for number in 0..entries {
            let entry = Entry::new(self.head.tenant, Actor::system("import"), "a").entity("n", number);
            let record = entry.record_at(DateTime::UNIX_EPOCH).unwrap();
            self.log.push((self.head.append(record.entry_id(), record.leaf()).unwrap(), record));
            self.tree.push(self.log.last().unwrap().0.leaf).unwrap();
        }
    }

    fn tenant_head(&self) -> TenantHead {
        TenantHead { head: self.head, root: self.tree.root() }
    }

    fn findings(&self, kept: &ProvenHead) -> Vec<Finding> {
        let mut verifier = Verifier::new(self.head.tenant, Some(self.head)).kept_checkpoint(kept);
        for (link, record) in &self.log {
            verifier.check(link, Content::Record(record));
        }
        verifier.finish().verdicts().iter().map(|verdict| verdict.finding.clone()).collect()
    }
}

use crate::ProvenHead;

fn snapshot<'a>(chains: impl IntoIterator<Item = &'a Chain>) -> Snapshot {
    Snapshot::new(chains.into_iter().map(Chain::tenant_head)).unwrap()
}

/// A chain of publications, of which each has these tenants.
async fn published(chains: &[Chain], count: usize) -> Publication {
    let mut last = Publication::sign(None, snapshot(chains), &signer()).await.unwrap();
    for _ in 1..count {
        last = Publication::sign(Some(&last), snapshot(chains), &signer()).await.unwrap();
    }
    last
}

#[tokio::test]
async fn every_tenant_proves_its_head_and_only_that() {
    for tenants in 1..12 {
        let chains: Vec<_> = (0..tenants).map(|number| Chain::of(tenant(number), 1)).collect();
        let publication = published(&chains, usize::try_from(tenants).unwrap()).await;
        let signed = publication.open(signer().key()).unwrap();
        for chain in &chains {
            let proof = publication.prove_head(chain.head.tenant).unwrap().unwrap();
            let proven = proof.verify(&signed).unwrap();
            assert_eq!((proven.head(), proven.checkpoint()), (&chain.tenant_head(), publication.size()));
            for forged in [
                TenantHead { root: Digest::leaf(b""), ..chain.tenant_head() },
                TenantHead { head: Head { seq: 0, ..chain.head }, ..chain.tenant_head() },
                TenantHead { head: Head { tenant: tenant(99), ..chain.head }, ..chain.tenant_head() },
                TenantHead { head: Head { chain: ChainId::from(Uuid::nil()), ..chain.head }, ..chain.tenant_head() },
            ] {
                let among = proof.among().clone();
                let forged = HeadProof::from_parts(forged, among, *proof.tenants_root(), proof.within().clone());
                assert_eq!(forged.verify(&signed), None);
            }
            // Nor against another checkpoint.
            let later = Publication::sign(Some(&publication), snapshot(&chains), &signer()).await.unwrap();
            assert_eq!(proof.verify(&later.open(signer().key()).unwrap()), None);
        }
        assert_eq!(publication.prove_head(tenant(99)).unwrap(), None);
    }
}

#[tokio::test]
async fn a_publication_is_what_was_signed_and_nothing_else() {
    let chains = [Chain::of(tenant(1), 2), Chain::of(tenant(2), 3)];
    let publication = published(&chains, 3).await;
    let key = signer();
    let text = publication.to_string();
    assert_eq!(text.lines().count(), 1);
    let read: Publication = text.parse().unwrap();
    assert_eq!(read, publication);
    assert!(read.open(key.key()).is_some());

    let with = |note: Note, before: Frontier, snapshot: Snapshot| {
        Publication::from_parts(note, before, snapshot).open(key.key()).is_some()
    };
    let (note, before, heads) =
        (publication.note().clone(), publication.before().clone(), publication.snapshot().clone());
    assert!(with(note.clone(), before.clone(), heads.clone()));
    assert!(!with(note.clone(), before.clone(), snapshot(&chains[..1])), "a tenant was left out");
    assert!(!with(note.clone(), Frontier::new(), heads.clone()), "another log before it");
    assert!(!with(Note::new(note.text()).unwrap(), before.clone(), heads.clone()), "nobody signed");
    let stranger = LocalSigner::from_seed(NAME, &[8; 32]).unwrap();
    assert!(publication.open(stranger.key()).is_none(), "another key of this name");
    // A key speaks for the log of its own name only.
    let other = LocalSigner::from_seed("example.com/other", &[7; 32]).unwrap();
    let mut foreign = Note::new(note.text()).unwrap();
    foreign.sign(&other).await.unwrap();
    assert!(SignedCheckpoint::open(&foreign, other.key()).is_none());
}

#[tokio::test]
async fn checkpoints_are_a_chain_and_a_log() {
    let mut chains = vec![Chain::of(tenant(1), 2)];
    let mut last = published(&chains, 1).await;
    assert_eq!(last.open(signer().key()).unwrap().previous(), None);
    for number in 2..9 {
        chains.push(Chain::of(tenant(number), 1));
        let next = Publication::sign(Some(&last), snapshot(&chains), &signer()).await.unwrap();
        let (old, new) = (last.open(signer().key()).unwrap(), next.open(signer().key()).unwrap());
        assert_eq!(new.previous(), Some(*old.hash()));
        assert!(next.prove_extension().unwrap().verify(&old.checkpoint().root(), &new.checkpoint().root()));
        assert!(!next.prove_extension().unwrap().verify(&Digest::leaf(b""), &new.checkpoint().root()));
        last = next;
    }
}

#[tokio::test]
async fn a_history_written_anew_contradicts_a_signed_checkpoint() {
    let mut honest = Chain::of(tenant(1), 5);
    let publication = published(std::slice::from_ref(&honest), 2).await;
    let kept = publication.prove_head(tenant(1)).unwrap().unwrap();
    let kept = kept.verify(&publication.open(signer().key()).unwrap()).unwrap();
    honest.grow(3);
    assert_eq!(honest.findings(&kept), []);
    assert_eq!(Chain::of(tenant(1), 8).findings(&kept), [Finding::HistoryReplaced]);
    assert_eq!(Chain::of(tenant(1), 3).findings(&kept), [Finding::Truncated { kept: 5 }]);
}

#[tokio::test]
async fn a_signed_root_that_is_not_over_the_leaves_is_found() {
    let mut chain = Chain::of(tenant(1), 5);
    chain.tree = Frontier::new();
    let publication = published(std::slice::from_ref(&chain), 1).await;
    let kept = publication.prove_head(tenant(1)).unwrap().unwrap();
    let kept = kept.verify(&publication.open(signer().key()).unwrap()).unwrap();
    assert_eq!(chain.findings(&kept), [Finding::TreeMismatch]);
}

#[test]
fn a_head_extends_an_older_one_of_the_same_chain() {
    let mut chain = Chain::of(tenant(1), 5);
    let old = chain.tenant_head();
    chain.grow(6);
    let new = chain.tenant_head();
    let levels = crate::merkle::Levels::new(chain.log.iter().map(|(link, _)| link.leaf).collect());
    let proof = ConsistencyProof::new(5, 11, |node| levels.hash(node)).unwrap();
    assert!(new.extends(&old, &proof));
    assert!(!old.extends(&new, &proof));
    assert!(!Chain::of(tenant(1), 11).tenant_head().extends(&old, &proof), "another chain");
    let renamed = TenantHead { head: Head { chain: ChainId::random().unwrap(), ..new.head }, ..new };
    assert!(!renamed.extends(&old, &proof), "begun anew");
    let other = TenantHead { head: Head { hash: Digest::leaf(b""), ..old.head }, ..old };
    let same = ConsistencyProof::from_parts(5, 5, Vec::new());
    assert!(old.extends(&old, &same) && !other.extends(&old, &same), "two hashes of one number");
}

#[test]
fn a_tenant_has_one_head() {
    let head = Chain::of(tenant(1), 1).tenant_head();
    assert!(Snapshot::new([head, head]).is_err());
    assert_eq!(Snapshot::new([]).unwrap().root(), Frontier::new().root());
}

proptest! {
    #[test]
    fn no_bit_of_a_head_or_its_proof_may_change(tenants in 2_usize..9, bit in any::<prop::sample::Index>()) {
        let chains: Vec<_> = (0..tenants).map(|number| Chain::of(tenant(number as u128), 1)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let publication = runtime.block_on(published(&chains, tenants));
        let signed = publication.open(signer().key()).unwrap();
        let proof = publication.prove_head(tenant(0)).unwrap().unwrap();
        let mut bytes = proof.head().to_bytes().to_vec();
        let (among, within) = (proof.among().path().len(), proof.within().path().len());
        for digest in proof.among().path().iter().chain([proof.tenants_root()]).chain(proof.within().path()) {
            bytes.extend(digest.as_bytes());
        }
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (head, rest) = bytes.split_first_chunk::<104>().unwrap();
        let rest: Vec<_> = rest.as_chunks::<32>().0.iter().map(|bytes| Digest::from(*bytes)).collect();
        let flipped = HeadProof::from_parts(
            TenantHead::from_bytes(head).unwrap(),
            InclusionProof::from_parts(0, tenants as u64, rest[..among].to_vec()),
            rest[among],
            InclusionProof::from_parts(proof.within().index(), proof.within().size(), rest[among + 1..][..within].to_vec()),
        );
        prop_assert_eq!(flipped.verify(&signed), None);
    }

    #[test]
    fn reading_never_panics(text in "\\PC{0,40}|\\{\"note\":\"[a\\\\n—]{0,9}\",\"size\":[0-9]{1,20},\"log\":\\[\\],\"heads\":\\[\"[A-Za-z]{0,8}\"\\]\\}") {
        let _ = text.parse::<Publication>();
    }
}
