//! The index key that is no tenant's.

use std::fmt;

use zeroize::Zeroize;

use super::search::term;
use super::{BlindIndex, Global, IndexKind, IndexTag, Search};
use crate::column::Column;
use crate::error::Error;
use crate::secret::Secret;
use crate::tenant_keys::TenantKeys;

/// The key of the [`Global`] indexes, from [`Vault::global_index`](crate::Vault::global_index). Cheap to clone.
///
/// It seals and opens nothing. What it finds is opened with the keys of the tenant whose row it is.
#[derive(Clone)]
pub struct GlobalIndexKeys(TenantKeys);

impl GlobalIndexKeys {
    pub(crate) const fn new(keys: TenantKeys) -> Self {
        Self(keys)
    }

    /// The value's tag, to be stored beside the sealed value.
    ///
    /// # Errors
    ///
    /// As [`TenantKeys::index`].
    pub fn index<I>(&self, value: &Secret<<I::Column as Column>::Plain>) -> Result<IndexTag<I>, Error>
    where
        I: BlindIndex<Kind: IndexKind<Scope = Global>>,
        <I::Column as Column>::Plain: AsRef<str>,
    {
        self.0.tag(&term::<I>(value.expose().as_ref())?)
    }

    /// Looks for a value in the rows of all tenants. What is found must also name its tenant, as
    /// [`Search::matches`] needs that tenant's keys.
    ///
    /// # Errors
    ///
    /// As [`TenantKeys::search`].
    pub fn search<I>(&self, value: &Secret<impl AsRef<str> + Zeroize>) -> Result<Search<I>, Error>
    where
        I: BlindIndex<Kind: IndexKind<Scope = Global>>,
    {
        self.0.searching(value.expose().as_ref())
    }
}

impl fmt::Debug for GlobalIndexKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GlobalIndexKeys(..)")
    }
}
