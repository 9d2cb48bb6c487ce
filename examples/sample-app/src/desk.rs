//! A person at work: one transaction in one tenant's scope, and what the policy lets that person do.

use std::{fmt, sync::Arc};

use chrono::Utc;
use stockade::{
    audit_chain::{self, Entry, Outcome, RequestContext, Severity},
    rbac::{Permission, Resource, RowFilter, Rows, SubjectVersion, postgres::Granting},
    tenant_guard::{Principal, ReadOnly, ReadWrite, TenantId, TenantTx, Tx},
};

pub use crate::authority::Refused;
use crate::{
    app::App,
    authority::{Authority, Viewer, Visitor},
    domain::people::User,
    permissions::Perm,
};

/// One request of one person: a transaction that may write, or a [`Look`].
#[derive(Debug)]
pub struct Desk<A = ReadWrite> {
    /// The transaction, bound to the person's tenant until it ends.
    pub tx: Tx<A>,
    /// The person.
    pub user: User,
    pub(crate) actor: Arc<Authority>,
    pub(crate) request: RequestContext,
}

/// A desk at which nothing can be written.
pub type Look = Desk<ReadOnly>;

impl App {
    /// Opens a desk for a person who works in their own name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn desk(&self, visitor: &Visitor) -> anyhow::Result<Desk> {
        let mut tx = self.tenants.begin(visitor.principal()?).await?;
        // What the person may do was looked up before this transaction could begin. Nobody has taken any of it since.
        let now: Option<i64> =
            sqlx::query_scalar("SELECT version FROM stockade.rbac_subject_version WHERE user_id = $1")
                .bind(visitor.user.id)
                .fetch_optional(&mut tx)
                .await?;
        anyhow::ensure!(now.map(SubjectVersion::from) == visitor.version, Overtaken);
        let Visitor { user, actor, request, .. } = visitor.clone();
        Ok(Desk { tx, user, actor, request })
    }
}

/// What the person may do was changed while the request was on its way. The same request is answered by what holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overtaken;

impl fmt::Display for Overtaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what the person may do was changed meanwhile")
    }
}

impl std::error::Error for Overtaken {}

impl App {
    /// Opens a desk for looking.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn look(&self, viewer: &Viewer) -> anyhow::Result<Look> {
        let tx = match &viewer.looking {
            Some(looking) => self.tenants.impersonate(looking.as_ref()).await?,
            None => {
                let principal = Principal::new(TenantId::new(viewer.user.tenant_id), viewer.actor.acting()?);
                self.tenants.read(principal).await?
            }
        };
        let Viewer { user, actor, request, .. } = viewer.clone();
        Ok(Desk { tx, user, actor, request })
    }
}

impl<A> Desk<A> {
    /// Whether a page should offer what needs `permission`. The operation asks again.
    #[must_use]
    pub fn may(&self, permission: Perm, resource: &Resource) -> bool {
        self.actor.decide(permission, resource).is_allowed()
    }

    /// The rows that a list may show this person.
    pub fn rows<'a>(&'a self, permission: Perm, rows: &'a Rows) -> RowFilter<'a> {
        self.actor.rows(permission, rows)
    }

    /// The beginning of an audit entry: who, for which tenant, through which request.
    #[must_use]
    pub fn entry(&self, action: &str) -> Entry {
        Entry::new(self.user.tenant_id.into(), self.author(), action)
            .request(self.request.clone())
            .occurred_at(Utc::now())
    }

    /// On whose behalf this person's transactions open.
    ///
    /// # Errors
    /// When the policy has more permissions than scopes can hold.
    pub fn principal(&self) -> anyhow::Result<Principal> {
        Ok(Principal::new(TenantId::new(self.user.tenant_id), self.actor.acting()?))
    }

    /// Whoever is at the keyboard, as the audit log names people.
    #[must_use]
    pub fn author(&self) -> audit_chain::Actor {
        self.user.author()
    }

    /// What is to be recorded when the policy refuses.
    fn refused(&self, permission: Perm, resource: &Resource, kind: &str, id: &str) -> Option<(Refused, Entry)> {
        let decision = self.actor.decide(permission, resource);
        if decision.is_allowed() {
            return None;
        }
        let refused = Refused(decision.to_string());
        let entry = self
            .entry(permission.key())
            .entity(kind, id)
            .outcome(Outcome::Denied)
            .severity(Severity::Notice)
            .after(serde_json::json!({ "reason": refused.0 }));
        Some((refused, entry))
    }
}

impl Desk {
    /// Asks the policy. A refusal is written to the audit log of the desk's transaction: commit to keep it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn require(
        &mut self,
        permission: Perm,
        resource: &Resource,
        (kind, id): (&str, impl fmt::Display),
    ) -> anyhow::Result<Result<(), Refused>> {
        match self.refused(permission, resource, kind, &id.to_string()) {
            None => Ok(Ok(())),
            Some((refused, entry)) => {
                self.record(&entry).await?;
                Ok(Err(refused))
            }
        }
    }

    /// The members of the tenant, as this person may change them, in the desk's transaction.
    ///
    /// # Errors
    /// When this is somebody else's desk.
    pub fn members<'a>(&'a mut self, app: &'a App) -> anyhow::Result<Granting<'a, Perm, TenantTx>> {
        Ok(app.members.by(self.actor.direct()?, &mut self.tx))
    }

    /// Records `entry` in the desk's transaction.
    ///
    /// # Errors
    /// When the database fails: then what it describes must not happen either.
    pub async fn record(&mut self, entry: &Entry) -> anyhow::Result<()> {
        audit_chain::postgres::record(&mut self.tx, entry).await?;
        Ok(())
    }

    /// Keeps everything that happened at this desk.
    ///
    /// # Errors
    /// When the database fails or a statement before failed: then nothing was kept.
    pub async fn commit(self, app: &App) -> anyhow::Result<()> {
        self.tx.commit().await?;
        app.seal_soon();
        Ok(())
    }
}

impl Look {
    /// Asks the policy. A refusal goes to the audit log by the trail: this transaction writes nothing.
    ///
    /// # Errors
    /// The policy's refusal.
    pub fn require(
        &self,
        app: &App,
        permission: Perm,
        resource: &Resource,
        (kind, id): (&str, impl fmt::Display),
    ) -> Result<(), Refused> {
        self.refused(permission, resource, kind, &id.to_string()).map_or(Ok(()), |(refused, entry)| {
            app.trail.send(self.user.tenant_id.into(), entry);
            app.seal_soon();
            Err(refused)
        })
    }

    /// Ends the look.
    ///
    /// # Errors
    /// When the connection failed.
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.tx.close().await?)
    }
}
