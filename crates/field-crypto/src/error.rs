//! What can go wrong.

use std::error::Error as StdError;
use std::sync::Arc;

use crate::id::{KekId, KeyId, Purpose, TenantId};

type Source = Box<dyn StdError + Send + Sync>;

/// An error of the vault, a keyring or a key store, or a refusal to seal.
///
/// Messages name tenants, keys and key encryption keys by their identifiers, never a key or a plain text.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Arc<Repr>);

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// What was to be sealed is a sealed value already. Sealing it twice is how data is lost.
    AlreadySealed,
    /// The registered columns are not those of the database.
    InvalidColumns,
    /// A keyring's text, file or environment variable is missing or malformed, or readable by others.
    InvalidKeyring,
    /// The keyring does not hold the key encryption key that the key store was set up with, but another of that name.
    KekMismatch,
    /// The tenant's or the subject's key was destroyed.
    KeyDestroyed,
    /// The key has sealed 2^32 messages, the most that SP 800-38D allows under random nonces.
    KeyExhausted,
    /// A wrapped key does not unwrap, or is not the key that its check value names.
    KeyRejected,
    /// The key management service failed.
    Kms,
    /// The nil UUID is no tenant: it stands for the key of global indexes.
    NoTenant,
    /// The tenant or the subject has no keys: [`Vault::provision`](crate::Vault::provision) or
    /// [`Vault::provision_subject`](crate::Vault::provision_subject) was not called for it.
    NotProvisioned,
    /// A value that was to be sealed anew did not open.
    NotOpened,
    /// Nothing is left of a value after normalisation, so that it cannot be searched for.
    NothingToIndex,
    /// The operating system's random number generator failed.
    Randomness,
    /// The key store failed, or holds something that it should not.
    Store,
    /// The plain text is longer than 64 GiB.
    TooLong,
    /// No key encryption key of that name.
    UnknownKek,
}

/// Whether it makes sense to try again what failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// The same call may succeed later: a timeout, a lost connection, throttling.
    Later,
    /// The same call fails again until somebody changes something.
    Never,
}

/// Why a value was not opened. It carries nothing else, as whoever can cause it may be an attacker.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum OpenError {
    /// The value does not open: it was changed or moved, is malformed, or its key is unknown.
    #[error("the value could not be opened")]
    Failed,
    /// The key of the value exists but could not be unwrapped.
    #[error("the key of the value is not available")]
    KeyUnavailable {
        /// Whether it may be available later.
        retryable: bool,
    },
    /// The key of the value was destroyed, and with it the value.
    #[error("the key of the value was destroyed")]
    Destroyed,
}

