//! Keys of subjects, from the store to the cache.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::data_key::{DataKey, Kcv};
use crate::error::{Error, ErrorKind, OpenError, Retry};
use crate::event::FieldEvent;
use crate::id::{KeyId, Purpose, SubjectId, TenantId};
use crate::kms::Kms;
use crate::messages::Messages;
use crate::store::{Insertion, SubjectKeyRecord, SubjectKeyState, SubjectKeyStore};
use crate::subject_keys::{SubjectContext, SubjectKeys};
use crate::tenant_keys::{KeySlot, LiveKey, SlotState, TenantKeys};
use crate::vault::flight::Boarding;
use crate::vault::{Vault, load};

/// A subject's key that was made, for the audit log.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SubjectKeyInfo {
    /// The tenant.
    pub tenant: TenantId,
    /// The subject.
    pub subject: SubjectId,
    /// The key's number.
    pub key: KeyId,
    /// The tenant's key that wraps it.
    pub wrapped_by: KeyId,
    /// Its check value.
    pub kcv: Kcv,
}

/// So many random numbers are tried for a new key. A tenant of 100,000 subjects needs a second one in 21,000 cases.
const NUMBERS_TRIED: usize = 8;

impl<K: Kms, S: SubjectKeyStore> Vault<K, S> {
    /// Makes a subject's key, wrapped by the tenant's active one without a call to the key management service. `None` if the
    /// subject has its key already, or if it was destroyed: who was forgotten does not come back under the same identifier.
    ///
    /// # Errors
    ///
    /// As [`tenant`](Self::tenant); [`ErrorKind::KeyDestroyed`](crate::ErrorKind::KeyDestroyed) if the tenant was shredded; a
    /// retryable error of the key store if the tenant's key was retired meanwhile.
    pub async fn provision_subject(
        &self,
        tenant: TenantId,
        subject: SubjectId,
    ) -> Result<Option<SubjectKeyInfo>, Error> {
        let keys = self.tenant(tenant).await?;
        let (by, wrapping) = keys.active(Purpose::Aead)?;
        let data_key = DataKey::generate()?;
        for _ in 0..NUMBERS_TRIED {
            if !self.store.load_subjects(tenant, &[subject]).await?.is_empty() {
                return Ok(None);
            }
            let mut random = [0; 4];
            getrandom::fill(&mut random).map_err(Error::randomness)?;
            let key = KeyId::of_subject(u32::from_be_bytes(random));
            let wrapped = SubjectContext { tenant, subject, key }.wrap(by, wrapping, &data_key)?;
            let kcv = data_key.kcv();
            let record = SubjectKeyRecord::new(tenant, subject, key, SubjectKeyState::Active(wrapped), kcv);
            let inserted = self.store.insert_subject(&record).await;
            if inserted.as_ref().is_err_and(Error::is_retryable) {
                // The wrapping key may be one that was replaced.
                self.cache.expire(tenant);
            }
            if inserted? == Insertion::Inserted {
                let info = SubjectKeyInfo { tenant, subject, key, wrapped_by: by, kcv };
                self.observer.observe(&FieldEvent::SubjectKeyCreated(info.clone()));
                return Ok(Some(info));
            }
        }
        Err(Error::store("no free number for the key of a subject was found", Retry::Later))
    }

    /// A subject's key: from the cache, or from the store and unwrapped by the tenant's key.
    ///
    /// # Errors
    ///
    /// As [`tenant`](Self::tenant); [`ErrorKind::NotProvisioned`](crate::ErrorKind::NotProvisioned) also if the subject has no
    /// key. A key that was destroyed or does not unwrap is no error here, but of what it is used for.
    pub async fn subject(&self, tenant: TenantId, subject: SubjectId) -> Result<SubjectKeys, Error> {
        let found = self.subjects(tenant, &[subject]).await?.remove(&subject);
        found.ok_or_else(|| Error::subject_not_provisioned(tenant))
    }

