//! Capability leases: a context that no statement can forge.

mod lifetime;
mod secret;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::time::timeout;

pub use lifetime::{InvalidLifetime, LeaseLifetime};
use secret::{Digest, Secret};

use crate::actor::{Actor, Principal};
use crate::cache::{Cache, Entry, Missing};
use crate::error::Error;
use crate::event::{Event, Observers};
use crate::tenant::TenantId;

/// How many leases a process keeps.
const CAPACITY: usize = 10_000;
/// How long a scope waits for the minter.
const PATIENCE: Duration = Duration::from_secs(5);

/// Mints the leases of a [`TenantDb`](crate::TenantDb) over a login of its own; see [`TenantDb::with_lease`](crate::TenantDb::with_lease).
///
/// A lease is a random secret that the database maps, by its SHA-256, to a tenant and an actor. Leases are kept per principal and used for
/// three quarters of their lifetime; from half of it on they are renewed. When the minter fails, those that are kept serve until then.
#[derive(Clone)]
pub struct LeaseOffice {
    minter: PgPool,
    lifetime: LeaseLifetime,
    kept: Arc<Cache<Principal, Arc<Lease>>>,
}

/// One lease, as this process holds it.
#[derive(Debug)]
pub(crate) struct Lease {
    secret: Secret,
    digest: Digest,
    ends_at: Instant,
}

impl LeaseOffice {
    /// An office over the minter's pool.
    ///
    /// Its login is a member of `stockade_minter` and of nothing else: it can execute `stockade.mint_lease` and `stockade.revoke_lease`,
    /// and cannot read a table. Two connections are plenty.
    #[must_use]
    pub fn new(minter: PgPool, lifetime: LeaseLifetime) -> Self {
        Self { minter, lifetime, kept: Arc::new(Cache::new(CAPACITY)) }
    }

    /// The lease of a principal, minted if none is kept.
    pub(crate) async fn lease(&self, principal: &Principal, observers: &Observers) -> Result<Arc<Lease>, Error> {
        let mint = async {
            let lease = self.mint(principal, self.lifetime.as_duration(), observers).await?;
            Ok(Entry { renew_at: self.lifetime.renewal(lease.ends_at), ends_at: lease.ends_at, value: lease })
        };
        self.kept.obtain(principal, mint).await.map_err(|missing| match missing {
            Missing::Failed(error) => error,
            Missing::FailedElsewhere => Error::lease(None),
        })
    }

    /// A lease that ends within `remaining` and is not kept.
    pub(crate) async fn short_lease(
        &self,
        principal: &Principal,
        remaining: Duration,
        observers: &Observers,
    ) -> Result<Arc<Lease>, Error> {
        self.mint(principal, self.lifetime.as_duration().min(remaining), observers).await
    }

    async fn mint(
        &self,
        principal: &Principal,
        lifetime: Duration,
        observers: &Observers,
    ) -> Result<Arc<Lease>, Error> {
        let secret = Secret::random().map_err(Error::random)?;
        let digest = secret.digest();
        // Before the server's clock starts the lifetime, so that the lease ends here first.
        let asked = Instant::now();
        let tenant = principal.tenant_id();
        if let Err(error) = self.send(principal, digest, lifetime).await {
            observers.tell(Event::LeaseFailed { tenant });
            return Err(error);
        }
        observers.tell(Event::LeaseMinted { tenant });
        let ends_at = asked.checked_add(lifetime.saturating_sub(lifetime / 4)).unwrap_or(asked);
        Ok(Arc::new(Lease { secret, digest, ends_at }))
    }

    async fn send(&self, principal: &Principal, digest: Digest, lifetime: Duration) -> Result<(), Error> {
        let actor = principal.actor();
        let mint = sqlx::query("SELECT stockade.mint_lease($1, $2, make_interval(secs => $3), $4, $5, $6)")
            .bind(digest.to_vec())
            .bind(principal.tenant_id())
            .bind(lifetime.as_secs_f64())
            .bind(actor.map(Actor::id))
            .bind(actor.map_or("", |actor| actor.scopes().as_str()))
            .bind(actor.is_some_and(Actor::is_read_only))
            .execute(&self.minter);
        match timeout(PATIENCE, mint).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(Error::lease(Some(error))),
            Err(_) => Err(Error::lease(None)),
        }
    }

    /// Revokes the kept leases of a tenant: how many there were.
    pub(crate) async fn revoke(&self, tenant: TenantId) -> Result<usize, Error> {
        let leases = self.kept.forget(|principal| principal.tenant_id() == tenant);
        for lease in &leases {
            sqlx::query("SELECT stockade.revoke_lease($1)")
                .bind(lease.digest.to_vec())
                .execute(&self.minter)
                .await
                .map_err(|error| Error::lease(Some(error)))?;
        }
        Ok(leases.len())
    }
}

impl Lease {
    /// The secret, unless the lease has meanwhile ended: with one that the server no longer knows, a scope would see no rows instead of
    /// failing.
    pub(crate) fn secret(&self) -> Result<&str, Error> {
        if Instant::now() < self.ends_at { Ok(self.secret.as_str()) } else { Err(Error::lease(None)) }
    }
}

impl fmt::Debug for LeaseOffice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseOffice").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}
