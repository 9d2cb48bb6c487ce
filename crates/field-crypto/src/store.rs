//! Where wrapped keys are kept.

mod memory;
mod rotation;
mod subject;

use std::sync::Arc;

use crate::data_key::{Kcv, WrappedKey};
use crate::error::Error;
use crate::id::{KeyId, Purpose, TenantId};

pub use self::memory::MemoryKeyStore;
pub use self::rotation::{KekRemoval, KeyChange, KeyRotation};
pub use self::subject::{SubjectKeyRecord, SubjectKeyState, SubjectKeyStore, SubjectRewrap, SubjectWrappedKey};

/// A store of wrapped keys. What it holds needs no secrecy beyond that of the database, but its loss is the loss of
/// every sealed value.
pub trait KeyStore: Send + Sync {
    /// All keys of a tenant, destroyed ones included, in no particular order.
    ///
    /// # Errors
    ///
    /// [`Error::store`] if the store fails; the same holds for all methods.
    fn load(&self, tenant: TenantId) -> impl Future<Output = Result<Vec<KeyRecord>, Error>> + Send;

    /// Adds a key that is not destroyed. It changes nothing if the tenant has a key of that number, or if the key is active and the tenant
    /// has an active key of that purpose.
    fn insert(&self, record: &KeyRecord) -> impl Future<Output = Result<Insertion, Error>> + Send;

    /// Adds to the number of messages that a key has sealed, and returns the new number.
    fn add_messages(
        &self,
        tenant: TenantId,
        key: KeyId,
        messages: u64,
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// All key encryption keys that the store was set up with.
    fn keks(&self) -> impl Future<Output = Result<Vec<KekRecord>, Error>> + Send;

    /// Adds a key encryption key. It changes nothing if there is one of that name, or was one that is forgotten.
    fn insert_kek(&self, record: &KekRecord) -> impl Future<Output = Result<Insertion, Error>> + Send;
}

/// A tenant's key as it is stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KeyRecord {
    /// The tenant.
    pub tenant: TenantId,
    /// The key's number.
    pub key: KeyId,
    /// What the key is for.
    pub purpose: Purpose,
    /// Whether the key may be used, and the wrapped key.
    pub state: KeyState,
    /// The key's check value.
    pub kcv: Kcv,
    /// How many messages it has sealed.
    pub messages: u64,
}

/// What a key may be used for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum KeyState {
    /// It seals and opens. A tenant has at most one such key for each purpose.
    Active(WrappedKey),
    /// It opens what it has sealed.
    DecryptOnly(WrappedKey),
    /// Nothing is sealed under it any more, and it is about to be destroyed. It still opens: a value that was written
    /// late is not lost.
    Retired(WrappedKey),
    /// It is gone, and nothing that it has sealed opens again.
    Destroyed,
}

/// A key encryption key, as it is recognised: by a random key that it has wrapped.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct KekRecord {
    /// The wrapped random key, with the name of the key encryption key.
    pub canary: WrappedKey,
    /// Its check value.
    pub kcv: Kcv,
}

/// Whether something was added.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Insertion {
    /// It was.
    Inserted,
    /// Something else is in its place.
    AlreadyPresent,
}

impl KeyState {
    /// The wrapped key, unless it is destroyed.
    #[must_use]
    pub const fn wrapped(&self) -> Option<&WrappedKey> {
        match self {
            Self::Active(wrapped) | Self::DecryptOnly(wrapped) | Self::Retired(wrapped) => Some(wrapped),
            Self::Destroyed => None,
        }
    }

    pub(crate) const fn wrapped_mut(&mut self) -> Option<&mut WrappedKey> {
        match self {
            Self::Active(wrapped) | Self::DecryptOnly(wrapped) | Self::Retired(wrapped) => Some(wrapped),
            Self::Destroyed => None,
        }
    }
}

impl KeyRecord {
    /// The record of a key that has sealed nothing yet.
    #[must_use]
    pub const fn new(tenant: TenantId, key: KeyId, purpose: Purpose, state: KeyState, kcv: Kcv) -> Self {
        Self { tenant, key, purpose, state, kcv, messages: 0 }
    }
}

impl KekRecord {
    /// The record of a key encryption key.
    #[must_use]
    pub const fn new(canary: WrappedKey, kcv: Kcv) -> Self {
        Self { canary, kcv }
    }
}

impl<S: KeyStore> KeyStore for Arc<S> {
    fn load(&self, tenant: TenantId) -> impl Future<Output = Result<Vec<KeyRecord>, Error>> + Send {
        (**self).load(tenant)
    }

    fn insert(&self, record: &KeyRecord) -> impl Future<Output = Result<Insertion, Error>> + Send {
        (**self).insert(record)
    }

    fn add_messages(
        &self,
        tenant: TenantId,
        key: KeyId,
        messages: u64,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        (**self).add_messages(tenant, key, messages)
    }

    fn keks(&self) -> impl Future<Output = Result<Vec<KekRecord>, Error>> + Send {
        (**self).keks()
    }

    fn insert_kek(&self, record: &KekRecord) -> impl Future<Output = Result<Insertion, Error>> + Send {
        (**self).insert_kek(record)
    }
}
