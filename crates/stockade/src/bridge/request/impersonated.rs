//! Staff who look as somebody else.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;
use stockade_audit_chain::{Entry, Severity};
use stockade_rbac::{AccessRecord, Actor, AuditSink, Direct, Permission, Reason, Timebox};
use stockade_session::tower::Refusal;
use stockade_tenant_guard::{self as tenant_guard, BoxError, ImpersonationGrant, ReadOnly, TenantDb, TenantId};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{
    authority::Authority,
    front::{Front, Person, Shown},
    look::Look,
    recordings,
    refused::Refused,
    viewer::Onlooker,
};
use crate::bridge::acting;

impl<P: Permission> Onlooker<P> {
    /// What staff see through an impersonation: what the target may read, in a transaction that only reads, after an entry in the
    /// tenant's log under both names.
    pub(super) async fn look(&self) -> Result<Look<P>, Refused> {
        let Self { front, asked, impersonation: look, .. } = self;
        let staff = front.staff.as_ref().ok_or(Refusal::Impersonating)?;
        let tenant = self.tenant();
        // Nobody begins an impersonation without a second factor, and it ends with the session that it began in.
        let by = front.authority(staff.home, look.actor.into(), Shown::TwoFactors).await?;
        let target = front.authority(tenant, look.target.into(), Shown::OneFactor).await?;
        let minutes = look.expires_at.signed_duration_since(Utc::now()).num_minutes().saturating_add(1);
        let timebox = Timebox::minutes(u8::try_from(minutes.clamp(1, 30)).unwrap_or(1))?;
        let author = self.author.clone().with_role(by.active_roles().collect::<Vec<_>>().join(" "));
        let unrecorded = match (staff.permit)(&by, &target, Reason::new(&look.reason)?, timebox) {
            Ok(unrecorded) => unrecorded,
            Err(denied) => {
                front.refuse(asked, tenant, &author, &denied, ("user", &look.target.to_string()));
                return Err(denied.into());
            }
        };
        let entry = Entry::new(tenant.as_uuid().into(), author.clone(), "impersonation.look")
            .entity("user", look.target)
            .after(json!({ "reason": look.reason, "session": look.session.to_string() }))
            .severity(Severity::Notice)
            .request(asked.context())
            .occurred_at(Utc::now());
        let mut log = Log { recorded: &self.recorded, tenants: &front.tenants, tenant, entry };
        let actor = unrecorded.record(&mut log).await?;
        let grant = Grant {
            staff: tenant_guard::Actor::new(look.actor.into()),
            seen_as: acting(&actor)?,
            tenant,
            session: look.id.to_string(),
            reason: look.reason.clone(),
            expires_at: look.expires_at,
        };
        let tx = front.tenants.impersonate(&grant).await?;
        Ok(Look::new(tx, Authority::Impersonating(actor), Arc::clone(front), asked.clone(), author))
    }
}

impl<P: Permission> Front<P> {
    async fn authority(&self, tenant: TenantId, user: Uuid, shown: Shown<P>) -> Result<Actor<P, Direct>, Refused> {
        let (tx, actor) = self.open::<ReadOnly>(&self.tenants, &Person { tenant, user, shown }).await?;
        // Where there is one connection, the next transaction needs it.
        tx.close().await?;
        Ok(actor)
    }
}

/// The log of the tenant that is looked at.
struct Log<'a> {
    recorded: &'a OnceCell<()>,
    tenants: &'a TenantDb,
    tenant: TenantId,
    entry: Entry,
}

impl AuditSink for Log<'_> {
    type Error = Refused;

    async fn record(&mut self, _: AccessRecord) -> Result<(), Refused> {
        let write = || recordings::write(self.tenants.clone(), self.tenant, self.entry.clone());
        self.recorded.get_or_try_init(write).await.copied()
    }
}

/// One look, which is recorded: there is no authority for it before.
struct Grant {
    staff: tenant_guard::Actor,
    seen_as: tenant_guard::Actor,
    tenant: TenantId,
    session: String,
    reason: String,
    expires_at: DateTime<Utc>,
}

impl ImpersonationGrant for Grant {
    fn actor(&self) -> &tenant_guard::Actor {
        &self.staff
    }

    fn seen_as(&self) -> &tenant_guard::Actor {
        &self.seen_as
    }

    fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    fn session(&self) -> &str {
        &self.session
    }

    fn reason(&self) -> &str {
        &self.reason
    }

    fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    async fn record(&self) -> Result<(), BoxError> {
        Ok(())
    }
}
