//! A tenant's keys, ready for use.

mod live;

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

pub(crate) use self::live::{KeySlot, LiveKey, SlotState};
use crate::column::Column;
use crate::error::{Error, OpenError};
use crate::id::{KeyId, Purpose, TenantId};
use crate::index::{BlindIndex, IndexTag, Normaliser as _};
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
}

impl TenantKeys {
    pub(crate) fn new(tenant: TenantId, slots: Vec<KeySlot>) -> Self {
        Self(Arc::new(Keys { tenant, slots }))
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
        key.messages().count(id)?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(Error::randomness)?;

        let header = wire::header(id);
        let mut bytes = Vec::with_capacity(plain.len().saturating_add(OVERHEAD));
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(&nonce);
        bytes.extend_from_slice(plain);
        let aad = aad(header, row.binding());
        let cipher = key.field_cipher::<C>(self.0.tenant);
        let body = bytes.get_mut(HEADER + NONCE..);
        let tag = body.and_then(|body| cipher.encrypt(&nonce, &aad, body)).ok_or_else(Error::too_long)?;
        bytes.extend_from_slice(&tag);
        Ok(Sealed::new(bytes, id))
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

    /// The value's tag in a blind index, to be stored beside the sealed value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NothingToIndex`](crate::ErrorKind::NothingToIndex) if normalisation leaves nothing;
    /// [`ErrorKind::KeyDestroyed`](crate::ErrorKind::KeyDestroyed) if the tenant has no active index key any more.
    pub fn index<I: BlindIndex>(&self, value: &Secret<<I::Column as Column>::Plain>) -> Result<IndexTag<I>, Error>
    where
        <I::Column as Column>::Plain: AsRef<str>,
    {
        let term = normalised::<I>(value)?;
        let (id, key) = self.active(Purpose::Index)?;
        Ok(key.index_tag(self.0.tenant, id, &term))
    }

    /// The value's tags under every key that may have indexed it, to search with
    /// `WHERE tenant_id = $1 AND ssn_index = ANY($2)`.
    ///
    /// # Errors
    ///
    /// As [`index`](Self::index). Also [`ErrorKind::Kms`](crate::ErrorKind::Kms) if one of the keys could not be
    /// unwrapped, because then the search could miss rows.
    pub fn probe<I: BlindIndex>(&self, value: &Secret<<I::Column as Column>::Plain>) -> Result<Vec<IndexTag<I>>, Error>
    where
        <I::Column as Column>::Plain: AsRef<str>,
    {
        let term = normalised::<I>(value)?;
        self.active(Purpose::Index)?;
        let mut tags = Vec::new();
        for slot in self.0.slots.iter().filter(|slot| slot.purpose == Purpose::Index) {
            match &slot.state {
                SlotState::Active(key) | SlotState::DecryptOnly(key) => {
                    tags.push(key.index_tag(self.0.tenant, slot.id, &term));
                }
                SlotState::Unavailable(retry) => {
                    return Err(Error::kms("an older index key could not be unwrapped", *retry));
                }
                SlotState::Destroyed => {}
            }
        }
        Ok(tags)
    }

    /// Whether the sealing key should be replaced: it has sealed 2^31 messages, half of what it may.
    #[must_use]
    pub fn needs_rotation(&self) -> bool {
        self.active(Purpose::Aead).is_ok_and(|(_, key)| key.messages().rotation_is_due())
    }

    pub(crate) fn slots(&self) -> &[KeySlot] {
        &self.0.slots
    }

    /// A sealing key, for opening.
    pub(crate) fn opening(&self, id: KeyId) -> Result<&LiveKey, OpenError> {
        self.slot(id, Purpose::Aead).ok_or(OpenError::Failed)?.state.opening()
    }

    /// The key that seals, or computes new tags.
    #[cfg(feature = "postgres")]
    pub(crate) fn active_key(&self, purpose: Purpose) -> Result<KeyId, Error> {
        self.active(purpose).map(|(id, _)| id)
    }

    fn slot(&self, id: KeyId, purpose: Purpose) -> Option<&KeySlot> {
        self.0.slots.iter().find(|slot| slot.id == id && slot.purpose == purpose)
    }

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

    /// Whether a plain text has the form of a value under one of this tenant's keys. The key numbers make it
    /// unlikely, about 2^-39, that random bytes such as a seed are mistaken for one.
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
fn aad(header: [u8; HEADER], row: RowBinding) -> [u8; HEADER + RowBinding::LEN] {
    let mut aad = [0; HEADER + RowBinding::LEN];
    for (slot, byte) in aad.iter_mut().zip(header.iter().chain(row.as_bytes())) {
        *slot = *byte;
    }
    aad
}

fn normalised<I: BlindIndex>(value: &Secret<<I::Column as Column>::Plain>) -> Result<Zeroizing<String>, Error>
where
    <I::Column as Column>::Plain: AsRef<str>,
{
    let term = I::Normaliser::normalise(value.expose().as_ref());
    if term.is_empty() { Err(Error::nothing_to_index()) } else { Ok(term) }
}
