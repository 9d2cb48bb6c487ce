//! What was kept elsewhere, against the chain that is here.

use uuid::Uuid;

use crate::{Digest, Finding, Frontier, Head, Link, Loss, record::RecordView};

/// A number and an entry.
pub(super) type At = (Option<u64>, Option<Uuid>);

/// A kept head, and what the walk has seen of it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) head: Head,
    /// The tree so far, and the root that it must have at the kept head.
    tree: Option<(Frontier, Digest)>,
    seen: bool,
    loss: Option<Loss>,
    /// The loss is stated by an entry of this chain.
    stated: bool,
    /// The kept hash is not here; where.
    replaced: Option<(u64, Option<Uuid>)>,
}

impl Kept {
    pub(super) const fn new(head: Head) -> Self {
        Self { head, tree: None, seen: head.seq == 0, loss: None, stated: false, replaced: None }
    }

    #[cfg(feature = "checkpoint")]
    pub(super) fn with_root(head: Head, root: Digest) -> Self {
        Self { tree: Some((Frontier::new(), root)), ..Self::new(head) }
    }

    /// Takes a loss that excuses the kept head, if it is about exactly this one.
    pub(super) fn accept(&mut self, loss: Loss) {
        if (loss.through, loss.hash) == (self.head.seq, self.head.hash) && loss.after < loss.through {
            self.loss = Some(loss);
        }
    }

    /// The next link of the walk. Says so if the tree does not have the signed root.
    pub(super) fn cross(&mut self, link: &Link, computed: &Digest) -> Option<Finding> {
        // Of a walk that begins later, or over a gap, there is no tree to compare.
        self.tree.take_if(|(tree, _)| tree.size().checked_add(1) != Some(link.seq));
        let pushed = self.tree.as_mut().is_none_or(|(tree, _)| tree.push(link.leaf).is_ok());
        if link.seq != self.head.seq {
            return None;
        }
        self.seen = true;
        let tree = self.tree.take();
        if self.head.hash != link.hash || self.head.hash != *computed {
            self.replaced = Some((link.seq, Some(link.entry_id)));
            return None;
        }
        let agrees = pushed && tree.is_none_or(|(tree, root)| tree.root() == root);
        (!agrees).then_some(Finding::TreeMismatch)
    }

    /// The walk begins with the kept head, or behind it. Says so if the kept one is another.
    pub(super) fn begin(&mut self, seq: u64, hash: &Digest) -> Option<Finding> {
        self.seen |= seq >= self.head.seq;
        (seq == self.head.seq && *hash != self.head.hash).then_some(Finding::HistoryReplaced)
    }

    /// An entry of the walk that is what its link says.
    pub(super) fn read(&mut self, link: &Link, record: &RecordView<'_>) {
        let stated = self.loss.is_some_and(|loss| {
            loss.entry_id == link.entry_id && link.seq > loss.after && Loss::stated(record) == Some(loss)
        });
        self.stated |= stated;
    }

    /// What contradicts the kept head, or how many entries were lost that an accepted statement names.
    pub(super) fn settle(self, end: u64, head: Option<Head>) -> Result<u64, (At, Finding)> {
        let kept = self.head;
        let same_chain = head.is_some_and(|head| (head.tenant, head.chain) == (kept.tenant, kept.chain));
        let found = if let Some((seq, entry_id)) = self.replaced {
            ((Some(seq), entry_id), Finding::HistoryReplaced)
        } else if kept.seq > end {
            ((Some(end), None), Finding::Truncated { kept: kept.seq })
        } else if !same_chain || !self.seen {
            ((Some(kept.seq), None), Finding::HistoryReplaced)
        } else {
            return Ok(0);
        };
        let loss = self.loss.filter(|_| self.stated).ok_or(found)?;
        Ok(loss.through.saturating_sub(loss.after))
    }
}
