#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// What an application names: its columns, its secrets, its rows.
mod column;
mod id;
mod mask;
mod plain;
mod row;
mod secret;

// What it stores.
mod check;
mod dual_read;
mod index;
mod sealed;
mod wire;

// Keys, from the root down to the subkey of one column.
mod context;
mod data_key;
mod field_cipher;
mod kdf;
mod keyring;
mod kms;
mod messages;
mod store;
mod subject_keys;
mod subject_wrap;
mod subkeys;
mod tenant_keys;
mod vault;

mod clock;
mod error;
mod event;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;

pub use crate::check::sealed_check;
pub use crate::clock::{Clock, ManualClock, SystemClock};
pub use crate::column::Column;
pub use crate::data_key::{DataKey, Kcv, WrappedKey};
pub use crate::dual_read::{DualRead, DualValue};
pub use crate::error::{Error, ErrorKind, OpenError, Retry};
pub use crate::event::{FieldEvent, Observer};
pub use crate::id::{KekId, KeyId, Purpose, SubjectId, TenantId};
pub use crate::index::{BlindIndex, DigitsOnly, IndexTag, LowerTrim, Normaliser};
#[cfg(unix)]
pub use crate::keyring::FileKeyring;
pub use crate::keyring::{EnvKeyring, LocalKeyring};
pub use crate::kms::{Kms, WrapContext};
pub use crate::mask::Masked;
pub use crate::plain::Plain;
pub use crate::row::{OfSubject, RowBinding, RowId, SubjectRow, Unbound};
pub use crate::sealed::Sealed;
pub use crate::secret::Secret;
pub use crate::store::{
    Insertion, KekRecord, KekRemoval, KeyChange, KeyRecord, KeyRotation, KeyState, KeyStore, MemoryKeyStore,
    SubjectKeyRecord, SubjectKeyState, SubjectKeyStore, SubjectRewrap, SubjectWrappedKey,
};
pub use crate::subject_keys::SubjectKeys;
pub use crate::tenant_keys::TenantKeys;
pub use crate::vault::{
    CachePolicy, KeyInfo, KeyUses, RewrapFailure, RewrapReport, RotationPolicy, SubjectKeyInfo, SubjectsRewrapped,
    Vault,
};
#[doc(hidden)]
pub use uuid::Uuid as __Uuid;
