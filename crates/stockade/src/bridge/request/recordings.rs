//! Refusals on their way into the audit log.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use stockade_audit_chain::Entry;
use stockade_tenant_guard::{TenantDb, TenantId};
use tokio::task::JoinHandle;

use super::refused::Refused;

/// The refusals of one request. Each is written in a transaction of its own, because that of the handler is rolled back, and by a task of its
/// own, so that a client who hangs up does not end it. The layer waits for them before it answers.
#[derive(Default)]
pub(super) struct Recordings(Mutex<Vec<JoinHandle<Result<(), Refused>>>>);

impl Recordings {
    pub(super) fn start(&self, tenants: &TenantDb, tenant: TenantId, entry: Entry) {
        let task = tokio::spawn(write(tenants.clone(), tenant, entry));
        self.tasks().push(task);
    }

    /// Waits until everything is written.
    pub(super) async fn settle(&self) -> Result<(), Refused> {
        let tasks = mem::take(&mut *self.tasks());
        for task in tasks {
            task.await.map_err(|_| Refused::unrecorded())??;
        }
        Ok(())
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, Vec<JoinHandle<Result<(), Refused>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes an entry in a transaction of its own.
pub(super) async fn write(tenants: TenantDb, tenant: TenantId, entry: Entry) -> Result<(), Refused> {
    let mut tx = tenants.begin(tenant).await?;
    stockade_audit_chain::postgres::record(&mut tx, &entry).await?;
    Ok(tx.commit().await?)
}
