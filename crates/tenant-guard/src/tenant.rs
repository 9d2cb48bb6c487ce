//! Who a row, an item or a transaction belongs to.

use std::fmt;

use uuid::Uuid;

/// The identifier of a tenant.
///
/// A type of its own, so that no UUID at hand (of a user, of a load) passes for a tenant. Making one says that the caller has decided
/// whom it acts for: take it from a verified session, never from a header or a path.
///
/// It encodes and decodes as `uuid`, so it can be bound to a query and be a field of a `FromRow` struct.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct TenantId(Uuid);

impl TenantId {
    /// The tenant of a UUID, as `From<Uuid>` makes it.
    #[must_use]
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }

    /// The identifier as a UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for TenantId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl From<TenantId> for Uuid {
    fn from(tenant: TenantId) -> Self {
        tenant.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

/// Something that belongs to exactly one tenant: a row that was read, an item that is about to be written.
pub trait TenantScoped {
    /// The tenant it belongs to.
    fn tenant_id(&self) -> TenantId;
}

impl<T: TenantScoped + ?Sized> TenantScoped for &T {
    fn tenant_id(&self) -> TenantId {
        (**self).tenant_id()
    }
}
