//! Rotation of keys in memory.

use std::ops::Bound;
use std::time::{Duration, Instant};

use crate::data_key::WrappedKey;
use crate::error::Error;
use crate::id::{KekId, KeyId, TenantId};
use crate::store::memory::{Content, MemoryKeyStore};
use crate::store::{KekRemoval, KeyChange, KeyRecord, KeyRotation, KeyState, SubjectKeyRecord, SubjectKeyState};

impl Content {
    /// Changes the state of a key that is in the right one, and has been for long enough.
    fn change(
        &mut self,
        id: (TenantId, KeyId),
        age: Duration,
        next: impl FnOnce(&KeyState) -> Option<KeyState>,
    ) -> KeyChange {
        let Some(record) = self.keys.get_mut(&id) else { return KeyChange::WrongState };
        let Some(state) = next(&record.state) else { return KeyChange::WrongState };
        let since = self.since.entry(id).or_insert_with(Instant::now);
        if since.elapsed() < age {
            return KeyChange::TooSoon;
        }
        record.state = state;
        *since = Instant::now();
        KeyChange::Made
    }
}

impl KeyRotation for MemoryKeyStore {
    async fn state_age(&self, tenant: TenantId, key: KeyId) -> Result<Option<Duration>, Error> {
        Ok(self.content().since.get(&(tenant, key)).map(Instant::elapsed))
    }

    async fn promote(&self, tenant: TenantId, key: KeyId, settled: Duration) -> Result<KeyChange, Error> {
        let mut content = self.content();
        let Some(purpose) = content.keys.get(&(tenant, key)).map(|record| record.purpose) else {
            return Ok(KeyChange::WrongState);
        };
        let change = content.change((tenant, key), settled, |state| match state {
            KeyState::DecryptOnly(wrapped) => Some(KeyState::Active(wrapped.clone())),
            _ => None,
        });
        if change == KeyChange::Made {
            let active = |record: &&KeyRecord| {
                (record.tenant, record.purpose) == (tenant, purpose)
                    && record.key != key
                    && matches!(record.state, KeyState::Active(_))
            };
            let before = content.keys.values().find(active).map(|record| record.key);
            if let Some(before) = before {
                let _ = content.change((tenant, before), Duration::ZERO, |state| match state {
                    KeyState::Active(wrapped) => Some(KeyState::DecryptOnly(wrapped.clone())),
                    _ => None,
                });
            }
        }
        Ok(change)
    }

    async fn retire(&self, tenant: TenantId, key: KeyId, quiet: Duration) -> Result<KeyChange, Error> {
        let mut content = self.content();
        let wraps = |record: &SubjectKeyRecord| {
            record.tenant == tenant && matches!(&record.state, SubjectKeyState::Active(wrapped) if wrapped.by == key)
        };
        if content.subjects.values().any(wraps) {
            return Ok(KeyChange::WrapsSubjects);
        }
        Ok(content.change((tenant, key), quiet, |state| match state {
            KeyState::DecryptOnly(wrapped) => Some(KeyState::Retired(wrapped.clone())),
            _ => None,
        }))
    }

    async fn destroy_retired(&self, tenant: TenantId, key: KeyId, quarantine: Duration) -> Result<KeyChange, Error> {
        Ok(self.content().change((tenant, key), quarantine, |state| match state {
            KeyState::Retired(_) => Some(KeyState::Destroyed),
            _ => None,
        }))
    }

    async fn wrapped_otherwise(
        &self,
        kek: &KekId,
        after: Option<(TenantId, KeyId)>,
        limit: u32,
    ) -> Result<Vec<KeyRecord>, Error> {
        let content = self.content();
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let others = content.keys.range((from, Bound::Unbounded)).map(|(_, record)| record);
        let others = others.filter(|record| record.state.wrapped().is_some_and(|wrapped| wrapped.kek != *kek));
        Ok(others.take(usize::try_from(limit).unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn rewrap(
        &self,
        tenant: TenantId,
        key: KeyId,
        before: &WrappedKey,
        after: &WrappedKey,
    ) -> Result<KeyChange, Error> {
        let mut content = self.content();
        content.refuse_forgotten(&after.kek)?;
        let wrapped = content.keys.get_mut(&(tenant, key)).and_then(|record| record.state.wrapped_mut());
        Ok(match wrapped {
            Some(wrapped) if wrapped == before => {
                *wrapped = after.clone();
                KeyChange::Made
            }
            _ => KeyChange::WrongState,
        })
    }

    async fn forget_kek(&self, kek: &KekId) -> Result<KekRemoval, Error> {
        let mut content = self.content();
        let wraps = |record: &&KeyRecord| record.state.wrapped().is_some_and(|wrapped| wrapped.kek == *kek);
        let keys = content.keys.values().filter(wraps).count();
        if keys > 0 {
            return Ok(KekRemoval::InUse { keys: u64::try_from(keys).unwrap_or(u64::MAX) });
        }
        Ok(match content.keks.remove(kek) {
            Some(_) => {
                content.forgotten.insert(kek.clone());
                KekRemoval::Forgotten
            }
            None => KekRemoval::Unknown,
        })
    }
}
