//! Sealing rows anew, or for the first time, while the system runs.

mod batch;
mod job;
mod pace;
mod report;
mod run;

use std::fmt;
use std::ops::ControlFlow;
use std::time::Duration;

use uuid::Uuid;

use self::job::Kind;
pub use self::pace::Pace;
pub use self::report::{JobEnd, JobReport, Progress, RowFailure, RowFailureReason};
use crate::error::Error;
use crate::id::TenantId;
use crate::kms::Kms;
use crate::postgres::columns::SealedColumns;
use crate::postgres::scope::TenantScope;
use crate::store::KeyStore;
use crate::vault::Vault;

/// A worker that goes through a tenant's rows, page by page in the order of their keys, and seals them under the tenant's
/// active keys.
///
/// Each batch is one transaction in the tenant's context. A row is changed only if its content is what was read, so a write of the
/// application wins, and rows that somebody has locked are left for later, so nobody waits. How far it is stands in
/// `stockade.field_jobs`, written with the batch: whoever drops the future, or kills the process, loses at most one batch
/// of work and no value, and the next call goes on from there. A second worker finds the job taken until the first has not
/// been heard of for as long as the lease.
///
/// The table's triggers fire, and know the work by `current_setting('stockade.field_job', true) = 'on'`; a row whose change
/// a trigger or a constraint refuses is reported and left as it is. It needs a tokio runtime with time.
///
/// ```no_run
/// use std::ops::ControlFlow;
/// use stockade_field_crypto::postgres::{ColumnUses, PgKeyStore, Rewriter, SealedColumns, Site};
/// use stockade_field_crypto::{DigitsOnly, Error, KeyChange, LocalKeyring, Purpose, RotationPolicy, TenantId, Vault, columns};
///
/// columns! {
///     pub DriverSsn = "drivers"."ssn": String, row = uuid::Uuid,
///         index DriverSsnIndex = "ssn_index": DigitsOnly;
/// }
///
/// /// Every sealed column: one that is missing here is not rotated and does not keep its key from being retired.
/// fn registry() -> SealedColumns {
///     SealedColumns::new().column::<DriverSsn>(Site::table("public.drivers").index::<DriverSsnIndex>())
/// }
///
/// async fn rotate(
///     vault: &Vault<LocalKeyring, PgKeyStore>, pool: &sqlx::PgPool, tenant: TenantId, old: stockade_field_crypto::KeyId,
/// ) -> Result<KeyChange, Error> {
///     registry().verify(pool).await?;                             // at boot as well
///     let policy = RotationPolicy::default();                     // for caches of five minutes
///     let key = vault.add_key(tenant, Purpose::Aead).await?.key;
///     if vault.promote(tenant, key, policy).await? != KeyChange::Made {
///         return Ok(KeyChange::TooSoon);                          // come back in five minutes
///     }
///     let mut worker = Rewriter::new(vault, registry(), pool.clone())?;
///     worker.rewrite(tenant, |_| ControlFlow::Continue(())).await?;
///     vault.retire(tenant, old, &ColumnUses::new(registry(), pool.clone()), policy).await
/// }
/// ```
pub struct Rewriter<'a, K, S, T> {
    vault: &'a Vault<K, S>,
    columns: SealedColumns,
    scope: T,
    pace: Pace,
    lease: Duration,
    worker: Uuid,
}

const LEASE: Duration = Duration::from_secs(60);

impl<'a, K: Kms, S: KeyStore, T: TenantScope> Rewriter<'a, K, S, T> {
    /// A worker over these columns, whose transactions `scope` begins.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Randomness`](crate::ErrorKind::Randomness) if the system's generator fails.
    pub fn new(vault: &'a Vault<K, S>, columns: SealedColumns, scope: T) -> Result<Self, Error> {
        let mut worker = [0; 16];
        getrandom::fill(&mut worker).map_err(Error::randomness)?;
        let worker = uuid::Builder::from_random_bytes(worker).into_uuid();
        Ok(Self { vault, columns, scope, pace: Pace::default(), lease: LEASE, worker })
    }

    /// The same at another pace.
    #[must_use]
    pub const fn with_pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// The same under a name of its own: a process that starts anew under the same name goes on at once, without waiting
    /// for the end of its own lease. No two workers may have the same name at a time.
    #[must_use]
    pub const fn with_worker(mut self, name: Uuid) -> Self {
        self.worker = name;
        self
    }

    /// The same with another time after which a worker that is not heard of is taken for dead; 60 seconds otherwise.
    #[must_use]
    pub const fn with_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Opens what is sealed under older keys, retired ones included, and seals it under the active ones; index tags are
    /// computed anew in the same `UPDATE`. Call it for each tenant after [`Vault::promote`](crate::Vault::promote).
    ///
    /// `progress` is called after each batch, and ends the call by [`ControlFlow::Break`]; the next call continues.
    ///
    /// # Errors
    ///
    /// Those of the vault, and of the database after some attempts. What is done stays done. A value that does not
    /// open is no error: it is left as it is and reported.
    pub async fn rewrite(
        &mut self,
        tenant: TenantId,
        progress: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<JobReport, Error> {
        self.run(Kind::Rewrite, tenant, progress).await
    }

    /// Seals the plain text of the columns that were registered with [`Site::plain`](crate::postgres::Site::plain), where nothing is sealed
    /// yet. The plain text stays where it is: see [`SealedColumns::verify_backfill`].
    ///
    /// # Errors
    ///
    /// As [`rewrite`](Self::rewrite).
    pub async fn backfill(
        &mut self,
        tenant: TenantId,
        progress: impl FnMut(Progress) -> ControlFlow<()> + Send,
    ) -> Result<JobReport, Error> {
        self.run(Kind::Backfill, tenant, progress).await
    }
}

impl<K, S, T> fmt::Debug for Rewriter<'_, K, S, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewriter").field("columns", &self.columns).field("pace", &self.pace).finish_non_exhaustive()
    }
}
