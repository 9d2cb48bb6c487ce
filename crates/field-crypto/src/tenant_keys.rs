//! A tenant's keys, ready for use.

mod batch;
mod indexing;
mod live;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

pub(crate) use self::live::{KeySlot, LiveKey, SlotState};
use crate::column::Column;
use crate::error::{Error, OpenError};
use crate::field_cipher::Cipher as _;
use crate::id::{KeyId, Purpose, TenantId};
use crate::nonce::NonceSource;
use crate::plain::Plain;
use crate::row::{RowBinding, RowId as _};
use crate::sealed::Sealed;
use crate::secret::Secret;
use crate::wire::{self, Envelope, HEADER, NONCE, OVERHEAD};

/// The keys of one tenant, from [`Vault::tenant`](crate::Vault::tenant). Cheap to clone.
///
/// Sealing and opening are plain functions that neither wait nor call anybody. Take the handle anew for every request:
/// one that is kept does not learn that a key was added or destroyed.
#[derive(Clone)]
pub struct TenantKeys(Arc<Keys>);

struct Keys {
    tenant: TenantId,
    slots: Vec<KeySlot>,
    nonces: NonceSource,
}

impl TenantKeys {
    pub(crate) fn new(tenant: TenantId, slots: Vec<KeySlot>, nonces: NonceSource) -> Self {
        Self(Arc::new(Keys { tenant, slots, nonces }))
    }

    /// The tenant.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.0.tenant
    }

    /// Encrypts a value for one row of one column, under a fresh random nonce.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::AlreadySealed`](crate::ErrorKind::AlreadySealed) if the value has the form of a sealed value under
    /// one of this tenant's key numbers, as bytes or as text;
    /// [`ErrorKind::KeyExhausted`](crate::ErrorKind::KeyExhausted) after 2^32 messages;
    /// [`ErrorKind::KeyDestroyed`](crate::ErrorKind::KeyDestroyed) if the tenant has no active key any more;
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness) and [`ErrorKind::TooLong`](crate::ErrorKind::TooLong).
    pub fn seal<C: Column>(&self, row: &C::Row, value: &Secret<C::Plain>) -> Result<Sealed<C>, Error> {
        let plain = value.expose().as_plain_bytes();
        if self.looks_sealed(plain) {
            return Err(Error::already_sealed());
        }
        let (id, key) = self.active(Purpose::Aead)?;
        key.messages().count(id, 1)?;
        let mut nonce = [0; NONCE];
        self.0.nonces.fill(&mut nonce)?;
        self.encrypt(id, key, row, &nonce, plain)
    }

    /// Decrypts a value that was sealed for this tenant, column and row.
    ///
    /// # Errors
    ///
    /// [`OpenError::Failed`] for everything that is not such a value, without a reason; [`OpenError::Destroyed`] and
    /// [`OpenError::KeyUnavailable`] if it names a key of this tenant that is destroyed or could not be unwrapped.
    pub fn open<C: Column>(&self, row: &C::Row, sealed: &Sealed<C>) -> Result<Secret<C::Plain>, OpenError> {
        let envelope = sealed.envelope().ok_or(OpenError::Failed)?;
        let key = self.opening(envelope.key)?;
        let cipher = key.field_cipher::<C>(self.0.tenant);
        let aad = aad(wire::header(envelope.key), row.binding());
        let mut plain = Zeroizing::new(envelope.ciphertext.to_vec());
        cipher.decrypt(envelope.nonce, &aad, &mut plain, envelope.tag).ok_or(OpenError::Failed)?;
        C::Plain::from_plain_bytes(plain).map(Secret::new).ok_or(OpenError::Failed)
    }

    /// Whether the sealing key should be replaced: it has sealed 2^31 messages, half of what it may.
    #[must_use]
    pub fn needs_rotation(&self) -> bool {
        self.active(Purpose::Aead).is_ok_and(|(_, key)| key.messages().rotation_is_due())
    }

    pub(crate) fn slots(&self) -> &[KeySlot] {
        &self.0.slots
    }

    /// The key that seals, or computes new tags.
    #[cfg(feature = "postgres")]
    pub(crate) fn active_key(&self, purpose: Purpose) -> Result<KeyId, Error> {
        self.active(purpose).map(|(id, _)| id)
    }

    /// A sealing key, for opening.
    pub(crate) fn opening(&self, id: KeyId) -> Result<&LiveKey, OpenError> {
        self.slot(id, Purpose::Aead).ok_or(OpenError::Failed)?.state.opening()
    }

    pub(crate) fn nonces(&self) -> NonceSource {
        self.0.nonces
    }

    #[inline]
    fn slot(&self, id: KeyId, purpose: Purpose) -> Option<&KeySlot> {
        self.0.slots.iter().find(|slot| slot.id == id && slot.purpose == purpose)
    }

    #[inline]
    pub(crate) fn active(&self, purpose: Purpose) -> Result<(KeyId, &LiveKey), Error> {
        let active = self.0.slots.iter().find_map(|slot| match &slot.state {
            SlotState::Active(key) if slot.purpose == purpose => Some((slot.id, key)),
            _ => None,
        });
        active.ok_or_else(|| {
            if self.0.slots.iter().any(|slot| slot.purpose == purpose) {
                Error::key_destroyed(self.0.tenant, purpose)
            } else {
                Error::not_provisioned(self.0.tenant)
            }
        })
    }

    /// One allocation, of exactly the sealed value's length.
    #[inline]
    fn encrypt<C: Column>(
        &self,
        id: KeyId,
        key: &LiveKey,
        row: &C::Row,
        nonce: &[u8; NONCE],
        plain: &[u8],
    ) -> Result<Sealed<C>, Error> {
        let header = wire::header(id);
        let mut bytes = Vec::with_capacity(plain.len().saturating_add(OVERHEAD));
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(nonce);
        bytes.extend_from_slice(plain);
        let aad = aad(header, row.binding());
        let cipher = key.field_cipher::<C>(self.0.tenant);
        let body = bytes.get_mut(HEADER + NONCE..);
        let tag = body.and_then(|body| cipher.encrypt(nonce, &aad, body)).ok_or_else(Error::too_long)?;
        bytes.extend_from_slice(&tag);
        Ok(Sealed::new(bytes, id))
    }

    /// Whether a plain text has the form of a value under one of this tenant's keys. The key numbers make it
    /// unlikely, about 2^-39, that random bytes such as a seed are mistaken for one.
    #[inline]
    fn looks_sealed(&self, plain: &[u8]) -> bool {
        let ours = |bytes: &[u8]| {
            Envelope::parse(bytes).is_some_and(|envelope| self.slot(envelope.key, Purpose::Aead).is_some())
        };
        ours(plain) || wire::from_text(plain).is_some_and(|bytes| ours(&bytes))
    }
}

impl fmt::Debug for TenantKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.0.slots.iter().map(|slot| slot.id.as_u32()).collect();
        f.debug_struct("TenantKeys").field("tenant", &self.0.tenant).field("keys", &ids).finish()
    }
}

/// What AES-GCM authenticates beside the ciphertext: the header of the value, and its row.
#[inline]
fn aad(header: [u8; HEADER], row: RowBinding) -> [u8; HEADER + RowBinding::LEN] {
    let mut aad = [0; HEADER + RowBinding::LEN];
    if let Some((first, last)) = aad.split_first_chunk_mut() {
        *first = header;
        last.copy_from_slice(row.as_bytes());
    }
    aad
}
