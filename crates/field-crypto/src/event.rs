//! What happens to keys and sealed values, for logs, metrics and the audit trail.

use std::sync::Arc;

use crate::id::{KekId, KeyId, Purpose, TenantId};
use crate::vault::{KeyInfo, SubjectKeyInfo};

/// Learns what happens to keys and sealed values. Any `Fn(&FieldEvent)` is one, and `()` is one that ignores everything.
///
/// It is called on the task that does the work, after the change is stored: hand over to a channel what takes long.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn observe(&self, event: &FieldEvent);
}

/// Something that happened. No event carries a key or a value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum FieldEvent {
    /// A tenant's key was made.
    KeyCreated(KeyInfo),
    /// A subject's key was made.
    SubjectKeyCreated(SubjectKeyInfo),
    /// A key became the one that seals, and the one before it opens only.
    KeyPromoted {
        /// The tenant.
        tenant: TenantId,
        /// The key.
        key: KeyId,
        /// What it is for.
        purpose: Purpose,
    },
    /// A key was wrapped anew, under another key encryption key.
    KeyRewrapped {
        /// The tenant.
        tenant: TenantId,
        /// The key.
        key: KeyId,
        /// The key encryption key that wraps it now.
        kek: KekId,
    },
    /// No registered column held a value of the key any more, and it was retired.
    KeyRetired {
        /// The tenant.
        tenant: TenantId,
        /// The key.
        key: KeyId,
    },
    /// A retired key was destroyed.
    KeyDestroyed {
        /// The tenant.
        tenant: TenantId,
        /// The key.
        key: KeyId,
    },
    /// A batch of rows was sealed anew, or for the first time, and committed.
    RowsSealed {
        /// The tenant.
        tenant: TenantId,
        /// The table, as it was registered.
        table: &'static str,
        /// The column in the database.
        column: &'static str,
        /// The key that the rows are sealed under now.
        key: KeyId,
        /// How many rows of the batch were changed.
        rows: u64,
    },
}

impl Observer for () {
    fn observe(&self, _: &FieldEvent) {}
}

impl<F: Fn(&FieldEvent) + Send + Sync> Observer for F {
    fn observe(&self, event: &FieldEvent) {
        self(event);
    }
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &FieldEvent) {
        (**self).observe(event);
    }
}
