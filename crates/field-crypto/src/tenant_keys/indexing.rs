//! Blind indexes under a tenant's index key.

use zeroize::Zeroize;

use super::{SlotState, TenantKeys};
use crate::column::Column;
use crate::error::Error;
use crate::id::Purpose;
use crate::index::{BlindIndex, IndexKind, IndexTag, PerTenant, Search, term};
use crate::secret::Secret;

impl TenantKeys {
    /// The value's tag in a blind index, to be stored beside the sealed value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NothingToIndex`](crate::ErrorKind::NothingToIndex) if normalisation leaves nothing;
    /// [`ErrorKind::KeyDestroyed`](crate::ErrorKind::KeyDestroyed) if the tenant has no active index key any more.
    pub fn index<I>(&self, value: &Secret<<I::Column as Column>::Plain>) -> Result<IndexTag<I>, Error>
    where
        I: BlindIndex<Kind: IndexKind<Scope = PerTenant>>,
        <I::Column as Column>::Plain: AsRef<str>,
    {
        self.tag(&term::<I>(value.expose().as_ref())?)
    }

    /// Looks for a value: what the index holds of it under every key that may have indexed it, and the means to tell
    /// which of the rows that are found hold it. The value may be any text, such as the last four digits.
    ///
    /// # Errors
    ///
    /// As [`index`](Self::index). Also [`ErrorKind::Kms`](crate::ErrorKind::Kms) if one of the keys could not be
    /// unwrapped, because then the search could miss rows.
    pub fn search<I>(&self, value: &Secret<impl AsRef<str> + Zeroize>) -> Result<Search<I>, Error>
    where
        I: BlindIndex<Kind: IndexKind<Scope = PerTenant>>,
    {
        self.searching(value.expose().as_ref())
    }

    /// The tags of [`search`](Self::search) alone, to search with `WHERE tenant_id = $1 AND ssn_index = ANY($2)`. For
    /// an [`Approx`](crate::Approx) index they find candidates only.
    ///
    /// # Errors
    ///
    /// As [`search`](Self::search).
    pub fn probe<I>(&self, value: &Secret<impl AsRef<str> + Zeroize>) -> Result<Vec<IndexTag<I>>, Error>
    where
        I: BlindIndex<Kind: IndexKind<Scope = PerTenant>>,
    {
        Ok(self.search::<I>(value)?.tags().to_vec())
    }

    pub(crate) fn tag<I: BlindIndex>(&self, term: &str) -> Result<IndexTag<I>, Error> {
        let (id, key) = self.active(Purpose::Index)?;
        Ok(key.index_tag(self.0.tenant, id, term))
    }

    pub(crate) fn searching<I: BlindIndex>(&self, value: &str) -> Result<Search<I>, Error> {
        let term = term::<I>(value)?;
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
        Ok(Search::new(term, tags))
    }
}
