#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

// What an application names: its columns, its secrets, its rows.
mod column;
mod id;
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
mod error;
mod event;
mod field_cipher;
mod kdf;
mod keyring;
mod kms;
mod messages;
mod nonce;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;
#[cfg(doc)]
pub mod security_argument;
mod store;
mod subject_keys;
mod subkeys;
mod tenant_keys;
mod vault;

pub use crate::check::{sealed_check, sealed_text_check};
pub use crate::column::Column;
pub use crate::data_key::{DataKey, Kcv, WrappedKey};
pub use crate::dual_read::{DualRead, DualValue};
pub use crate::error::{Error, ErrorKind, OpenError, Retry};
pub use crate::event::{FieldEvent, Observer};
pub use crate::id::{KekId, KeyId, Purpose, SubjectId, TenantId};
pub use crate::index::*;
pub use crate::keyring::*;
pub use crate::kms::{Kms, WrapContext};
pub use crate::nonce::NonceSource;
pub use crate::plain::Plain;
pub use crate::row::{OfSubject, RowBinding, RowId, SubjectRow, Unbound};
pub use crate::sealed::{Sealed, SealedText};
pub use crate::secret::{Masked, Secret};
pub use crate::store::*;
pub use crate::subject_keys::SubjectKeys;
pub use crate::tenant_keys::TenantKeys;
pub use crate::vault::*;
#[doc(hidden)]
pub use uuid::Uuid as __Uuid;
