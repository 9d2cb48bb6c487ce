//! The wiring that every application would otherwise write: what happens in one crate becomes an entry of the audit log.
//!
//! Nothing here is needed to use a crate alone.

#[cfg(feature = "field-crypto")]
mod field_crypto;
#[cfg(all(feature = "rbac", feature = "postgres"))]
mod members;
#[cfg(feature = "ratelimit")]
mod ratelimit;
#[cfg(feature = "rbac")]
mod rbac;
#[cfg(feature = "session")]
mod session;
#[cfg(feature = "tenant-guard")]
mod tenant_guard;
#[cfg(all(feature = "postgres", feature = "tenant-guard"))]
mod trail;
#[cfg(feature = "rbac")]
mod uses;

#[cfg(feature = "request")]
#[cfg_attr(docsrs, doc(cfg(feature = "request")))]
pub mod request;

use std::fmt;

use stockade_audit_chain::{Entry, TenantId};
use uuid::Uuid;

#[cfg(feature = "field-crypto")]
pub use self::field_crypto::field_entry;
#[cfg(all(feature = "rbac", feature = "postgres"))]
pub use self::members::{invitation_entry, member_entry, share_entry};
#[cfg(feature = "ratelimit")]
pub use self::ratelimit::limit_entry;
#[cfg(all(feature = "ratelimit", any(feature = "postgres", feature = "redis")))]
pub use self::ratelimit::store_entry;
#[cfg(all(feature = "rbac", feature = "tenant-guard"))]
pub use self::rbac::acting;
#[cfg(all(feature = "rbac", feature = "rls-migrations"))]
pub use self::rbac::row_policies;
#[cfg(feature = "session")]
pub use self::session::session_entry;
#[cfg(feature = "tenant-guard")]
pub use self::tenant_guard::tenant_entry;
#[cfg(all(feature = "postgres", feature = "tenant-guard"))]
pub use self::trail::Trail;
#[cfg(feature = "rbac")]
pub use self::uses::{denied_entry, use_entry};

/// The tenant in whose log stands what concerns no tenant, such as a failed sign-in under an unknown name: the nil UUID.
pub const PLATFORM: Uuid = Uuid::nil();

/// An observer of other crates that turns each event into an audit entry and hands it to a function of the application,
/// usually the sending half of a channel.
///
/// The function is called where the event happens and must not block. Whoever receives the entries records each inside
/// its own tenant's scope.
pub struct Recorder<F>(F);

impl<F: Fn(TenantId, Entry) + Send + Sync + 'static> Recorder<F> {
    /// Hands entries to `record`, each with the tenant whose log it belongs to.
    pub const fn new(record: F) -> Self {
        Self(record)
    }
}

impl<F: Clone> Clone for Recorder<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F> fmt::Debug for Recorder<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorder(..)")
    }
}
