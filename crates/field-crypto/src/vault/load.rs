//! From the store to keys that work.

use std::sync::Arc;

use crate::data_key::{DataKey, WrappedKey};
use crate::error::{Error, Retry};
use crate::id::{KeyId, TenantId};
use crate::kms::{Kms, WrapContext};
use crate::messages::Messages;
use crate::store::{KeyRecord, KeyState, KeyStore};
use crate::tenant_keys::{KeySlot, LiveKey, SlotState, TenantKeys};
use crate::vault::Vault;

impl<K: Kms, S: KeyStore> Vault<K, S> {
    /// Loads a tenant's keys. `previous` are its expired keys, whose message counts go on.
    pub(crate) async fn load(&self, tenant: TenantId, previous: Option<TenantKeys>) -> Result<TenantKeys, Error> {
        if let Some(previous) = &previous {
            // What is not recorded now stays counted in memory.
            let _ = self.record(previous).await;
        }
        let records = self.store.load(tenant).await?;
        if records.is_empty() {
            return Err(Error::not_provisioned(tenant));
        }
        let mut slots = Vec::with_capacity(records.len());
        for record in records {
            let messages = messages(&record, previous.as_ref());
            let state = match &record.state {
                KeyState::Active(wrapped) => {
                    SlotState::Active(LiveKey::new(self.unwrap(tenant, &record, wrapped).await?, messages))
                }
                KeyState::DecryptOnly(wrapped) | KeyState::Retired(wrapped) => {
                    match self.unwrap(tenant, &record, wrapped).await {
                        Ok(key) => SlotState::DecryptOnly(LiveKey::new(key, messages)),
                        Err(error) if error.is_retryable() => SlotState::Unavailable(Retry::Later),
                        Err(_) => SlotState::Unavailable(Retry::Never),
                    }
                }
                KeyState::Destroyed => SlotState::Destroyed,
            };
            slots.push(KeySlot { id: record.key, purpose: record.purpose, state });
        }
        Ok(TenantKeys::new(tenant, slots))
    }

    /// Tells the store what the keys have sealed.
    pub(crate) async fn record(&self, keys: &TenantKeys) -> Result<(), Error> {
        for slot in keys.slots() {
            if let Some(key) = slot.state.live() {
                key.messages().record(&self.store, keys.tenant(), slot.id).await?;
            }
        }
        Ok(())
    }

    /// Unwraps a key in the context of the tenant that was asked for, whatever the record says, and checks that it is
    /// the key that was once stored under this number.
    pub(crate) async fn unwrap(
        &self,
        tenant: TenantId,
        record: &KeyRecord,
        wrapped: &WrappedKey,
    ) -> Result<DataKey, Error> {
        let context = WrapContext::TenantKey { tenant, key: record.key, purpose: record.purpose };
        let key = self.kms.unwrap(context, wrapped).await?;
        if key.kcv() == record.kcv { Ok(key) } else { Err(Error::key_rejected()) }
    }
}

pub(crate) fn recording_is_due(slot: &KeySlot) -> bool {
    slot.state.live().is_some_and(|key| key.messages().recording_is_due())
}

/// The key's counter: the one that is there, so that handles from before the load count on the same.
fn messages(record: &KeyRecord, previous: Option<&TenantKeys>) -> Arc<Messages> {
    let known = previous.and_then(|keys| counter(keys, record.key));
    known.map_or_else(
        || Arc::new(Messages::new(record.messages)),
        |messages| {
            messages.learn(record.messages);
            messages
        },
    )
}

pub(crate) fn counter(keys: &TenantKeys, id: KeyId) -> Option<Arc<Messages>> {
    let slot = keys.slots().iter().find(|slot| slot.id == id)?;
    Some(Arc::clone(slot.state.live()?.messages()))
}
