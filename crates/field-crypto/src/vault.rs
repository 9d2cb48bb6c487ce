//! The keeper of all tenants' keys.

mod cache;
mod clock;
mod flight;
mod kek;
mod load;
mod policy;
mod rewrap;
mod rewrap_subjects;
mod rotate;
mod subjects;

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use self::cache::Cache;
pub use self::cache::CachePolicy;
pub use self::clock::{Clock, ManualClock, SystemClock};
use self::flight::Boarding;
pub use self::policy::RotationPolicy;
pub use self::rewrap::{RewrapFailure, RewrapReport};
pub use self::rewrap_subjects::SubjectsRewrapped;
pub use self::rotate::KeyUses;
pub use self::subjects::SubjectKeyInfo;
use crate::data_key::{DataKey, Kcv, WrappedKey};
use crate::error::{Error, Retry};
use crate::event::{FieldEvent, Observer};
use crate::id::{KekId, KeyId, Purpose, SubjectId, TenantId};
use crate::index::GlobalIndexKeys;
use crate::kms::{Kms, WrapContext};
use crate::nonce::NonceSource;
use crate::store::{Insertion, KeyRecord, KeyState, KeyStore};
use crate::tenant_keys::TenantKeys;

/// Brings the root of all keys and the store of wrapped keys together, and hands out tenants' keys.
///
/// One vault serves the whole application: put it in its state, or in an [`Arc`].
pub struct Vault<K, S> {
    kms: K,
    store: S,
    cache: Cache<TenantId>,
    subjects: Cache<(TenantId, SubjectId)>,
    observer: Arc<dyn Observer>,
    nonces: NonceSource,
}

/// A key that was made, for the audit log: number and check value together say for good which key it is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct KeyInfo {
    /// The tenant.
    pub tenant: TenantId,
    /// The key's number.
    pub key: KeyId,
    /// What it is for.
    pub purpose: Purpose,
    /// The key encryption key that wraps it.
    pub kek: KekId,
    /// Its check value.
    pub kcv: Kcv,
}

const PURPOSES: [Purpose; 2] = [Purpose::Aead, Purpose::Index];

impl<K: Kms, S: KeyStore> Vault<K, S> {
    /// A vault with the default [`CachePolicy`], the system's clock, and nonces of the system's generator.
    pub fn new(kms: K, store: S) -> Self {
        let (cache, subjects) = caches(CachePolicy::default(), Arc::new(SystemClock));
        Self { kms, store, cache, subjects, observer: Arc::new(()), nonces: NonceSource::default() }
    }

    /// The same vault with nonces from elsewhere, for the keys that it loads from now on.
    #[must_use]
    pub const fn with_nonces(mut self, source: NonceSource) -> Self {
        self.nonces = source;
        self
    }

    /// The same vault with empty caches of another size or lifetime.
    #[must_use]
    pub fn with_cache(mut self, policy: CachePolicy) -> Self {
        (self.cache, self.subjects) = caches(policy, self.cache.clock());
        self
    }

