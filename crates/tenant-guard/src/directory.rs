//! Whether a tenant may have scopes at all.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::future::BoxFuture;

use crate::cache::{Cache, Entry, Missing};
use crate::error::{BoxError, Error};
use crate::tenant::TenantId;

/// How many tenants' statuses are remembered.
const CAPACITY: usize = 65_536;

/// Whether a tenant is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TenantStatus {
    /// It is.
    Active,
    /// It is not for now: unpaid, or under investigation.
    Suspended,
    /// It is not any more: its data is being deleted.
    Deleting,
}

/// Knows the tenants. Asked before a scope opens; see [`TenantDb::with_directory`](crate::TenantDb::with_directory).
pub trait TenantDirectory: Send + Sync + 'static {
    /// The tenant's status, `None` if there is no such tenant.
    ///
    /// The directory is asked outside any tenant's scope, so it needs a login of its own, or a source other than the database.
    fn status(&self, tenant: TenantId) -> impl Future<Output = Result<Option<TenantStatus>, BoxError>> + Send;
}

/// A directory and what it said lately.
#[derive(Clone)]
pub(crate) struct Statuses {
    directory: Arc<dyn Ask>,
    known: Arc<Cache<TenantId, Option<TenantStatus>>>,
    kept: Duration,
}

/// [`TenantDirectory`] as an object.
trait Ask: Send + Sync {
    fn ask(&self, tenant: TenantId) -> BoxFuture<'_, Result<Option<TenantStatus>, BoxError>>;
}

impl<D: TenantDirectory> Ask for D {
    fn ask(&self, tenant: TenantId) -> BoxFuture<'_, Result<Option<TenantStatus>, BoxError>> {
        Box::pin(self.status(tenant))
    }
}

impl Statuses {
    pub(crate) fn new(directory: impl TenantDirectory, kept: Duration) -> Self {
        Self { directory: Arc::new(directory), known: Arc::new(Cache::new(CAPACITY)), kept }
    }

    /// The tenant's status, at most `kept` old. An answer that is older is not used, also when the directory fails.
    pub(crate) async fn of(&self, tenant: TenantId) -> Result<Option<TenantStatus>, Error> {
        let ask = async {
            let asked = Instant::now();
            let value = self.directory.ask(tenant).await?;
            let ends_at = asked.checked_add(self.kept).unwrap_or(asked);
            Ok(Entry { value, renew_at: ends_at, ends_at })
        };
        self.known.obtain(&tenant, ask).await.map_err(|missing| match missing {
            Missing::Failed(error) => Error::directory(Some(error)),
            Missing::FailedElsewhere => Error::directory(None),
        })
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statuses").field("kept", &self.kept).finish_non_exhaustive()
    }
}
