//! Platform staff looking into a tenant.

use chrono::{DateTime, Utc};

use crate::actor::Actor;
use crate::error::BoxError;
use crate::event::Impersonation;
use crate::tenant::TenantId;

/// The permission of one person to look into one tenant, for a reason, until a time.
///
/// Implemented by whatever decides that: a session, a ticket system. [`TenantDb::impersonate`](crate::TenantDb::impersonate) believes
/// what it says.
pub trait ImpersonationGrant: Sync {
    /// The person at the keyboard, with the scopes that the tenant's policies shall see. Their writes are refused in any case.
    fn actor(&self) -> &Actor;

    /// The person whose rows the tenant's policies show: the one at the keyboard, unless staff looks as somebody else. Nothing is
    /// recorded under this name.
    fn seen_as(&self) -> &Actor {
        self.actor()
    }

    /// The tenant that is looked into.
    fn tenant_id(&self) -> TenantId;

    /// What finds the person's session again. An identifier, not the session's token: it goes into events.
    fn session(&self) -> &str;

    /// Why, in words that the tenant may read.
    fn reason(&self) -> &str;

    /// When the grant ends.
    fn expires_at(&self) -> DateTime<Utc>;

    /// Writes down that the person is about to look, where it lasts. Without that no scope opens.
    fn record(&self) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// The facts of a grant, for an event.
pub(crate) fn facts(grant: &impl ImpersonationGrant) -> Impersonation<'_> {
    Impersonation {
        actor: grant.actor().id(),
        tenant: grant.tenant_id(),
        session: grant.session(),
        reason: grant.reason(),
        expires_at: grant.expires_at(),
    }
}
