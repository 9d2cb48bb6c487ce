//! Audit entries of what happens outside a desk: sign-ins, lockouts, limits.
//!
//! Those events are seen by observers that may not wait for a database. A queue takes them to one task, which records each
//! inside its own tenant's scope.

use stockade::{
    audit_chain::{self, Entry, TenantId},
    tenant_guard::{self, TenantDb},
};
use tokio::sync::{mpsc, oneshot};

/// The queue's end that takes entries.
#[derive(Clone, Debug)]
pub struct Trail(mpsc::UnboundedSender<Message>);

#[derive(Debug)]
enum Message {
    Record(TenantId, Box<Entry>),
    Flushed(oneshot::Sender<()>),
}

impl Trail {
    /// Starts the task that writes to `tenants`. It ends when every `Trail` is gone.
    #[must_use]
    pub fn start(tenants: TenantDb) -> Self {
        let (sender, mut queue) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                match message {
                    Message::Record(tenant, entry) => {
                        if let Err(error) = record(&tenants, tenant, &entry).await {
                            complain(&error);
                        }
                    }
                    Message::Flushed(done) => drop(done.send(())),
                }
            }
        });
        Self(sender)
    }

    /// Takes an entry; never waits.
    pub fn send(&self, tenant: TenantId, entry: Entry) {
        // The receiving task lives as long as any sender does.
        drop(self.0.send(Message::Record(tenant, Box::new(entry))));
    }

    /// Waits until everything that was sent before is recorded.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        drop(self.0.send(Message::Flushed(done)));
        drop(flushed.await);
    }
}

async fn record(tenants: &TenantDb, tenant: TenantId, entry: &Entry) -> anyhow::Result<()> {
    let mut tx = tenants.begin(tenant_guard::TenantId::new(tenant.into())).await?;
    audit_chain::postgres::record(&mut tx, entry).await?;
    tx.commit().await?;
    Ok(())
}

#[expect(clippy::print_stderr, reason = "the operator's log of this example is standard error")]
fn complain(error: &anyhow::Error) {
    eprintln!("sample-app: an audit entry was not recorded: {error:#}");
}
