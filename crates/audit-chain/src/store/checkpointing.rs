//! What the checkpointers of all databases say, and how they compare.

use uuid::Uuid;

use crate::{Digest, Error, Frontier, Head, Publication, Snapshot, TenantHead, TenantId, VerifierKey};

/// What a call of a checkpointer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checkpointing {
    /// A checkpoint was signed, stored and published.
    Published(Publication),
    /// Nothing was sealed since the last one, which is this.
    Unchanged(Publication),
    /// Another checkpointer is at work.
    Standby,
    /// The log is not a continuation of what was signed. Nothing was signed. Somebody should look now.
    Refused(Vec<Refusal>),
}

/// Why no checkpoint was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whose chain it is about; `None` for the checkpoints themselves.
    pub tenant: Option<TenantId>,
    /// What it is.
    pub reason: RefusalReason,
}

/// What contradicts the last checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The tenant of `kept` signed entries has no chain any more.
    TenantGone {
        /// The number of the signed head.
        kept: u64,
    },
    /// The tenant's chain has another identity: it was deleted and begun again.
    BegunAnew {
        /// The number of the signed head.
        kept: u64,
    },
    /// The chain ends before the signed head.
    Truncated {
        /// The number of the stored head.
        seq: u64,
        /// The number of the signed head.
        kept: u64,
    },
    /// The link at the signed head is another or gone.
    Replaced {
        /// The number of the signed head.
        kept: u64,
    },
    /// The leaves or tiles up to the signed head do not have the signed root any more.
    TreeAltered {
        /// The number of the signed head.
        kept: u64,
    },
    /// The links after the signed head do not lead to the stored head; this is the first that does not follow.
    Broken {
        /// Its number.
        seq: u64,
    },
    /// What the anchor holds was not signed by this key, or is not what was signed.
    AnchorInvalid,
    /// The anchor holds less than was published: it was set back, or is another one.
    AnchorBehind {
        /// The size of the last checkpoint that the database holds.
        stored: u64,
    },
    /// The anchor and the database hold different checkpoints of the same log.
    Forked {
        /// Their size.
        size: u64,
    },
}

/// The checkpoint to go on from: the anchored one, or the one that was signed after it and not published.
pub(crate) fn continues<'a>(
    key: &VerifierKey,
    anchored: Option<&'a Publication>,
    stored: Option<&'a Publication>,
) -> Result<Option<&'a Publication>, RefusalReason> {
    let valid = anchored.map(|anchored| anchored.open(key).ok_or(RefusalReason::AnchorInvalid)).transpose()?;
    let at = valid.as_ref().map_or(0, |valid| valid.checkpoint().size());
    let Some(stored) = stored.filter(|stored| stored.size() >= at) else { return Ok(anchored) };
    let size = stored.size();
    if size > at.saturating_add(1) {
        return Err(RefusalReason::AnchorBehind { stored: size });
    }
    if size == at {
        let same = anchored.is_some_and(|anchored| anchored.note().text() == stored.note().text());
        return if same { Ok(anchored) } else { Err(RefusalReason::Forked { size }) };
    }
    let follows = stored.open(key).is_some_and(|pending| pending.previous() == valid.map(|valid| *valid.hash()));
    if follows { Ok(Some(stored)) } else { Err(RefusalReason::Forked { size }) }
}

/// What can be said of a chain from its two heads alone; `None` if its links have to say it.
pub(crate) fn compare(old: &TenantHead, now: Head) -> Option<Result<TenantHead, RefusalReason>> {
    let kept = old.head.seq;
    if old.head.chain != now.chain {
        return Some(Err(RefusalReason::BegunAnew { kept }));
    }
    if now.seq < kept {
        return Some(Err(RefusalReason::Truncated { seq: now.seq, kept }));
    }
    if now.seq == kept {
        return Some(if now.hash == old.head.hash { Ok(*old) } else { Err(RefusalReason::Replaced { kept }) });
    }
    None
}

/// The way along a chain, link by link.
pub(crate) struct Following {
    pub(crate) at: Head,
    pub(crate) tree: Frontier,
}

impl Following {
    pub(crate) fn from_genesis(now: Head) -> Self {
        Self { at: Head::genesis(now.tenant, now.chain), tree: Frontier::new() }
    }

    /// Takes the next link, with `prev`, `leaf` and `hash` as they are stored, and says which number does not follow.
    pub(crate) fn take(
        &mut self,
        seq: i64,
        entry_id: Uuid,
        [prev, leaf, hash]: [Option<Digest>; 3],
    ) -> Result<Result<(), u64>, Error> {
        let (before, next) = (self.at.hash, self.at.seq.saturating_add(1));
        let Some(leaf) = leaf else { return Ok(Err(next)) };
        let link = self.at.append(entry_id, leaf)?;
        self.tree.push(leaf)?;
        let stored = (seq.cast_unsigned(), prev, hash);
        Ok(if stored == (link.seq, Some(before), Some(link.hash)) { Ok(()) } else { Err(next) })
    }
}

/// The snapshot of these heads, unless something is refused or a tenant of the one before is gone.
pub(crate) fn conclude(
    before: &Snapshot,
    heads: Vec<TenantHead>,
    mut refusals: Vec<Refusal>,
) -> Result<Result<Snapshot, Vec<Refusal>>, Error> {
    let snapshot = Snapshot::new(heads)?;
    let gone = |old: &&TenantHead| {
        let tenant = old.head.tenant;
        snapshot.head(tenant).is_none() && refusals.iter().all(|refusal| refusal.tenant != Some(tenant))
    };
    let gone: Vec<_> = before.heads().iter().filter(gone).map(gone_tenant).collect();
    refusals.extend(gone);
    Ok(if refusals.is_empty() { Ok(snapshot) } else { Err(refusals) })
}

const fn gone_tenant(old: &TenantHead) -> Refusal {
    Refusal { tenant: Some(old.head.tenant), reason: RefusalReason::TenantGone { kept: old.head.seq } }
}