#[derive(Debug, thiserror::Error)]
enum Repr {
    #[error("the value is sealed already")]
    AlreadySealed,
    #[cfg(feature = "postgres")]
    #[error("the registered columns are not those of the database: {0}")]
    InvalidColumns(String),
    #[error("{what}")]
    InvalidKeyring { what: String, source: Option<Source> },
    #[error("`{0}` is not the key encryption key that this key store was set up with")]
    KekMismatch(KekId),
    #[error("the key of a subject of tenant {0} was destroyed")]
    SubjectDestroyed(TenantId),
    #[error("the subject of tenant {0} has no key")]
    SubjectNotProvisioned(TenantId),
    #[error("the {purpose} key of tenant {tenant} was destroyed")]
    KeyDestroyed { tenant: TenantId, purpose: Purpose },
    #[error("key {0} has sealed as many messages as it may")]
    KeyExhausted(KeyId),
    #[error("the wrapped key was rejected")]
    KeyRejected,
    #[error("the key management service failed")]
    Kms(#[source] Source, Retry),
    #[error("the nil UUID is no tenant")]
    NoTenant,
    #[error("tenant {0} has no keys")]
    NotProvisioned(TenantId),
    #[error(transparent)]
    NotOpened(#[from] OpenError),
    #[error("the value has nothing to index")]
    NothingToIndex,
    #[error("the random number generator of the operating system failed")]
    Randomness(#[source] getrandom::Error),
    #[error("the key store failed")]
    Store(#[source] Source, Retry),
    #[error("the value is too long")]
    TooLong,
    #[error("no key encryption key `{0}`")]
    UnknownKek(KekId),
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Repr::AlreadySealed => ErrorKind::AlreadySealed,
            #[cfg(feature = "postgres")]
            Repr::InvalidColumns(_) => ErrorKind::InvalidColumns,
            Repr::InvalidKeyring { .. } => ErrorKind::InvalidKeyring,
            Repr::KekMismatch(_) => ErrorKind::KekMismatch,
            Repr::KeyDestroyed { .. } | Repr::SubjectDestroyed(_) => ErrorKind::KeyDestroyed,
            Repr::KeyExhausted(_) => ErrorKind::KeyExhausted,
            Repr::KeyRejected => ErrorKind::KeyRejected,
            Repr::Kms(..) => ErrorKind::Kms,
            Repr::NoTenant => ErrorKind::NoTenant,
            Repr::NotProvisioned(_) | Repr::SubjectNotProvisioned(_) => ErrorKind::NotProvisioned,
            Repr::NotOpened(_) => ErrorKind::NotOpened,
            Repr::NothingToIndex => ErrorKind::NothingToIndex,
            Repr::Randomness(_) => ErrorKind::Randomness,
            Repr::Store(..) => ErrorKind::Store,
            Repr::TooLong => ErrorKind::TooLong,
            Repr::UnknownKek(_) => ErrorKind::UnknownKek,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            &*self.0,
            Repr::Kms(_, Retry::Later)
                | Repr::Store(_, Retry::Later)
                | Repr::NotOpened(OpenError::KeyUnavailable { retryable: true })
        )
    }

    /// For implementations of [`Kms`](crate::Kms): the service failed.
    pub fn kms(source: impl Into<Box<dyn StdError + Send + Sync>>, retry: Retry) -> Self {
        Repr::Kms(source.into(), retry).into()
    }

    /// For implementations of [`Kms`](crate::Kms): there is no such key encryption key.
    #[must_use]
    pub fn unknown_kek(kek: KekId) -> Self {
        Repr::UnknownKek(kek).into()
    }

    /// For implementations of [`Kms`](crate::Kms): the wrapped key is not authentic in its context.
    #[must_use]
    pub fn key_rejected() -> Self {
        Repr::KeyRejected.into()
    }

    /// For implementations of [`KeyStore`](crate::KeyStore): the store failed.
    pub fn store(source: impl Into<Box<dyn StdError + Send + Sync>>, retry: Retry) -> Self {
        Repr::Store(source.into(), retry).into()
    }

    pub(crate) fn already_sealed() -> Self {
        Repr::AlreadySealed.into()
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn invalid_columns(problems: &[crate::postgres::ColumnProblem]) -> Self {
        let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
        Repr::InvalidColumns(problems.join("; ")).into()
    }

    pub(crate) fn keyring(what: impl Into<String>) -> Self {
        Repr::InvalidKeyring { what: what.into(), source: None }.into()
    }

    pub(crate) fn keyring_source(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Repr::InvalidKeyring { what: what.into(), source: Some(source.into()) }.into()
    }

    pub(crate) fn kek_name() -> Self {
        Self::keyring("the name of a key encryption key must be 1 to 255 printable characters without space or comma")
    }

    pub(crate) fn kek_mismatch(kek: KekId) -> Self {
        Repr::KekMismatch(kek).into()
    }

    pub(crate) fn key_destroyed(tenant: TenantId, purpose: Purpose) -> Self {
        Repr::KeyDestroyed { tenant, purpose }.into()
    }

    pub(crate) fn key_exhausted(key: KeyId) -> Self {
        Repr::KeyExhausted(key).into()
    }

    pub(crate) fn no_tenant() -> Self {
        Repr::NoTenant.into()
    }

    pub(crate) fn not_provisioned(tenant: TenantId) -> Self {
        Repr::NotProvisioned(tenant).into()
    }

    pub(crate) fn subject_destroyed(tenant: TenantId) -> Self {
        Repr::SubjectDestroyed(tenant).into()
    }

    pub(crate) fn subject_not_provisioned(tenant: TenantId) -> Self {
        Repr::SubjectNotProvisioned(tenant).into()
    }

    pub(crate) fn nothing_to_index() -> Self {
        Repr::NothingToIndex.into()
    }

    pub(crate) fn randomness(source: getrandom::Error) -> Self {
        Repr::Randomness(source).into()
    }

    pub(crate) fn too_long() -> Self {
        Repr::TooLong.into()
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Repr::NotOpened(error).into()
    }
}

impl From<Repr> for Error {
    fn from(repr: Repr) -> Self {
        Self(Arc::new(repr))
    }
}
