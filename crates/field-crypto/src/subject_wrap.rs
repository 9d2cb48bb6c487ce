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
