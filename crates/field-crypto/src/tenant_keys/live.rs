//! One key of a tenant, in memory.

use std::any::TypeId;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::column::Column;
use crate::context::Context;
use crate::data_key::DataKey;
use crate::error::{OpenError, Retry};
use crate::field_cipher::{Cipher as _, FieldCipher};
use crate::id::{KeyId, Purpose, SubjectId, TenantId};
use crate::index::{BlindIndex, IndexKind, IndexTag, Normaliser as _};
use crate::kdf;
use crate::messages::Messages;
use crate::subkeys::Subkeys;
use crate::wire;

/// A key by its number, and whether it is at hand.
pub(crate) struct KeySlot {
    pub(crate) id: KeyId,
    pub(crate) purpose: Purpose,
    pub(crate) state: SlotState,
}

pub(crate) enum SlotState {
    Active(LiveKey),
    DecryptOnly(LiveKey),
    /// An older key that could not be unwrapped.
    Unavailable(Retry),
    Destroyed,
}

/// A key with the subkeys that were derived from it so far.
pub(crate) struct LiveKey {
    key: DataKey,
    /// Whose key it is, if it is not the tenant's.
    subject: Option<SubjectId>,
    messages: Arc<Messages>,
    ciphers: Subkeys<FieldCipher>,
    macs: Subkeys<Hmac<Sha256>>,
}

impl SlotState {
    /// The key, for opening.
    pub(crate) const fn opening(&self) -> Result<&LiveKey, OpenError> {
        match self {
            Self::Active(key) | Self::DecryptOnly(key) => Ok(key),
            Self::Unavailable(retry) => Err(OpenError::KeyUnavailable { retryable: matches!(retry, Retry::Later) }),
            Self::Destroyed => Err(OpenError::Destroyed),
        }
    }

    pub(crate) const fn live(&self) -> Option<&LiveKey> {
        match self {
            Self::Active(key) | Self::DecryptOnly(key) => Some(key),
            Self::Unavailable(_) | Self::Destroyed => None,
        }
    }
}

impl LiveKey {
    pub(crate) const fn new(key: DataKey, messages: Arc<Messages>) -> Self {
        Self::owned(key, None, messages)
    }

    pub(crate) const fn of_subject(key: DataKey, subject: SubjectId, messages: Arc<Messages>) -> Self {
        Self::owned(key, Some(subject), messages)
    }

    const fn owned(key: DataKey, subject: Option<SubjectId>, messages: Arc<Messages>) -> Self {
        Self { key, subject, messages, ciphers: Subkeys::new(), macs: Subkeys::new() }
    }

    pub(crate) const fn messages(&self) -> &Arc<Messages> {
        &self.messages
    }

    /// AES-256-GCM under the subkey of a column.
    pub(crate) fn field_cipher<C: Column>(&self, tenant: TenantId) -> &FieldCipher {
        self.ciphers.find_or_derive(TypeId::of::<C>(), || {
            let context = match self.subject {
                None => Context::new("field"),
                Some(subject) => Context::new("field of a subject").part(subject.as_uuid()),
            };
            let context = context
                .part([wire::VERSION])
                .part(Purpose::Aead.as_str())
                .part(tenant.as_uuid())
                .part(C::TABLE)
                .part(C::COLUMN);
            FieldCipher::new(&kdf::subkey(self.key.expose(), &context))
        })
    }

    /// AES-256-GCM under the subkey that wraps the keys of the tenant's subjects.
    pub(crate) fn subject_cipher(&self, tenant: TenantId) -> &FieldCipher {
        self.ciphers.find_or_derive(TypeId::of::<SubjectId>(), || {
            let context = Context::new("wrapping of subjects' keys").part(tenant.as_uuid());
            FieldCipher::new(&kdf::subkey(self.key.expose(), &context))
        })
    }

    /// HMAC-SHA256 of a normalised value under the subkey of an index.
    pub(crate) fn index_tag<I: BlindIndex>(&self, tenant: TenantId, id: KeyId, term: &str) -> IndexTag<I> {
        let mac = self.macs.find_or_derive(TypeId::of::<I>(), || {
            let (scope, bits) = (<I::Kind as IndexKind>::SCOPE, <I::Kind as IndexKind>::BITS);
            let context = Context::new("blind index")
                .part([IndexTag::<I>::VERSION])
                .part(Purpose::Index.as_str())
                .part(tenant.as_uuid())
                .part(I::Column::TABLE)
                .part(I::Column::COLUMN)
                .part(I::NAME)
                .part(I::Normaliser::name().as_bytes());
            // Nothing follows for the first kind that there was: a tenant's whole tags.
            let context = if (scope, bits) == ("tenant", 128) { context } else { context.part(scope).part([bits]) };
            hmac(&kdf::subkey(self.key.expose(), &context))
        });
        IndexTag::compute(mac.clone(), id, term)
    }
}

/// HMAC-SHA256 takes keys as whole blocks; a shorter key is filled up with zeros (RFC 2104, section 2).
fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0_u8; 64]);
    for (slot, byte) in block.iter_mut().zip(key) {
        *slot = *byte;
    }
    Hmac::new((&*block).into())
}