    /// The same vault with empty caches under another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Clock + 'static) -> Self {
        (self.cache, self.subjects) = caches(self.cache.policy(), Arc::new(clock));
        self
    }

    /// The same vault, which tells `observer` what happens to keys and values.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// Checks at boot that the key encryption keys are those that the key store was set up with. If all are and the
    /// primary one is new, it is registered in the store: from then on every process must have it, so give a
    /// new key to all processes as a further entry of their keyrings before any has it as its primary.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::KekMismatch`](crate::ErrorKind::KekMismatch) if one has the right name but is another key,
    /// [`ErrorKind::UnknownKek`](crate::ErrorKind::UnknownKek) if one is missing, and the errors of the key management
    /// service and the key store.
    pub async fn self_check(&self) -> Result<(), Error> {
        kek::check(&self.kms, &self.store).await
    }

    /// Makes a tenant's keys, one for each [`Purpose`], and returns those that it made: none if the tenant has its keys
    /// already, or if they were destroyed. Any number of processes may do this at the same time.
    ///
    /// # Errors
    ///
    /// As [`self_check`](Self::self_check), because nothing may be wrapped under a wrong key encryption key;
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness) if the system's generator fails;
    /// [`ErrorKind::NoTenant`](crate::ErrorKind::NoTenant) for the nil UUID.
    pub async fn provision(&self, tenant: TenantId) -> Result<Vec<KeyInfo>, Error> {
        self.make(checked(tenant)?, &PURPOSES).await
    }

    /// Makes the key of the [`Global`](crate::Global) indexes, if there is none, and returns it if it did. It is kept with
    /// the tenants' keys, under the nil UUID, which therefore is no tenant.
    ///
    /// # Errors
    ///
    /// As [`provision`](Self::provision).
    pub async fn provision_global_index(&self) -> Result<Option<KeyInfo>, Error> {
        Ok(self.make(TenantId::from(Uuid::nil()), &[Purpose::Index]).await?.pop())
    }

    /// The key of the [`Global`](crate::Global) indexes: from the cache, or unwrapped by the key management service.
    ///
    /// # Errors
    ///
    /// As [`tenant`](Self::tenant).
    pub async fn global_index(&self) -> Result<GlobalIndexKeys, Error> {
        Ok(GlobalIndexKeys::new(self.keys(TenantId::from(Uuid::nil())).await?))
    }

    async fn make(&self, tenant: TenantId, purposes: &[Purpose]) -> Result<Vec<KeyInfo>, Error> {
        kek::check(&self.kms, &self.store).await?;
        let mut created = Vec::new();
        let records = self.store.load(tenant).await?;
        let mut next = Some(KeyId::FIRST);
        for record in &records {
            next = next.max(record.key.next());
        }
        for &purpose in purposes {
            if records.iter().any(|record| record.purpose == purpose) {
                continue;
            }
            let key = next.ok_or_else(|| Error::store("the tenant's key numbers are used up", Retry::Never))?;
            created.extend(self.create(tenant, key, purpose, KeyState::Active).await?);
            next = key.next();
        }
        if !created.is_empty() {
            self.cache.expire(tenant);
        }
        Ok(created)
    }

    /// A tenant's keys: from the cache, or unwrapped by the key management service. Any number of tasks that ask for a
    /// tenant at the same time cause one load, and all get its result.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NotProvisioned`](crate::ErrorKind::NotProvisioned) if the tenant has no keys,
    /// [`ErrorKind::KeyRejected`](crate::ErrorKind::KeyRejected) if an active key is not what its record says, and
    /// [`ErrorKind::NoTenant`](crate::ErrorKind::NoTenant) for the nil UUID, and the errors of the key management service
    /// and the key store. An older key that does not unwrap is no error
    /// here, but of opening what it has sealed.
    pub async fn tenant(&self, tenant: TenantId) -> Result<TenantKeys, Error> {
        self.keys(checked(tenant)?).await
    }

    async fn keys(&self, tenant: TenantId) -> Result<TenantKeys, Error> {
        let (slot, evicted) = self.cache.slot(tenant);
        for keys in evicted {
            // Counts that do not reach the store now are lost with the evicted entry: see the README.
            let _ = self.record(&keys).await;
        }
        if let Some(keys) = slot.fresh(self.cache.now()) {
            if keys.slots().iter().any(load::recording_is_due) {
                // The counts stay in memory and are recorded later: no reason to refuse a request.
                let _ = self.record(&keys).await;
            }
            return Ok(keys);
        }
        let flight = match slot.board(|| self.cache.now()).await {
            Boarding::Ready(keys) => return Ok(keys),
            Boarding::Failed(error) => return Err(error),
            Boarding::Clear(flight) => flight,
        };
        let keys = self.load(tenant, slot.stale()).await;
        flight.land(&keys, |started, keys| self.cache.expiry(started, tenant, keys));
        if keys.is_err() {
            self.cache.forget_unless_ready(tenant, &slot);
        }
        keys
    }

    /// Tells the key store how many messages the cached keys have sealed since it was last told: for an orderly end of
    /// the process. While it runs, the vault does so by itself.
    ///
    /// # Errors
    ///
    /// The first error of the key store; the counts that did not reach it stay in memory.
    pub async fn record_messages(&self) -> Result<(), Error> {
        for keys in self.cache.all() {
            self.record(&keys).await?;
        }
        Ok(())
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn observe(&self, event: &FieldEvent) {
        self.observer.observe(event);
    }

    /// Makes a key in a state; `None` if something is in its place.
    async fn create(
        &self,
        tenant: TenantId,
        key: KeyId,
        purpose: Purpose,
        state: impl FnOnce(WrappedKey) -> KeyState,
    ) -> Result<Option<KeyInfo>, Error> {
        let data_key = DataKey::generate()?;
        let wrapped = self.kms.wrap(WrapContext::TenantKey { tenant, key, purpose }, &data_key).await?;
        let (kek, kcv) = (wrapped.kek.clone(), data_key.kcv());
        let record = KeyRecord::new(tenant, key, purpose, state(wrapped), kcv);
        if self.store.insert(&record).await? == Insertion::AlreadyPresent {
            return Ok(None);
        }
        let info = KeyInfo { tenant, key, purpose, kek, kcv };
        self.observer.observe(&FieldEvent::KeyCreated(info.clone()));
        Ok(Some(info))
    }
}

impl<K, S> Vault<K, S> {
    /// Forgets a tenant's keys and those of its subjects, so that they are loaded anew: for when another process has added
    /// or destroyed one. Handles that were taken before keep working until they are dropped.
    pub fn evict(&self, tenant: TenantId) {
        self.cache.expire(tenant);
        self.subjects.expire_where(|(owner, _)| *owner == tenant);
    }

    /// Forgets one subject's key, as [`evict`](Self::evict) does for all of a tenant's.
    pub fn evict_subject(&self, tenant: TenantId, subject: SubjectId) {
        self.subjects.expire((tenant, subject));
    }

    /// Forgets all keys: for when it is not known what has changed.
    pub fn evict_all(&self) {
        self.cache.expire_where(|_| true);
        self.subjects.expire_where(|_| true);
    }
}

fn caches(policy: CachePolicy, clock: Arc<dyn Clock>) -> (Cache<TenantId>, Cache<(TenantId, SubjectId)>) {
    (Cache::new(policy, Arc::clone(&clock)), Cache::new(policy, clock))
}

/// Under the nil UUID there are keys, but they are no tenant's.
fn checked(tenant: TenantId) -> Result<TenantId, Error> {
    if tenant.as_uuid().is_nil() { Err(Error::no_tenant()) } else { Ok(tenant) }
}

impl<K, S> fmt::Debug for Vault<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("cache", &self.cache.policy()).finish_non_exhaustive()
    }
}
