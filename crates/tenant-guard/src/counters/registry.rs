//! The counters of every tenant, found without a lock.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use super::LiveTally;
use crate::tenant::TenantId;

const BUCKETS: usize = 1_024;

/// A hash table that only grows: looking up is a few atomic loads, and adding a tenant waits for no reader.
#[derive(Debug)]
pub(super) struct Registry {
    buckets: Box<[Link]>,
    hasher: RandomState,
}

type Link = OnceLock<Box<Node>>;

#[derive(Debug)]
struct Node {
    tenant: TenantId,
    tally: Arc<LiveTally>,
    next: Link,
}

impl Registry {
    pub(super) fn of(&self, tenant: TenantId) -> Arc<LiveTally> {
        let Some(mut link) = self.bucket(tenant) else {
            return Arc::default();
        };
        loop {
            let node = link.get_or_init(|| Box::new(Node { tenant, tally: Arc::default(), next: OnceLock::new() }));
            if node.tenant == tenant {
                return Arc::clone(&node.tally);
            }
            link = &node.next;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TenantId, &LiveTally)> {
        self.buckets
            .iter()
            .flat_map(|link| std::iter::successors(link.get(), |node| node.next.get()))
            .map(|node| (node.tenant, &*node.tally))
    }

    fn bucket(&self, tenant: TenantId) -> Option<&Link> {
        let buckets = u64::try_from(self.buckets.len()).ok()?;
        let index = self.hasher.hash_one(tenant).checked_rem(buckets)?;
        self.buckets.get(usize::try_from(index).ok()?)
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self { buckets: (0..BUCKETS).map(|_| OnceLock::new()).collect(), hasher: RandomState::new() }
    }
}
