//! Wrapping a subject's key under a key of its tenant: no service is asked.

use zeroize::Zeroizing;

use crate::context::Context;
use crate::data_key::{DataKey, Kcv};
use crate::error::Error;
use crate::field_cipher::{Cipher as _, FieldCipher};
use crate::id::{KeyId, SubjectId, TenantId};
use crate::store::SubjectWrappedKey;
use crate::tenant_keys::LiveKey;
use crate::wire::{NONCE, TAG};

const VERSION: u8 = 1;

/// What a wrapped key of a subject is bound to. Tenant and wrapping key are also in the derivation of the subkey that wraps.
#[derive(Clone, Copy)]
pub(crate) struct SubjectContext {
    pub(crate) tenant: TenantId,
    pub(crate) subject: SubjectId,
    pub(crate) key: KeyId,
}

impl SubjectContext {
    /// AES-256-GCM under the subkey of the tenant's key `by` that is kept for this.
    pub(crate) fn wrap(self, by: KeyId, wrapping: &LiveKey, key: &DataKey) -> Result<SubjectWrappedKey, Error> {
        wrapping.messages().count(by, 1)?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(Error::randomness)?;
        let mut buffer = Zeroizing::new(*key.expose());
        let tag =
            self.cipher(wrapping).encrypt(&nonce, self.aad(by).as_bytes(), &mut *buffer).ok_or_else(Error::too_long)?;
        Ok(SubjectWrappedKey { by, bytes: [&[VERSION], &nonce[..], &buffer[..], &tag[..]].concat() })
    }

    /// The key, if it was wrapped in this context and is the one of the check value.
    pub(crate) fn unwrap(self, wrapped: &SubjectWrappedKey, wrapping: &LiveKey, kcv: Kcv) -> Option<DataKey> {
        let (&[version], rest) = wrapped.bytes.split_first_chunk::<1>()?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>()?;
        let mut buffer: Zeroizing<[u8; 32]> = Zeroizing::new(ciphertext.try_into().ok()?);
        if version != VERSION {
            return None;
        }
        self.cipher(wrapping).decrypt(nonce, self.aad(wrapped.by).as_bytes(), &mut *buffer, tag)?;
        DataKey::from_bytes(&*buffer).ok().filter(|key| key.kcv() == kcv)
    }

    fn cipher(self, wrapping: &LiveKey) -> &FieldCipher {
        wrapping.subject_cipher(self.tenant)
    }

    fn aad(self, by: KeyId) -> Context {
        Context::new("wrapped subject key")
            .part(self.tenant.as_uuid())
            .part(self.subject.as_uuid())
            .part(self.key.as_u32().to_be_bytes())
            .part(by.as_u32().to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use uuid::Uuid;

    use super::{SubjectContext, SubjectWrappedKey};
    use crate::data_key::DataKey;
    use crate::id::{KeyId, Purpose, SubjectId, TenantId};
    use crate::messages::Messages;
    use crate::nonce::NonceSource;
    use crate::secret::Secret;
    use crate::subject_keys::SubjectKeys;
    use crate::tenant_keys::{KeySlot, LiveKey, SlotState, TenantKeys};

    crate::columns! {
        Name = "patients"."name": String, row = Uuid, subject;
    }

    fn key(byte: u8) -> DataKey {
        DataKey::from_bytes(&[byte; 32]).unwrap()
    }

    fn wrapping() -> LiveKey {
        LiveKey::new(key(7), Arc::new(Messages::new(0)))
    }

    fn context(tenant: u128, subject: u128, key: u32) -> SubjectContext {
        SubjectContext {
            tenant: Uuid::from_u128(tenant).into(),
            subject: Uuid::from_u128(subject).into(),
            key: KeyId::new(key).unwrap(),
        }
    }

    /// Under one and the same tenant key and number, so that the binding alone tells subjects apart.
    #[test]
    fn a_wrapped_key_is_bound_to_its_place() {
        let by = KeyId::new(3).unwrap();
        let right = context(1, 2, 9);
        let wrapped = right.wrap(by, &wrapping(), &key(5)).unwrap();
        assert_eq!(wrapped.bytes.len(), 61);
        let opens = |place: SubjectContext, wrapped: &SubjectWrappedKey, kcv: u8| {
            place.unwrap(wrapped, &wrapping(), key(kcv).kcv()).is_some()
        };
        assert!(opens(right, &wrapped, 5));
        assert!(!opens(right, &wrapped, 6), "another check value");
        for moved in [context(2, 2, 9), context(1, 1, 9), context(2, 1, 9), context(1, 2, 8)] {
            assert!(!opens(moved, &wrapped, 5));
        }
        let mut claimed = wrapped.clone();
        claimed.by = KeyId::new(4).unwrap();
        assert!(!opens(right, &claimed, 5));
        for bit in 0..61 * 8 {
            let mut flipped = wrapped.clone();
            flipped.bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(right, &flipped, 5), "bit {bit}");
        }
    }

    fn keys(tenant: u128, subject: Option<u128>) -> (TenantKeys, SubjectId) {
        let (tenant, messages) = (TenantId::from(Uuid::from_u128(tenant)), Arc::new(Messages::new(0)));
        let id = SubjectId::from(Uuid::from_u128(subject.unwrap_or(0)));
        let key =
            if subject.is_some() { LiveKey::of_subject(key(5), id, messages) } else { LiveKey::new(key(5), messages) };
        let slot = KeySlot { id: KeyId::new(9).unwrap(), purpose: Purpose::Aead, state: SlotState::Active(key) };
        (TenantKeys::new(tenant, vec![slot], NonceSource::default()), id)
    }

    /// Everybody has the same key under the same number: the derivation alone tells them apart.
    #[test]
    fn a_value_is_bound_to_its_subject() {
        let of = |tenant, subject| {
            let (keys, id) = keys(tenant, subject);
            SubjectKeys::new(keys, id)
        };
        let row = Uuid::nil();
        let sealed = of(1, Some(2)).seal::<Name>(&row, &Secret::new("Ada".to_owned())).unwrap();
        assert_eq!(of(1, Some(2)).open(&row, &sealed).unwrap().expose(), "Ada");
        // Another subject, another tenant, exchanged, and the tenant itself.
        for other in [of(1, Some(3)), of(2, Some(2)), of(2, Some(1)), of(1, None)] {
            other.open(&row, &sealed).unwrap_err();
        }
    }
}
