//! A key store in memory.

mod rotation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::error::{Error, Retry};
use crate::id::{KekId, KeyId, Purpose, SubjectId, TenantId};
use crate::store::{
    Insertion, KekRecord, KeyRecord, KeyState, KeyStore, SubjectKeyRecord, SubjectKeyState, SubjectKeyStore,
    SubjectRewrap,
};

/// A key store for tests and demonstrations: its keys end with the process. Clones share their content.
#[derive(Clone, Debug, Default)]
pub struct MemoryKeyStore(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    keys: BTreeMap<(TenantId, KeyId), KeyRecord>,
    /// Since when each key has been in its state.
    since: BTreeMap<(TenantId, KeyId), Instant>,
    keks: BTreeMap<KekId, KekRecord>,
    subjects: BTreeMap<(TenantId, SubjectId), SubjectKeyRecord>,
    forgotten: BTreeSet<KekId>,
}

impl Content {
    fn refuse_forgotten(&self, kek: &KekId) -> Result<(), Error> {
        if self.forgotten.contains(kek) {
            return Err(Error::store("the key encryption key was forgotten", Retry::Never));
        }
        Ok(())
    }
}

impl MemoryKeyStore {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyStore for MemoryKeyStore {
    async fn load(&self, tenant: TenantId) -> Result<Vec<KeyRecord>, Error> {
        let content = self.content();
        Ok(content.keys.values().filter(|record| record.tenant == tenant).cloned().collect())
    }

    async fn insert(&self, record: &KeyRecord) -> Result<Insertion, Error> {
        let Some(wrapped) = record.state.wrapped() else {
            return Err(Error::store("a destroyed key cannot be added", Retry::Never));
        };
        let mut content = self.content();
        content.refuse_forgotten(&wrapped.kek)?;
        let blocks = |other: &KeyRecord| {
            other.tenant == record.tenant
                && (other.key == record.key || (other.purpose == record.purpose && both_active(other, record)))
        };
        if content.keys.values().any(blocks) {
            return Ok(Insertion::AlreadyPresent);
        }
        content.keys.insert((record.tenant, record.key), record.clone());
        content.since.insert((record.tenant, record.key), Instant::now());
        Ok(Insertion::Inserted)
    }

    async fn add_messages(&self, tenant: TenantId, key: KeyId, messages: u64) -> Result<u64, Error> {
        let mut content = self.content();
        let Some(record) = content.keys.get_mut(&(tenant, key)) else {
            return Err(Error::store(format!("tenant {tenant} has no key {key}"), Retry::Never));
        };
        record.messages = record.messages.saturating_add(messages);
        Ok(record.messages)
    }

    async fn keks(&self) -> Result<Vec<KekRecord>, Error> {
        Ok(self.content().keks.values().cloned().collect())
    }

    async fn insert_kek(&self, record: &KekRecord) -> Result<Insertion, Error> {
        let mut content = self.content();
        let kek = &record.canary.kek;
        if content.keks.contains_key(kek) || content.forgotten.contains(kek) {
            return Ok(Insertion::AlreadyPresent);
        }
        content.keks.insert(record.canary.kek.clone(), record.clone());
        Ok(Insertion::Inserted)
    }
}

impl SubjectKeyStore for MemoryKeyStore {
    async fn load_subjects(&self, tenant: TenantId, subjects: &[SubjectId]) -> Result<Vec<SubjectKeyRecord>, Error> {
        let content = self.content();
        Ok(subjects.iter().filter_map(|subject| content.subjects.get(&(tenant, *subject)).cloned()).collect())
    }

    async fn insert_subject(&self, record: &SubjectKeyRecord) -> Result<Insertion, Error> {
        let SubjectKeyState::Active(wrapped) = &record.state else {
            return Err(Error::store("a destroyed key cannot be added", Retry::Never));
        };
        let mut content = self.content();
        let wraps = content.keys.get(&(record.tenant, wrapped.by)).is_some_and(|key| {
            key.purpose == Purpose::Aead && matches!(key.state, KeyState::Active(_) | KeyState::DecryptOnly(_))
        });
        if !wraps {
            return Err(Error::store("the wrapping key is no longer in use", Retry::Later));
        }
        let owner = (record.tenant, record.subject);
        let blocks = |other: &SubjectKeyRecord| other.tenant == record.tenant && other.key == record.key;
        if content.subjects.contains_key(&owner) || content.subjects.values().any(blocks) {
            return Ok(Insertion::AlreadyPresent);
        }
        content.subjects.insert(owner, record.clone());
        Ok(Insertion::Inserted)
    }

    async fn subjects_to_rewrap(
        &self,
        tenant: TenantId,
        active: KeyId,
        after: Option<SubjectId>,
    ) -> Result<Vec<SubjectKeyRecord>, Error> {
        let due = |record: &&SubjectKeyRecord| {
            record.tenant == tenant
                && after.is_none_or(|after| record.subject > after)
                && matches!(&record.state, SubjectKeyState::Active(wrapped) if wrapped.by != active)
        };
        Ok(self.content().subjects.values().filter(due).take(Self::PAGE).cloned().collect())
    }

    async fn rewrap_subjects(&self, tenant: TenantId, changes: &[SubjectRewrap]) -> Result<u64, Error> {
        let mut content = self.content();
        let mut changed = 0;
        for change in changes {
            if let Some(record) = content.subjects.get_mut(&(tenant, change.subject))
                && matches!(&record.state, SubjectKeyState::Active(wrapped) if *wrapped == change.was)
            {
                record.state = SubjectKeyState::Active(change.becomes.clone());
                changed += 1;
            }
        }
        Ok(changed)
    }
}

const fn both_active(a: &KeyRecord, b: &KeyRecord) -> bool {
    matches!((&a.state, &b.state), (KeyState::Active(_), KeyState::Active(_)))
}
