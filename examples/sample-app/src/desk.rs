//! A signed-in person at work: one transaction in one tenant's scope, and what the policy lets that person do.

use std::fmt;

use chrono::Utc;
use stockade::{
    audit_chain::{self, Entry, Outcome, RequestContext, Severity},
    rbac::{Actor, Direct, Permission, Resource, Subject},
    session::{Assurance, Session},
    tenant_guard::{self, Principal, TenantId, TenantTx},
};

use crate::{
    app::App,
    domain::people::{self, User},
    permissions::Perm,
};

/// One request of one person.
#[derive(Debug)]
pub struct Desk {
    /// The transaction, bound to the person's tenant until it ends.
    pub tx: TenantTx,
    /// The person.
    pub user: User,
    actor: Actor<Perm, Direct>,
    request: RequestContext,
}

/// The policy's refusal. It is already in the desk's transaction as an audit entry: commit to keep it.
#[derive(Clone, Debug)]
pub struct Refused(String);

impl App {
    /// Opens a desk for the person behind `session`.
    ///
    /// # Errors
    /// When the database fails, or the person is no longer one of the tenant.
    pub async fn desk(&self, session: &Session, request: RequestContext) -> anyhow::Result<Desk> {
        let tenant = uuid::Uuid::from(session.tenant);
        let person = tenant_guard::Actor::new(session.user.into());
        let principal = Principal::new(TenantId::new(tenant), person);
        let mut tx = self.tenants.begin(principal).await?;
        let Some(user) = people::find(&mut tx, session.user.into()).await? else {
            anyhow::bail!("the session's user is not one of its tenant");
        };
        let mut subject = Subject::new(user.id, tenant);
        if let Some(team) = user.team {
            subject = subject.team(team);
        }
        if let Some(office) = user.office {
            subject = subject.office(office);
        }
        let mut actor = self.policy.actor(subject).role(&user.role)?;
        if session.assurance >= Assurance::PasswordAndTotp {
            actor = actor.multi_factor();
        }
        let actor = actor.build();
        Ok(Desk { tx, user, actor, request })
    }
}

impl Desk {
    /// Asks the policy. A refusal is written to the audit log of the desk's transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn require(
        &mut self,
        permission: Perm,
        resource: &Resource,
        (kind, id): (&str, impl fmt::Display),
    ) -> anyhow::Result<Result<(), Refused>> {
        let decision = self.actor.decide(permission, resource);
        if decision.is_allowed() {
            return Ok(Ok(()));
        }
        let refused = Refused(decision.to_string());
        let entry = self
            .entry(permission.key())
            .entity(kind, id.to_string())
            .outcome(Outcome::Denied)
            .severity(Severity::Notice)
            .after(serde_json::json!({ "reason": refused.0 }));
        self.record(&entry).await?;
        Ok(Err(refused))
    }

    /// Whether a page should offer what needs `permission`. The operation asks again.
    #[must_use]
    pub fn may(&self, permission: Perm, resource: &Resource) -> bool {
        self.actor.decide(permission, resource).is_allowed()
    }

    /// The beginning of an audit entry: who, for which tenant, through which request.
    #[must_use]
    pub fn entry(&self, action: &str) -> Entry {
        Entry::new(self.user.tenant_id.into(), self.author(), action)
            .request(self.request.clone())
            .occurred_at(Utc::now())
    }

    /// The person, as the audit log names whoever acts.
    #[must_use]
    pub fn author(&self) -> audit_chain::Actor {
        audit_chain::Actor::user(self.user.id).named(&self.user.name).with_role(&self.user.role)
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

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
