//! The keys under which tokens are stored.

use std::{collections::BTreeMap, fmt};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    store::Digest,
};

pub(crate) type HmacSha256 = Hmac<Sha256>;

/// The keys that turn tokens into what the store holds (HMAC-SHA-256).
///
/// One key makes new tokens; others may still verify, so that a rotation signs nobody out. In three deployments: add the new key as
/// [`pending`](Self::pending) everywhere; make it the active one, with the old one as [`verify_only`](Self::verify_only) for the
/// absolute session limit; then [`retire`](Self::retired) the old one, so that its number is not given to another key;
/// recovery codes that it made end with it. A rotation also resets lockout counters. Each purpose has a subkey of its own (HKDF-Expand, RFC 5869).
pub struct KeyRing {
    active: (u8, Subkeys),
    others: BTreeMap<u8, Other>,
}

/// What a key of a [`KeyRing`] is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyState {
    /// It verifies what a process has made with it that is already further in a rotation.
    Pending,
    /// It makes new tokens and verifies.
    Active,
    /// It verifies what it made.
    VerifyOnly,
    /// It is gone, and its number is taken.
    Retired,
}

enum Other {
    Pending(Subkeys),
    VerifyOnly(Subkeys),
    Retired,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Session,
    Pending,
    Attempt,
    Recovery,
    Reset,
    Identifier,
    Device,
    ApiToken,
    Impersonation,
    Jwt,
    Refresh,
    #[cfg(feature = "redis")]
    Cache,
}

impl KeyRing {
    /// A ring of one key. `id` is the first byte of each token that the key makes.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the key has fewer than 32 bytes, or if all its bytes are equal, as in a placeholder.
    pub fn single(id: u8, key: impl AsRef<[u8]>) -> Result<Self> {
        Ok(Self { active: (id, Subkeys::derive(key.as_ref())?), others: BTreeMap::new() })
    }

    /// Adds a key that makes no new tokens yet.
    ///
    /// # Errors
    ///
    /// `InvalidInput` as for [`single`](Self::single), or if the ring has this `id`.
    pub fn pending(self, id: u8, key: impl AsRef<[u8]>) -> Result<Self> {
        let subkeys = Subkeys::derive(key.as_ref())?;
        self.add(id, Other::Pending(subkeys))
    }

    /// Adds a key that makes no new tokens any more.
    ///
    /// # Errors
    ///
    /// `InvalidInput` as for [`single`](Self::single), or if the ring has this `id`.
    pub fn verify_only(self, id: u8, key: impl AsRef<[u8]>) -> Result<Self> {
        let subkeys = Subkeys::derive(key.as_ref())?;
        self.add(id, Other::VerifyOnly(subkeys))
    }

    /// Notes that the number of a key that is gone is taken: what it made is refused.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the ring has this `id`.
    pub fn retired(self, id: u8) -> Result<Self> {
        self.add(id, Other::Retired)
    }

    /// The numbers of all keys and what they are for, in order.
    pub fn states(&self) -> impl Iterator<Item = (u8, KeyState)> {
        let others = self.others.iter().map(|(id, other)| (*id, other.state()));
        let mut states: Vec<_> = others.chain([(self.active.0, KeyState::Active)]).collect();
        states.sort_unstable_by_key(|(id, _)| *id);
        states.into_iter()
    }

    fn add(mut self, id: u8, other: Other) -> Result<Self> {
        if self.active.0 == id || self.others.insert(id, other).is_some() {
            return Err(Error::invalid("the key ring has a key with this id"));
        }
        Ok(self)
    }

    pub(crate) fn active_id(&self) -> u8 {
        self.active.0
    }

    /// The digest under the key `id`, or nothing if the ring has no such key.
    pub(crate) fn digest(&self, id: u8, purpose: Purpose, message: &[u8]) -> Option<Digest> {
        let subkeys = if id == self.active.0 { &self.active.1 } else { self.others.get(&id)?.subkeys()? };
        Some(subkeys.digest(purpose, message))
    }

    /// The digest under every key of the ring, the active one first: for what carries no key's id because people type it.
    pub(crate) fn digests(&self, purpose: Purpose, message: &[u8]) -> Vec<Digest> {
        let all = std::iter::once(&self.active.1).chain(self.others.values().filter_map(Other::subkeys));
        all.map(|subkeys| subkeys.digest(purpose, message)).collect()
    }

    /// The subkeys of a purpose, the active key's first.
    #[cfg(feature = "redis")]
    pub(crate) fn macs(&self, purpose: Purpose) -> Vec<HmacSha256> {
        let all = std::iter::once(&self.active.1).chain(self.others.values().filter_map(Other::subkeys));
        all.map(|subkeys| subkeys.mac(purpose).clone()).collect()
    }

    pub(crate) fn active_digest(&self, purpose: Purpose, message: &[u8]) -> Digest {
        self.active.1.digest(purpose, message)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.states()).finish()
    }
}

impl Other {
    fn state(&self) -> KeyState {
        match self {
            Self::Pending(_) => KeyState::Pending,
            Self::VerifyOnly(_) => KeyState::VerifyOnly,
            Self::Retired => KeyState::Retired,
        }
    }

    fn subkeys(&self) -> Option<&Subkeys> {
        match self {
            Self::Pending(subkeys) | Self::VerifyOnly(subkeys) => Some(subkeys),
            Self::Retired => None,
        }
    }
}

struct Subkeys {
    session: HmacSha256,
    pending: HmacSha256,
    attempt: HmacSha256,
    recovery: HmacSha256,
    reset: HmacSha256,
    identifier: HmacSha256,
    device: HmacSha256,
    api_token: HmacSha256,
    impersonation: HmacSha256,
    jwt: HmacSha256,
    refresh: HmacSha256,
    #[cfg(feature = "redis")]
    cache: HmacSha256,
}

