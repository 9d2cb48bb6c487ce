//! A keyring in memory.

use std::fmt;

use zeroize::{Zeroizing, zeroize_stack};

use crate::context::Context;
use crate::data_key::{DataKey, WrappedKey};
use crate::error::Error;
use crate::field_cipher::{Cipher as _, FieldCipher, STACK};
use crate::id::KekId;
use crate::keyring::text;
use crate::kms::{Kms, WrapContext};
use crate::wire::{NONCE, TAG};

/// Key encryption keys in memory: the first wraps, all unwrap.
///
/// A wrapped key is `0x01 ‖ nonce (12) ‖ ciphertext (32) ‖ tag (16)`, AES-256-GCM with the context and the name of the
/// key encryption key as additional data.
pub struct LocalKeyring {
    keks: Vec<(KekId, FieldCipher)>,
    primary: KekId,
}

const VERSION: u8 = 1;

impl LocalKeyring {
    /// A keyring of one new random key, for tests and demonstrations: when it is dropped, everything that was
    /// sealed under it is lost.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyring`](crate::ErrorKind::InvalidKeyring) if `name` is not a [`KekId`],
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness) if the system's generator fails.
    pub fn generate(name: &str) -> Result<Self, Error> {
        let key = DataKey::generate()?;
        let kek = KekId::new(name)?;
        Ok(Self { primary: kek.clone(), keks: vec![(kek, FieldCipher::new(key.expose()))] })
    }

    /// Reads `ID:BASE64` entries, separated by commas or line ends; the first is the primary. Each key is 32 bytes,
    /// as `openssl rand -base64 32` prints them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidKeyring`](crate::ErrorKind::InvalidKeyring), with the number of the entry but not its text.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let entries = text::entries(text)?;
        let Some((primary, _)) = entries.first() else {
            return Err(Error::keyring("the keyring is empty"));
        };
        let primary = primary.clone();
        let keks = entries.iter().map(|(kek, key)| (kek.clone(), FieldCipher::new(key.expose()))).collect();
        Ok(Self { keks, primary })
    }

    #[inline(never)]
    fn seal(&self, context: WrapContext, key: &DataKey) -> Result<WrappedKey, Error> {
        let cipher = self.cipher(&self.primary)?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(Error::randomness)?;
        let mut buffer = Zeroizing::new(*key.expose());
        let aad = aad(context, &self.primary);
        let tag = cipher.encrypt(&nonce, aad.as_bytes(), &mut *buffer).ok_or_else(Error::too_long)?;
        let bytes = [&[VERSION], &nonce[..], &buffer[..], &tag[..]].concat();
        Ok(WrappedKey { kek: self.primary.clone(), bytes })
    }

    #[inline(never)]
    fn open(&self, context: WrapContext, wrapped: &WrappedKey) -> Result<DataKey, Error> {
        let cipher = self.cipher(&wrapped.kek)?;
        let open = || {
            let (&[version], rest) = wrapped.bytes.split_first_chunk::<1>()?;
            let (nonce, rest) = rest.split_first_chunk::<NONCE>()?;
            let (ciphertext, tag) = rest.split_last_chunk::<TAG>()?;
            let mut buffer: Zeroizing<[u8; 32]> = Zeroizing::new(ciphertext.try_into().ok()?);
            if version != VERSION {
                return None;
            }
            cipher.decrypt(nonce, aad(context, &wrapped.kek).as_bytes(), &mut *buffer, tag)?;
            DataKey::from_bytes(&*buffer).ok()
        };
        open().ok_or_else(Error::key_rejected)
    }

    fn cipher(&self, kek: &KekId) -> Result<&FieldCipher, Error> {
        let found = self.keks.iter().find(|(name, _)| name == kek);
        found.map(|(_, cipher)| cipher).ok_or_else(|| Error::unknown_kek(kek.clone()))
    }
}

impl Kms for LocalKeyring {
    fn primary_kek(&self) -> KekId {
        self.primary.clone()
    }

    async fn wrap(&self, context: WrapContext, key: &DataKey) -> Result<WrappedKey, Error> {
        let wrapped = self.seal(context, key);
        zeroize_stack::<STACK>();
        wrapped
    }

    async fn unwrap(&self, context: WrapContext, wrapped: &WrappedKey) -> Result<DataKey, Error> {
        let key = self.open(context, wrapped);
        zeroize_stack::<STACK>();
        key
    }
}

impl fmt::Debug for LocalKeyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.keks.iter().map(|(kek, _)| kek.as_str()).collect();
        f.debug_tuple("LocalKeyring").field(&names).finish()
    }
}

fn aad(context: WrapContext, kek: &KekId) -> Context {
    Context::new("local keyring").part(kek.as_str()).part(context.to_bytes())
}
