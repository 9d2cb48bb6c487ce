//! What an application may want to know at once: refusals, foreign rows, impersonations, leases.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::batch::Straddle;
use crate::directory::TenantStatus;
use crate::gate::Refusal;
use crate::guard::ForeignRow;
use crate::tenant::TenantId;

/// Something that happened in a [`TenantDb`](crate::TenantDb).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The gate refused a statement.
    StatementRefused {
        /// The tenant of the scope.
        tenant: TenantId,
        /// Why.
        refusal: Refusal,
    },
    /// A batch held an item of another tenant.
    BatchRefused(Straddle),
    /// A row of another tenant was read and stopped.
    ForeignRow(ForeignRow),
    /// No scope was opened, because the tenant is unknown (`None`) or not active.
    TenantRefused {
        /// The tenant that was asked for.
        tenant: TenantId,
        /// Its status, if it has one.
        status: Option<TenantStatus>,
    },
    /// Platform staff is about to look into a tenant. Comes before the first query.
    ImpersonationBegun(Impersonation<'a>),
    /// A capability lease was minted.
    LeaseMinted {
        /// Its tenant.
        tenant: TenantId,
    },
    /// A lease could not be minted or renewed.
    LeaseFailed {
        /// The tenant that needed it.
        tenant: TenantId,
    },
    /// The leases of a tenant that this process held were revoked.
    LeasesRevoked {
        /// Their tenant.
        tenant: TenantId,
        /// How many there were.
        leases: usize,
    },
}

/// The facts of an impersonation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Impersonation<'a> {
    /// The person at the keyboard.
    pub actor: Uuid,
    /// The tenant that is looked into.
    pub tenant: TenantId,
    /// What finds the person's session again.
    pub session: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When the grant ends.
    pub expires_at: DateTime<Utc>,
}

/// Is told of every [`Event`], on the thread and at the moment it happens.
///
/// It must not block and must not panic: hand the event to a queue.
pub trait Observer: Send + Sync + 'static {
    /// An event happened.
    fn observe(&self, event: Event<'_>);
}

/// The observer, if there is one, and the `tracing` subscriber, if that feature is on.
#[derive(Clone, Default)]
pub(crate) struct Observers(Option<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn new(observer: impl Observer) -> Self {
        Self(Some(Arc::new(observer)))
    }

    pub(crate) fn tell(&self, event: Event<'_>) {
        #[cfg(feature = "tracing")]
        trace(event);
        if let Some(observer) = &self.0 {
            observer.observe(event);
        }
    }
}

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observers").field(&self.0.is_some()).finish()
    }
}

/// Each event with its identifiers. A reason is free text about people and stays out of the log.
#[cfg(feature = "tracing")]
fn trace(event: Event<'_>) {
    match event {
        Event::StatementRefused { tenant, refusal } => tracing::warn!(%tenant, %refusal, "statement refused"),
        Event::BatchRefused(Straddle { expected, found, index }) => {
            tracing::warn!(tenant = %expected, %found, index, "batch refused");
        }
        Event::ForeignRow(ForeignRow { expected, found }) => tracing::error!(tenant = %expected, %found, "foreign row"),
        Event::TenantRefused { tenant, status } => tracing::warn!(%tenant, ?status, "tenant refused"),
        Event::ImpersonationBegun(Impersonation { actor, tenant, session, expires_at, .. }) => {
            tracing::info!(%tenant, %actor, session, %expires_at, "impersonation begun");
        }
        Event::LeaseMinted { tenant } => tracing::debug!(%tenant, "lease minted"),
        Event::LeaseFailed { tenant } => tracing::warn!(%tenant, "lease not minted"),
        Event::LeasesRevoked { tenant, leases } => tracing::info!(%tenant, leases, "leases revoked"),
    }
}
