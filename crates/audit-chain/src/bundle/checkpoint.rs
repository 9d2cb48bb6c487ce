//! The line that ties a bundle to a signed checkpoint.

use serde_json::{Value, json};

use super::members::{Members, hexadecimal};
use crate::{ConsistencyProof, Digest, Error, Head, HeadProof, InclusionProof, Note, TenantHead, json::canonical};

/// A signed checkpoint, the proof that it commits to the tenant's head, and where the bundle ends before that head, the
/// proof that it lies on the way there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleCheckpoint {
    pub(super) note: Note,
    pub(super) proof: HeadProof,
    pub(super) extension: Option<ConsistencyProof>,
}

impl BundleCheckpoint {
    /// A checkpoint with the proof that it commits to a head of this tenant.
    #[must_use]
    pub const fn new(note: Note, proof: HeadProof) -> Self {
        Self { note, proof, extension: None }
    }

    /// For a bundle that ends before the head: the proof that the tree at its end is the beginning of the head's tree.
    #[must_use]
    pub fn extended_by(mut self, extension: ConsistencyProof) -> Self {
        self.extension = Some(extension);
        self
    }

    /// The head that the checkpoint is said to commit to.
    #[must_use]
    pub const fn head(&self) -> &TenantHead {
        self.proof.head()
    }

    /// Reads the line, for a bundle with this header.
    pub(super) fn read(members: &mut Members, bundle: &Head) -> Option<Self> {
        let mut head = members.object("head")?;
        let root = head.digest("root")?;
        let head = Head { seq: head.number("seq")?, hash: head.digest("hash")?, ..*bundle };
        let among = inclusion(members.object("among")?)?;
        let within = inclusion(members.object("within")?)?;
        let proof = HeadProof::from_parts(TenantHead { head, root }, among, members.digest("heads")?, within);
        let extension = match members.optional("extension") {
            None => None,
            Some(path) => {
                let path = Members::of(json!({"path": path}))?.digests("path")?;
                Some(ConsistencyProof::from_parts(bundle.seq, head.seq, path))
            }
        };
        Some(Self { note: members.text("note")?.parse().ok()?, proof, extension })
    }

    pub(super) fn write(&self) -> Result<String, Error> {
        let TenantHead { head, root } = self.proof.head();
        let mut line = json!({
            "type": "checkpoint",
            "note": self.note.to_string(),
            "head": {"seq": head.seq, "hash": head.hash.to_string(), "root": root.to_string()},
            "heads": self.proof.tenants_root().to_string(),
            "among": inclusion_value(self.proof.among()),
            "within": inclusion_value(self.proof.within()),
        });
        if let (Some(extension), Some(members)) = (&self.extension, line.as_object_mut()) {
            members.insert("extension".to_owned(), json!(hexadecimal(extension.path())));
        }
        canonical("checkpoint of a bundle", &line)
    }
}

fn inclusion(mut members: Members) -> Option<InclusionProof> {
    Some(InclusionProof::from_parts(members.number("index")?, members.number("size")?, members.digests("path")?))
}

fn inclusion_value(proof: &InclusionProof) -> Value {
    json!({"index": proof.index(), "size": proof.size(), "path": hexadecimal(proof.path())})
}

/// Whether a leaf has this number in the tree of a head.
pub(super) fn is_included(head: &TenantHead, seq: u64, path: &[Digest], leaf: &Digest) -> bool {
    let proof = |index| InclusionProof::from_parts(index, head.head.seq, path.to_vec());
    seq.checked_sub(1).is_some_and(|index| proof(index).verify(leaf, &head.root))
}
