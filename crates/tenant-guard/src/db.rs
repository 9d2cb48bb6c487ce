//! The only door to the database: a pool that opens nothing but scopes.

use std::fmt;
use std::time::Duration;

use chrono::Utc;
use sqlx::PgPool;
use tokio::runtime::Handle;

use crate::actor::Principal;
use crate::counters::Counters;
use crate::directory::{Statuses, TenantDirectory, TenantStatus};
use crate::error::Error;
use crate::event::{Event, Observer, Observers};
use crate::guard::Guard;
use crate::impersonation::{self, ImpersonationGrant};
#[cfg(feature = "lease")]
use crate::lease::LeaseOffice;
use crate::note::AuditContext;
use crate::tenant::TenantId;
use crate::tx::{Access, Beginning, Context, ReadTx, Scope, TenantTx};
use crate::watch::Watch;

/// A connection pool that can be used only on behalf of a tenant.
///
/// The pool is private: there is no `Deref`, no `Executor` and no `Acquire`, so a query without a scope does not compile. Clones share
/// the pool and the counters.
#[derive(Clone)]
pub struct TenantDb {
    pool: PgPool,
    tenant_column: &'static str,
    counters: Counters,
    observers: Observers,
    statuses: Option<Statuses>,
    told: Option<AuditContext>,
    #[cfg(feature = "lease")]
    office: Option<LeaseOffice>,
}

