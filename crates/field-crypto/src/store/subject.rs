//! Keys of subjects, as they are stored.

use std::sync::Arc;

use crate::data_key::Kcv;
use crate::error::Error;
use crate::id::{KeyId, SubjectId, TenantId};
use crate::store::{Insertion, KeyStore};

/// A [`KeyStore`] that also keeps subjects' keys.
pub trait SubjectKeyStore: KeyStore {
    /// The keys of those of the subjects that have one, destroyed ones included, in no particular order.
    ///
    /// # Errors
    ///
    /// [`Error::store`] if the store fails; the same holds for all methods.
    fn load_subjects(
        &self,
        tenant: TenantId,
        subjects: &[SubjectId],
    ) -> impl Future<Output = Result<Vec<SubjectKeyRecord>, Error>> + Send;

    /// Adds a key that is not destroyed. It changes nothing if the subject has a key, or the tenant a subject's key of that
    /// number, and fails if the key that wraps it is not one of the tenant's that is in use: retryably, if it was.
    fn insert_subject(&self, record: &SubjectKeyRecord) -> impl Future<Output = Result<Insertion, Error>> + Send;

    /// Up to [`PAGE`](Self::PAGE) of the tenant's subjects' keys that another key than `active` wraps, in the order of their
    /// subjects and from the one behind `after` on.
    fn subjects_to_rewrap(
        &self,
        tenant: TenantId,
        active: KeyId,
        after: Option<SubjectId>,
    ) -> impl Future<Output = Result<Vec<SubjectKeyRecord>, Error>> + Send;

    /// Replaces wrapped keys by the same keys, wrapped anew, and returns how many: none of those whose wrapped key is no
    /// longer `was`.
    fn rewrap_subjects(
        &self,
        tenant: TenantId,
        changes: &[SubjectRewrap],
    ) -> impl Future<Output = Result<u64, Error>> + Send;

    /// How many keys are rewrapped at a time.
    const PAGE: usize = 500;
}

/// A subject's key as it is stored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubjectKeyRecord {
    /// The tenant.
    pub tenant: TenantId,
    /// The subject.
    pub subject: SubjectId,
    /// The key's number: no other subject of the tenant has it.
    pub key: KeyId,
    /// Whether the key may be used, and the wrapped key.
    pub state: SubjectKeyState,
    /// The key's check value.
    pub kcv: Kcv,
}

/// What a subject's key may be used for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SubjectKeyState {
    /// It seals and opens.
    Active(SubjectWrappedKey),
    /// It is gone, and nothing that it has sealed opens again.
    Destroyed,
}

/// A subject's key, encrypted under one of its tenant's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SubjectWrappedKey {
    /// The tenant's key that wraps it.
    pub by: KeyId,
    /// `0x01 ‖ nonce (12) ‖ ciphertext (32) ‖ tag (16)`.
    pub bytes: Vec<u8>,
}

/// A change of the key that wraps a subject's key.
#[derive(Clone, Debug)]
pub struct SubjectRewrap {
    /// The subject.
    pub subject: SubjectId,
    /// As it was read.
    pub was: SubjectWrappedKey,
    /// As it shall be.
    pub becomes: SubjectWrappedKey,
}

impl SubjectKeyRecord {
    /// The record of a key.
    #[must_use]
    pub const fn new(tenant: TenantId, subject: SubjectId, key: KeyId, state: SubjectKeyState, kcv: Kcv) -> Self {
        Self { tenant, subject, key, state, kcv }
    }
}

impl<S: SubjectKeyStore> SubjectKeyStore for Arc<S> {
    fn load_subjects(
        &self,
        tenant: TenantId,
        subjects: &[SubjectId],
    ) -> impl Future<Output = Result<Vec<SubjectKeyRecord>, Error>> + Send {
        (**self).load_subjects(tenant, subjects)
    }

    fn insert_subject(&self, record: &SubjectKeyRecord) -> impl Future<Output = Result<Insertion, Error>> + Send {
        (**self).insert_subject(record)
    }

    fn subjects_to_rewrap(
        &self,
        tenant: TenantId,
        active: KeyId,
        after: Option<SubjectId>,
    ) -> impl Future<Output = Result<Vec<SubjectKeyRecord>, Error>> + Send {
        (**self).subjects_to_rewrap(tenant, active, after)
    }

    fn rewrap_subjects(
        &self,
        tenant: TenantId,
        changes: &[SubjectRewrap],
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        (**self).rewrap_subjects(tenant, changes)
    }
}