impl Subkeys {
    fn derive(key: &[u8]) -> Result<Self> {
        if key.len() < 32 {
            return Err(Error::invalid("a session key has at least 32 bytes"));
        }
        if key.iter().all(|byte| Some(byte) == key.first()) {
            return Err(Error::invalid("the session key is a placeholder"));
        }
        Ok(Self {
            session: subkey(key, b"stockade-session/v1/session")?,
            pending: subkey(key, b"stockade-session/v1/pending")?,
            attempt: subkey(key, b"stockade-session/v1/attempt")?,
            recovery: subkey(key, b"stockade-session/v1/recovery")?,
            reset: subkey(key, b"stockade-session/v1/reset")?,
            identifier: subkey(key, b"stockade-session/v1/identifier")?,
            device: subkey(key, b"stockade-session/v1/device")?,
            api_token: subkey(key, b"stockade-session/v1/api-token")?,
            impersonation: subkey(key, b"stockade-session/v1/impersonation")?,
            jwt: subkey(key, b"stockade-session/v1/jwt")?,
            refresh: subkey(key, b"stockade-session/v1/refresh")?,
            #[cfg(feature = "redis")]
            cache: subkey(key, b"stockade-session/v1/cache")?,
        })
    }

    fn mac(&self, purpose: Purpose) -> &HmacSha256 {
        match purpose {
            Purpose::Session => &self.session,
            Purpose::Pending => &self.pending,
            Purpose::Attempt => &self.attempt,
            Purpose::Recovery => &self.recovery,
            Purpose::Reset => &self.reset,
            Purpose::Identifier => &self.identifier,
            Purpose::Device => &self.device,
            Purpose::ApiToken => &self.api_token,
            Purpose::Impersonation => &self.impersonation,
            Purpose::Jwt => &self.jwt,
            Purpose::Refresh => &self.refresh,
            #[cfg(feature = "redis")]
            Purpose::Cache => &self.cache,
        }
    }

    fn digest(&self, purpose: Purpose, message: &[u8]) -> Digest {
        let mac = self.mac(purpose);
        Digest::from(<[u8; 32]>::from(mac.clone().chain_update(message).finalize().into_bytes()))
    }
}

fn subkey(key: &[u8], info: &[u8]) -> Result<HmacSha256> {
    keyed(expand(key, info)?.as_slice())
}

/// The first block of HKDF-Expand (RFC 5869, 2.3): `HMAC(key, info || 0x01)`.
fn expand(key: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; 32]>> {
    let block = keyed(key)?.chain_update(info).chain_update([1]).finalize();
    Ok(Zeroizing::new(block.into_bytes().into()))
}

fn keyed(key: &[u8]) -> Result<HmacSha256> {
    HmacSha256::new_from_slice(key).map_err(|_| Error::invalid("the key has an impossible length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unhex(text: &str) -> Vec<u8> {
        let pairs = text.as_bytes().chunks(2).map(|pair| str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    /// RFC 5869, A.1, the first 32 of 42 bytes.
    #[test]
    fn rfc_5869_vector() {
        let prk = unhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
        let info = unhex("f0f1f2f3f4f5f6f7f8f9");
        let expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf";
        assert_eq!(expand(&prk, &info).unwrap().to_vec(), unhex(expected));
    }

    /// RFC 4231, test case 1.
    #[test]
    fn rfc_4231_vector() {
        let mac = keyed(&[0x0b; 20]).unwrap().chain_update(b"Hi There");
        let expected = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        assert_eq!(mac.finalize().into_bytes().to_vec(), unhex(expected));
    }

    #[test]
    fn purposes_and_keys_differ() {
        let key: Vec<u8> = (0..32).collect();
        let ring = KeyRing::single(1, &key).unwrap().verify_only(2, [&key[..], b"x"].concat()).unwrap();
        let purposes = [
            Purpose::Session,
            Purpose::Pending,
            Purpose::Attempt,
            Purpose::Recovery,
            Purpose::Reset,
            Purpose::Identifier,
            Purpose::Device,
            Purpose::ApiToken,
            Purpose::Impersonation,
            Purpose::Jwt,
            Purpose::Refresh,
            #[cfg(feature = "redis")]
            Purpose::Cache,
        ];
        let wanted = 2 * purposes.len();
        let mut digests: Vec<_> = purposes
            .into_iter()
            .flat_map(|purpose| [1, 2].map(|id| *ring.digest(id, purpose, b"token").unwrap().as_bytes()))
            .collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), wanted);
        assert_eq!(ring.digests(Purpose::Recovery, b"token").len(), 2);
        assert!(ring.digest(3, Purpose::Session, b"token").is_none());
    }

    #[test]
    fn weak_or_repeated_keys_are_refused() {
        let good: Vec<u8> = (0..32).collect();
        assert!(KeyRing::single(1, [7; 32]).is_err());
        assert!(KeyRing::single(1, &good[..31]).is_err());
        assert!(KeyRing::single(1, &good).unwrap().verify_only(1, &good).is_err());
        assert!(KeyRing::single(1, &good).unwrap().pending(1, &good).is_err());
        assert!(KeyRing::single(1, &good).unwrap().retired(1).is_err());
        assert!(KeyRing::single(1, &good).unwrap().retired(2).unwrap().pending(2, &good).is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        let ring = KeyRing::single(9, (100..132).collect::<Vec<u8>>()).unwrap();
        let ring = ring.retired(1).unwrap();
        assert_eq!(format!("{ring:?}"), "{1: Retired, 9: Active}");
    }
}

#[cfg(test)]
mod vectors;