impl TenantDb {
    /// Takes over a pool.
    ///
    /// Its login role must be subject to row-level security: not the owner of the tables, not a superuser, without `BYPASSRLS`. Keep
    /// no clone of the pool for other queries (see "What this does not do").
    #[must_use]
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            tenant_column: "tenant_id",
            counters: Counters::default(),
            observers: Observers::default(),
            statuses: None,
            told: None,
            #[cfg(feature = "lease")]
            office: None,
        }
    }

    /// Raises the context to a capability lease, for a database whose `stockade.current_tenant` asks for one.
    #[cfg(feature = "lease")]
    #[must_use]
    pub fn with_lease(self, office: LeaseOffice) -> Self {
        Self { office: Some(office), ..self }
    }

    /// Opens scopes only for tenants that the directory calls active. Its answers are used for at most `kept`, so a tenant that is suspended
    /// is served for as long as that.
    #[must_use]
    pub fn with_directory(self, directory: impl TenantDirectory, kept: Duration) -> Self {
        Self { statuses: Some(Statuses::new(directory, kept)), ..self }
    }

    /// Tells an observer of every event.
    #[must_use]
    pub fn with_observer(self, observer: impl Observer) -> Self {
        Self { observers: Observers::new(observer), ..self }
    }

    /// The same database, whose transactions tell `context` to the triggers of an audit log, together with `BEGIN`. For one request:
    /// it needs no round trip of its own, and no privilege on `set_config`.
    ///
    /// The database believes it, as it believes the actor. SQL that is injected into the transaction can replace it, where `set_config` is
    /// not taken from the login.
    #[must_use]
    pub fn telling(&self, context: AuditContext) -> Self {
        Self { told: Some(context), ..self.clone() }
    }

    /// Names the column that is compared with the scope's tenant as rows are read: every `uuid` column of that name in an answer.
    /// `tenant_id` by default.
    #[must_use]
    pub fn with_tenant_column(self, name: &'static str) -> Self {
        Self { tenant_column: name, ..self }
    }

    /// Opens a transaction in the scope of a tenant, or of an actor in a tenant.
    ///
    /// `BEGIN` and the context travel in one round trip. The future may be dropped at any await.
    ///
    /// # Errors
    ///
    /// [`Connection`](crate::ErrorKind::Connection) if the pool gave no connection or the connection failed,
    /// [`Database`](crate::ErrorKind::Database) if the server refused,
    /// [`TenantRefused`](crate::ErrorKind::TenantRefused) and [`DirectoryUnavailable`](crate::ErrorKind::DirectoryUnavailable) with a
    /// directory, [`LeaseUnavailable`](crate::ErrorKind::LeaseUnavailable) with leases,
    /// [`NoRuntime`](crate::ErrorKind::NoRuntime) outside a Tokio runtime.
    pub async fn begin(&self, principal: impl Into<Principal>) -> Result<TenantTx, Error> {
        self.open(principal.into(), Access::ReadWrite).await.map(TenantTx::new)
    }

    /// Opens a `READ ONLY` transaction in the scope of a tenant, or of an actor in a tenant.
    ///
    /// PostgreSQL refuses a write in it (SQLSTATE 25006) when the statement runs.
    ///
    /// # Errors
    ///
    /// As [`begin`](Self::begin).
    pub async fn read(&self, principal: impl Into<Principal>) -> Result<ReadTx, Error> {
        self.open(principal.into(), Access::ReadOnly).await.map(ReadTx::new)
    }

    /// Opens a tenant to platform staff, for reading.
    ///
    /// Writes are refused three times: a [`ReadTx`] is no [`TenantTx`], the transaction is `READ ONLY`, and the context is read-only, which
    /// the read-only policies see. The grant is recorded and the event is told before the first query. A grant that expires does not
    /// end a scope that is open.
    ///
    /// # Errors
    ///
    /// [`GrantExpired`](crate::ErrorKind::GrantExpired), [`NotRecorded`](crate::ErrorKind::NotRecorded), and as [`begin`](Self::begin).
    pub async fn impersonate(&self, grant: &impl ImpersonationGrant) -> Result<ReadTx, Error> {
        Handle::try_current().map_err(Error::no_runtime)?;
        let remaining = (grant.expires_at() - Utc::now()).to_std().map_err(|_| Error::grant_expired())?;
        let guard = self.guard(grant.tenant_id());
        self.admit(grant.tenant_id()).await?;
        grant.record().await.map_err(Error::not_recorded)?;
        guard.watch().impersonation(impersonation::facts(grant));
        let principal = Principal::new(grant.tenant_id(), grant.seen_as().clone().read_only());
        let context = self.context(principal, Some(remaining)).await?;
        self.scope(guard, context, Access::ReadOnly).await.map(ReadTx::new)
    }

    /// The guard of one tenant, which counts what it refuses in [`counters`](Self::counters) and tells the observer.
    #[must_use]
    pub fn guard(&self, tenant: TenantId) -> Guard {
        Guard::new(Watch::new(tenant, self.counters.of(tenant), self.observers.clone()))
    }

    /// What happened since this value was made.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Revokes the leases of a tenant that this process holds, whose open scopes then see no rows. Returns how many there were.
    ///
    /// Other processes keep theirs until they end, and a scope that is being opened meanwhile may still get one.
    ///
    /// # Errors
    ///
    /// [`LeaseUnavailable`](crate::ErrorKind::LeaseUnavailable) if the minter could not be reached. The leases are no longer used by this
    /// process then, but stay valid until they end.
    #[cfg(feature = "lease")]
    pub async fn revoke_leases(&self, tenant: TenantId) -> Result<usize, Error> {
        let Some(office) = &self.office else {
            return Ok(0);
        };
        let leases = office.revoke(tenant).await?;
        self.observers.tell(Event::LeasesRevoked { tenant, leases });
        Ok(leases)
    }

    async fn open(&self, principal: Principal, access: Access) -> Result<Scope, Error> {
        Handle::try_current().map_err(Error::no_runtime)?;
        let tenant = principal.tenant_id();
        self.admit(tenant).await?;
        let context = self.context(principal, None).await?;
        self.scope(self.guard(tenant), context, access).await
    }

    /// What the policies will see. A lease is not kept, and ends in time, if the scope is granted for no more than `remaining`.
    async fn context(&self, principal: Principal, remaining: Option<Duration>) -> Result<Context, Error> {
        #[cfg(feature = "lease")]
        if let Some(office) = &self.office {
            let lease = match remaining {
                None => office.lease(&principal, &self.observers).await?,
                Some(remaining) => office.short_lease(&principal, remaining, &self.observers).await?,
            };
            return Ok(Context::Lease(lease));
        }
        #[cfg(not(feature = "lease"))]
        let _ = remaining;
        Ok(Context::Settings(principal))
    }

    async fn scope(&self, guard: Guard, context: Context, access: Access) -> Result<Scope, Error> {
        Scope::begin(&self.pool, guard, self.tenant_column, Beginning { context, told: self.told.clone(), access })
            .await
    }

    async fn admit(&self, tenant: TenantId) -> Result<(), Error> {
        let Some(statuses) = &self.statuses else {
            return Ok(());
        };
        let status = statuses.of(tenant).await?;
        if status == Some(TenantStatus::Active) {
            return Ok(());
        }
        self.observers.tell(Event::TenantRefused { tenant, status });
        Err(Error::tenant_refused(status))
    }
}

impl fmt::Debug for TenantDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantDb").field("tenant_column", &self.tenant_column).finish_non_exhaustive()
    }
}
