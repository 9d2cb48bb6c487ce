//! What a key store must do for keys to be exchanged.

use std::sync::Arc;
use std::time::Duration;

use crate::data_key::WrappedKey;
use crate::error::Error;
use crate::id::{KekId, KeyId, TenantId};
use crate::store::{KeyRecord, KeyStore};

/// A store whose keys can be promoted, retired and wrapped anew. Every change is one step that happens as a whole or not at
/// all, and times are those of the store's own clock.
pub trait KeyRotation: KeyStore {
    /// How long the key has been in its state; `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// [`Error::store`] if the store fails; the same holds for all methods.
    fn state_age(&self, tenant: TenantId, key: KeyId) -> impl Future<Output = Result<Option<Duration>, Error>> + Send;

    /// Makes a key that has been `DecryptOnly` for as long as `settled` the active one of its purpose, and the one that was active
    /// `DecryptOnly`.
    fn promote(
        &self,
        tenant: TenantId,
        key: KeyId,
        settled: Duration,
    ) -> impl Future<Output = Result<KeyChange, Error>> + Send;

    /// Makes a key that has been `DecryptOnly` for as long as `quiet` `Retired`, unless it wraps keys of subjects.
    fn retire(
        &self,
        tenant: TenantId,
        key: KeyId,
        quiet: Duration,
    ) -> impl Future<Output = Result<KeyChange, Error>> + Send;

    /// Makes a key that has been `Retired` for as long as `quarantine` `Destroyed`.
    fn destroy_retired(
        &self,
        tenant: TenantId,
        key: KeyId,
        quarantine: Duration,
    ) -> impl Future<Output = Result<KeyChange, Error>> + Send;

    /// Up to `limit` keys of all tenants that are wrapped by another key encryption key than this, in the order of tenant and
    /// number, from the first after `after` on.
    fn wrapped_otherwise(
        &self,
        kek: &KekId,
        after: Option<(TenantId, KeyId)>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<KeyRecord>, Error>> + Send;

    /// Exchanges a wrapped key, if it still is what it was.
    fn rewrap(
        &self,
        tenant: TenantId,
        key: KeyId,
        before: &WrappedKey,
        after: &WrappedKey,
    ) -> impl Future<Output = Result<KeyChange, Error>> + Send;

    /// Forgets a key encryption key for good, unless it wraps a key. From then on the store takes no key that it has wrapped.
    fn forget_kek(&self, kek: &KekId) -> impl Future<Output = Result<KekRemoval, Error>> + Send;
}

/// What became of a change to a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum KeyChange {
    /// It was made.
    Made,
    /// The key has not been in its state for long enough.
    TooSoon,
    /// Values in registered columns are sealed under the key.
    InUse {
        /// How many, of one tenant.
        values: u64,
    },
    /// Keys of the tenant's subjects are wrapped by it: see [`Vault::rewrap_subjects`](crate::Vault::rewrap_subjects).
    WrapsSubjects,
    /// There is no such key, or it is in a state from which this change does not lead.
    WrongState,
}

/// What became of the wish to forget a key encryption key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum KekRemoval {
    /// The store has forgotten it: it can leave the keyrings.
    Forgotten,
    /// Keys are wrapped by it: see [`Vault::rewrap`](crate::Vault::rewrap).
    InUse {
        /// How many, of all tenants.
        keys: u64,
    },
    /// It is the one that wraps new keys.
    Primary,
    /// The store does not know it.
    Unknown,
}

impl<S: KeyRotation> KeyRotation for Arc<S> {
    fn state_age(&self, tenant: TenantId, key: KeyId) -> impl Future<Output = Result<Option<Duration>, Error>> + Send {
        (**self).state_age(tenant, key)
    }

    fn promote(
        &self,
        tenant: TenantId,
        key: KeyId,
        settled: Duration,
    ) -> impl Future<Output = Result<KeyChange, Error>> + Send {
        (**self).promote(tenant, key, settled)
    }

    fn retire(
        &self,
        tenant: TenantId,
        key: KeyId,
        quiet: Duration,
    ) -> impl Future<Output = Result<KeyChange, Error>> + Send {
        (**self).retire(tenant, key, quiet)
    }

    fn destroy_retired(
        &self,
        tenant: TenantId,
        key: KeyId,
        quarantine: Duration,
    ) -> impl Future<Output = Result<KeyChange, Error>> + Send {
        (**self).destroy_retired(tenant, key, quarantine)
    }

    fn wrapped_otherwise(
        &self,
        kek: &KekId,
        after: Option<(TenantId, KeyId)>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<KeyRecord>, Error>> + Send {
        (**self).wrapped_otherwise(kek, after, limit)
    }

    fn rewrap(
        &self,
        tenant: TenantId,
        key: KeyId,
        before: &WrappedKey,
        after: &WrappedKey,
    ) -> impl Future<Output = Result<KeyChange, Error>> + Send {
        (**self).rewrap(tenant, key, before, after)
    }

    fn forget_kek(&self, kek: &KekId) -> impl Future<Output = Result<KekRemoval, Error>> + Send {
        (**self).forget_kek(kek)
    }
}
