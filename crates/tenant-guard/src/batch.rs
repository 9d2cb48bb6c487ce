//! A batch of one tenant's items, whole or not at all.

use std::fmt;

use crate::tenant::{TenantId, TenantScoped};
use crate::watch::Watch;

/// Items of one tenant, on their way to the database.
///
/// The first item of another tenant refuses the whole batch for good: what it held is dropped and [`finish`](Self::finish) fails, so
/// ignoring the error of [`push`](Self::push) cannot write the rest.
pub struct Batch<T> {
    tenant: TenantId,
    items: Result<Vec<T>, Straddle>,
    watch: Option<Watch>,
}

/// A batch holds an item of another tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("item {index} belongs to tenant `{found}`, in a batch of tenant `{expected}`")]
pub struct Straddle {
    /// The tenant of the batch.
    pub expected: TenantId,
    /// The tenant of the refused item.
    pub found: TenantId,
    /// The position of the refused item, from zero.
    pub index: usize,
}

impl Straddle {
    /// The straddling batch that an error of [`TenantTx::bulk_insert`](crate::TenantTx::bulk_insert) carries, if that was what stopped it.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Option<Self> {
        match error {
            sqlx::Error::Encode(source) => source.downcast_ref().copied(),
            _ => None,
        }
    }
}

impl From<Straddle> for sqlx::Error {
    fn from(straddle: Straddle) -> Self {
        Self::Encode(Box::new(straddle))
    }
}

impl<T: TenantScoped> Batch<T> {
    /// An empty batch. Counts nothing; see [`Guard::batch`](crate::Guard::batch).
    #[must_use]
    pub const fn new(tenant: TenantId) -> Self {
        Self { tenant, items: Ok(Vec::new()), watch: None }
    }

    pub(crate) const fn watched(watch: Watch) -> Self {
        Self { tenant: watch.tenant_id(), items: Ok(Vec::new()), watch: Some(watch) }
    }

    /// Adds an item of the batch's tenant.
    ///
    /// # Errors
    ///
    /// [`Straddle`] if the item belongs to another tenant, or an earlier one did.
    pub fn push(&mut self, item: T) -> Result<(), Straddle> {
        let items = self.items.as_mut().map_err(|straddle| *straddle)?;
        let found = item.tenant_id();
        if found == self.tenant {
            items.push(item);
            return Ok(());
        }
        let straddle = Straddle { expected: self.tenant, found, index: items.len() };
        self.items = Err(straddle);
        if let Some(watch) = &self.watch {
            watch.refused_batch(straddle);
        }
        Err(straddle)
    }

    /// The items, all of the batch's tenant.
    ///
    /// # Errors
    ///
    /// [`Straddle`] if any push was refused.
    pub fn finish(self) -> Result<Vec<T>, Straddle> {
        self.items
    }

    /// The tenant that every item belongs to.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    /// How many items the batch holds; none after a refusal.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.as_ref().map_or(0, Vec::len)
    }

    /// Whether the batch holds no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("tenant", &self.tenant)
            .field("items", &self.items.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
