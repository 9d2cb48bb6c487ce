//! The root of all keys.

use std::sync::Arc;

use crate::context::Context;
use crate::data_key::{DataKey, WrappedKey};
use crate::error::Error;
use crate::id::{KekId, KeyId, Purpose, TenantId};

/// Wraps and unwraps tenants' keys: a key management service, or a keyring of this crate.
///
/// An implementation must bind the wrapped key to its [`WrapContext`], so that it does not unwrap in another: as
/// encryption context in AWS KMS, as `associated_data` in Vault Transit, as additional authenticated data elsewhere.
pub trait Kms: Send + Sync {
    /// The key encryption key that [`wrap`](Self::wrap) uses now.
    fn primary_kek(&self) -> KekId;

    /// Encrypts a key under the primary key encryption key.
    ///
    /// # Errors
    ///
    /// [`Error::kms`] if the service fails.
    fn wrap(&self, context: WrapContext, key: &DataKey) -> impl Future<Output = Result<WrappedKey, Error>> + Send;

    /// Decrypts a key that this service has wrapped in the same context.
    ///
    /// # Errors
    ///
    /// [`Error::unknown_kek`] if there is no such key encryption key, [`Error::key_rejected`] if the wrapped key is
    /// not authentic, [`Error::kms`] if the service fails.
    fn unwrap(&self, context: WrapContext, wrapped: &WrappedKey)
    -> impl Future<Output = Result<DataKey, Error>> + Send;
}

/// What a wrapped key is bound to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum WrapContext {
    /// A key that belongs to nobody, wrapped to recognise the key encryption key by it.
    Canary,
    /// A tenant's key.
    TenantKey {
        /// The tenant.
        tenant: TenantId,
        /// The key's number.
        key: KeyId,
        /// What the key is for.
        purpose: Purpose,
    },
}

impl WrapContext {
    /// The context as bytes, different for any two contexts: for services that authenticate bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let context = match self {
            Self::Canary => Context::new("wrapped canary"),
            Self::TenantKey { tenant, key, purpose } => Context::new("wrapped tenant key")
                .part(tenant.as_uuid())
                .part(key.as_u32().to_be_bytes())
                .part(purpose.as_str()),
        };
        context.into_bytes()
    }
}

impl<K: Kms> Kms for Arc<K> {
    fn primary_kek(&self) -> KekId {
        (**self).primary_kek()
    }

    fn wrap(&self, context: WrapContext, key: &DataKey) -> impl Future<Output = Result<WrappedKey, Error>> + Send {
        (**self).wrap(context, key)
    }

    fn unwrap(
        &self,
        context: WrapContext,
        wrapped: &WrappedKey,
    ) -> impl Future<Output = Result<DataKey, Error>> + Send {
        (**self).unwrap(context, wrapped)
    }
}
