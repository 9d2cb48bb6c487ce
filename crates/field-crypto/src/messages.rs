//! How many messages a key has sealed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::Error;
use crate::id::{KeyId, TenantId};
use crate::store::KeyStore;

/// Under random 96-bit nonces a key may seal 2^32 messages: then a nonce has repeated with a probability of about 2^-33
/// (NIST SP 800-38D, section 8.3). The count is per tenant key, although each of its columns has a key of its own.
const LIMIT: u64 = 1 << 32;
/// From here on a key should be replaced.
const ROTATION_DUE: u64 = 1 << 31;
/// So many messages are counted in memory before the store learns of them.
const RECORDED_EVERY: u64 = 1 << 16;

/// The count of one key: what the store knows of, and what it does not know yet.
#[derive(Debug)]
pub(crate) struct Messages {
    recorded: AtomicU64,
    unrecorded: AtomicU64,
    recording: tokio::sync::Mutex<()>,
}

impl Messages {
    pub(crate) const fn new(recorded: u64) -> Self {
        Self {
            recorded: AtomicU64::new(recorded),
            unrecorded: AtomicU64::new(0),
            recording: tokio::sync::Mutex::const_new(()),
        }
    }

    /// Counts messages that are about to be sealed, or refuses all of them.
    #[inline]
    pub(crate) fn count(&self, key: KeyId, messages: u64) -> Result<(), Error> {
        let unrecorded = self.unrecorded.fetch_add(messages, Ordering::Relaxed);
        let before = self.recorded.load(Ordering::Relaxed).saturating_add(unrecorded);
        if before.saturating_add(messages) <= LIMIT {
            return Ok(());
        }
        self.unrecorded.fetch_sub(messages, Ordering::Relaxed);
        Err(Error::key_exhausted(key))
    }

    pub(crate) fn rotation_is_due(&self) -> bool {
        let unrecorded = self.unrecorded.load(Ordering::Relaxed);
        self.recorded.load(Ordering::Relaxed).saturating_add(unrecorded) >= ROTATION_DUE
    }

    pub(crate) fn recording_is_due(&self) -> bool {
        self.unrecorded.load(Ordering::Relaxed) >= RECORDED_EVERY
    }

    /// Learns what the store knows, from a fresh load.
    pub(crate) fn learn(&self, recorded: u64) {
        self.recorded.fetch_max(recorded, Ordering::Relaxed);
    }

    /// Tells the store. When it is interrupted, messages may be counted twice, never not at all.
    pub(crate) async fn record<S: KeyStore>(&self, store: &S, tenant: TenantId, key: KeyId) -> Result<(), Error> {
        let _recording = self.recording.lock().await;
        let unrecorded = self.unrecorded.load(Ordering::Relaxed);
        if unrecorded > 0 {
            let recorded = store.add_messages(tenant, key, unrecorded).await?;
            self.learn(recorded);
            self.unrecorded.fetch_sub(unrecorded, Ordering::Relaxed);
        }
        Ok(())
    }
}