    /// The keys of those of the subjects that have one, for a page that shows many of them: what is not in the cache takes one
    /// query of the store, however many they are. Tasks that ask for the same subjects at the same time share it.
    ///
    /// # Errors
    ///
    /// As [`tenant`](Self::tenant).
    pub async fn subjects(
        &self,
        tenant: TenantId,
        subjects: &[SubjectId],
    ) -> Result<HashMap<SubjectId, SubjectKeys>, Error> {
        let keys = self.tenant(tenant).await?;
        // In one order, so that no two tasks wait for each other.
        let wanted: BTreeSet<SubjectId> = subjects.iter().copied().collect();
        let slots: Vec<_> =
            wanted.into_iter().map(|subject| (subject, self.subjects.slot((tenant, subject)).0)).collect();
        let mut found = HashMap::with_capacity(slots.len());
        let mut flights = Vec::new();
        for (subject, slot) in &slots {
            match slot.board(|| self.subjects.now()).await {
                Boarding::Ready(keys) => {
                    found.insert(*subject, SubjectKeys::new(keys, *subject));
                }
                Boarding::Failed(error) if error.kind() == ErrorKind::NotProvisioned => {}
                Boarding::Failed(error) => return Err(error),
                Boarding::Clear(flight) => flights.push((*subject, slot, flight)),
            }
        }
        if flights.is_empty() {
            return Ok(found);
        }
        let missing: Vec<SubjectId> = flights.iter().map(|(subject, ..)| *subject).collect();
        let loaded = self.load_subjects(tenant, keys, &missing).await;
        for (subject, slot, flight) in flights {
            let result = match &loaded {
                Ok((wrapping, records)) => records
                    .get(&subject)
                    .map(|record| unwrap(wrapping, record, slot.stale().as_ref()))
                    .ok_or_else(|| Error::subject_not_provisioned(tenant)),
                Err(error) => Err(error.clone()),
            };
            flight.land(&result, |started, keys| self.subjects.expiry(started, (tenant, subject), keys));
            match result {
                Ok(keys) => {
                    found.insert(subject, SubjectKeys::new(keys, subject));
                }
                Err(_) => self.subjects.forget_unless_ready((tenant, subject), slot),
            }
        }
        loaded.map(|_| found)
    }

    /// The records, and the tenant's keys: loaded anew if one of the records is wrapped by a key that is newer than they are.
    async fn load_subjects(
        &self,
        tenant: TenantId,
        keys: TenantKeys,
        subjects: &[SubjectId],
    ) -> Result<(TenantKeys, HashMap<SubjectId, SubjectKeyRecord>), Error> {
        let records = self.store.load_subjects(tenant, subjects).await?;
        let unknown = |record: &SubjectKeyRecord| match &record.state {
            SubjectKeyState::Active(wrapped) => keys.opening(wrapped.by).is_err_and(|error| error == OpenError::Failed),
            SubjectKeyState::Destroyed => false,
        };
        let keys = if records.iter().any(unknown) {
            self.cache.expire(tenant);
            self.tenant(tenant).await?
        } else {
            keys
        };
        Ok((keys, records.into_iter().map(|record| (record.subject, record)).collect()))
    }
}

/// A subject's key in memory. `previous` is what was cached before, whose message count goes on.
fn unwrap(keys: &TenantKeys, record: &SubjectKeyRecord, previous: Option<&TenantKeys>) -> TenantKeys {
    let (tenant, subject, id) = (keys.tenant(), record.subject, record.key);
    let state = match &record.state {
        SubjectKeyState::Active(wrapped) => match keys.opening(wrapped.by) {
            Ok(wrapping) => {
                let context = SubjectContext { tenant, subject, key: id };
                context.unwrap(wrapped, wrapping, record.kcv).map_or(SlotState::Unavailable(Retry::Never), |key| {
                    let messages = previous.and_then(|keys| load::counter(keys, id));
                    let messages = messages.unwrap_or_else(|| Arc::new(Messages::new(0)));
                    SlotState::Active(LiveKey::of_subject(key, subject, messages))
                })
            }
            Err(OpenError::Destroyed) => SlotState::Destroyed,
            Err(OpenError::KeyUnavailable { retryable: true }) => SlotState::Unavailable(Retry::Later),
            Err(_) => SlotState::Unavailable(Retry::Never),
        },
        SubjectKeyState::Destroyed => SlotState::Destroyed,
    };
    TenantKeys::new(tenant, vec![KeySlot { id, purpose: Purpose::Aead, state }], keys.nonces())
}
