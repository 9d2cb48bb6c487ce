//! A tenant's keys, exchanged while the system runs.

use crate::error::{Error, Retry};
use crate::event::FieldEvent;
use crate::id::{KeyId, Purpose, TenantId};
use crate::kms::Kms;
use crate::store::{KeyChange, KeyRecord, KeyRotation, KeyState};
use crate::vault::policy::RotationPolicy;
use crate::vault::{KeyInfo, Vault, kek};

/// Knows how many stored values a key has sealed, to keep a key that is needed from being retired.
pub trait KeyUses: Send + Sync {
    /// How many values or index tags of the tenant are of this key, those of transactions that are under way included.
    ///
    /// # Errors
    ///
    /// [`Error::store`] if they cannot be counted.
    fn count(&self, tenant: TenantId, purpose: Purpose, key: KeyId) -> impl Future<Output = Result<u64, Error>> + Send;
}

impl<K: Kms, S: KeyRotation> Vault<K, S> {
    /// The first step of a rotation: makes a key that opens but does not seal yet, so that every process knows it before
    /// the first value is sealed under it. If there is such a key already, that is returned.
    ///
    /// # Errors
    ///
    /// As [`provision`](Self::provision); [`ErrorKind::NotProvisioned`](crate::ErrorKind::NotProvisioned) if the tenant has no
    /// key of this purpose, and [`ErrorKind::KeyDestroyed`](crate::ErrorKind::KeyDestroyed) if it has none that seals.
    pub async fn add_key(&self, tenant: TenantId, purpose: Purpose) -> Result<KeyInfo, Error> {
        kek::check(&self.kms, &self.store).await?;
        loop {
            let records = self.store.load(tenant).await?;
            let of_purpose = || records.iter().filter(|record| record.purpose == purpose);
            let Some(active) = of_purpose().find(|record| matches!(record.state, KeyState::Active(_))) else {
                let destroyed = of_purpose().next().is_some();
                return Err(if destroyed {
                    Error::key_destroyed(tenant, purpose)
                } else {
                    Error::not_provisioned(tenant)
                });
            };
            if let Some(pending) = of_purpose().filter(|record| record.key > active.key).find_map(pending) {
                return Ok(pending);
            }
            let last = records.iter().map(|record| record.key).max().unwrap_or(active.key);
            let key = last.next().ok_or_else(|| Error::store("the tenant's key numbers are used up", Retry::Never))?;
            if let Some(created) = self.create(tenant, key, purpose, KeyState::DecryptOnly).await? {
                self.cache.expire(tenant);
                return Ok(created);
            }
        }
    }

    /// The second step: new values are sealed under this key from now on, and the one before it opens only. Other processes
    /// seal under the one before until their caches have expired.
    ///
    /// # Errors
    ///
    /// Those of the key store. That it is too soon is an answer.
    pub async fn promote(&self, tenant: TenantId, key: KeyId, policy: RotationPolicy) -> Result<KeyChange, Error> {
        let purpose = self.store.load(tenant).await?.into_iter().find(|record| record.key == key);
        let Some(KeyRecord { purpose, .. }) = purpose else { return Ok(KeyChange::WrongState) };
        let change = self.store.promote(tenant, key, policy.settled).await?;
        self.tell(tenant, change, || FieldEvent::KeyPromoted { tenant, key, purpose });
        Ok(change)
    }

    /// The fourth step, after the values were sealed anew: the key is to go. Refused with the count as long as values are
    /// of this key. A retired key still opens, so a value that a process with an older cache writes now is not lost.
    ///
    /// # Errors
    ///
    /// Those of the key store and of `uses`.
    pub async fn retire<U: KeyUses>(
        &self,
        tenant: TenantId,
        key: KeyId,
        uses: &U,
        policy: RotationPolicy,
    ) -> Result<KeyChange, Error> {
        if let Some(refusal) = self.refusal(tenant, key, uses, policy.quiet, is_decrypt_only).await? {
            return Ok(refusal);
        }
        let change = self.store.retire(tenant, key, policy.quiet).await?;
        self.tell(tenant, change, || FieldEvent::KeyRetired { tenant, key });
        Ok(change)
    }

    /// The last step: a retired key is destroyed after its quarantine. Refused with the count if a value has come after all: seal
    /// it anew, and try again.
    ///
    /// # Errors
    ///
    /// Those of the key store and of `uses`.
    pub async fn destroy_retired<U: KeyUses>(
        &self,
        tenant: TenantId,
        key: KeyId,
        uses: &U,
        policy: RotationPolicy,
    ) -> Result<KeyChange, Error> {
        if let Some(refusal) = self.refusal(tenant, key, uses, policy.quarantine, is_retired).await? {
            return Ok(refusal);
        }
        let change = self.store.destroy_retired(tenant, key, policy.quarantine).await?;
        self.tell(tenant, change, || FieldEvent::KeyDestroyed { tenant, key });
        Ok(change)
    }

    /// Why the key must stay. The age comes before the count: what is counted earlier does not say that nobody seals any more.
    async fn refusal<U: KeyUses>(
        &self,
        tenant: TenantId,
        key: KeyId,
        uses: &U,
        age: std::time::Duration,
        in_state: fn(&KeyState) -> bool,
    ) -> Result<Option<KeyChange>, Error> {
        let records = self.store.load(tenant).await?;
        let record = records.iter().find(|record| record.key == key && in_state(&record.state));
        let Some(record) = record else { return Ok(Some(KeyChange::WrongState)) };
        if self.store.state_age(tenant, key).await?.is_none_or(|now| now < age) {
            return Ok(Some(KeyChange::TooSoon));
        }
        let values = uses.count(tenant, record.purpose, key).await?;
        Ok((values > 0).then_some(KeyChange::InUse { values }))
    }

    fn tell(&self, tenant: TenantId, change: KeyChange, event: impl FnOnce() -> FieldEvent) {
        if change == KeyChange::Made {
            self.cache.expire(tenant);
            self.observer.observe(&event());
        }
    }
}

/// A key that was added and opens only.
fn pending(record: &KeyRecord) -> Option<KeyInfo> {
    let KeyState::DecryptOnly(wrapped) = &record.state else { return None };
    let KeyRecord { tenant, key, purpose, kcv, .. } = *record;
    Some(KeyInfo { tenant, key, purpose, kek: wrapped.kek.clone(), kcv })
}

const fn is_decrypt_only(state: &KeyState) -> bool {
    matches!(state, KeyState::DecryptOnly(_))
}

const fn is_retired(state: &KeyState) -> bool {
    matches!(state, KeyState::Retired(_))
}
