//! What is common to evidence of forgetting: an entry of the log that states how much is gone, and a root over what.

use serde_json::Value;

use crate::{Digest, Frontier, Record, format::tag};

/// Whether the entry states, under this action, exactly this many parts with this root.
pub(crate) fn states(record: &Record, action: &str, count: u64, root: Digest) -> bool {
    let stated = || serde_json::from_slice::<Value>(record.envelope().field(tag::AFTER)?).ok();
    record.envelope().field(tag::ACTION) == Some(action.as_bytes())
        && stated().is_some_and(|stated| {
            stated.get("count").and_then(Value::as_u64) == Some(count)
                && stated.get("root").and_then(Value::as_str) == Some(&root.to_string())
        })
}

/// The Merkle root (RFC 6962, section 2.1) over these leaves, in the order given.
pub(crate) fn root(leaves: impl IntoIterator<Item = Digest>) -> Digest {
    let mut tree = Frontier::new();
    for leaf in leaves {
        // A tree is full after 2^63 leaves, which nobody holds in memory.
        let _ = tree.push(leaf);
    }
    tree.root()
}
