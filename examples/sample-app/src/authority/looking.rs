//! Staff of the platform, looking at a tenant as one of its people: with a reason, for minutes, writing nothing.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use chrono::{DateTime, Utc};
use serde_json::json;
use stockade::{
    audit_chain::{self, Entry, RequestContext, Severity},
    rbac::{AccessRecord, AuditSink, Reason, Timebox},
    session::{Impersonation, ImpersonationId},
    tenant_guard::{Actor, BoxError, ImpersonationGrant, TenantId},
};
use uuid::Uuid;

use super::{Authority, Viewer};
use crate::{
    app::App,
    domain::people::{SeenBy, User},
    permissions::perm,
};

/// The tenant of the platform itself, to which its staff belong.
pub const HOME: Uuid = Uuid::from_u128(0xf4e1 << 112 | 0xd);

/// One look: who looks, as whom, why, and until when.
#[derive(Clone, Debug)]
pub struct Looking {
    /// The look, as the session crate keeps it.
    pub id: ImpersonationId,
    staff: Actor,
    seen_as: Actor,
    tenant: TenantId,
    session: String,
    reason: String,
    until: DateTime<Utc>,
}

impl App {
    /// Who looks through `impersonation`, and what they see. Each request of it is an entry of the tenant's log, which is there before
    /// anything is shown. `None` if staff or target are no longer members, or the policy allows it no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn looking(&self, impersonation: &Impersonation, request: RequestContext) -> Result<Option<Viewer>> {
        let tenant = Uuid::from(impersonation.tenant);
        let staff = self.member(HOME, impersonation.actor.into()).await?;
        let target = self.member(tenant, impersonation.target.into()).await?;
        let (Some((staff, authority)), Some((mut user, seen))) = (staff, target) else { return Ok(None) };
        // Nobody begins a look without a second factor.
        let authority = authority.actor().multi_factor().build();
        let seen = seen.build();
        user.roles = seen.roles().map(str::to_owned).collect();
        let left = (impersonation.expires_at - Utc::now()).num_minutes() + 1;
        let timebox = Timebox::minutes(u8::try_from(left).unwrap_or(1).clamp(1, 30))?;
        let reason = Reason::new(&impersonation.reason)?;
        let Ok(unrecorded) = authority.impersonate::<perm::Impersonate>(&seen, reason, timebox) else {
            return Ok(None);
        };
        user.seen_by = Some(SeenBy {
            id: staff.id,
            name: staff.name,
            look: impersonation.id.to_string(),
            reason: impersonation.reason.clone(),
            until: impersonation.expires_at,
        });
        let mut log = Log { app: self, user: &user, request: &request };
        let actor = Authority::Impersonating(unrecorded.record(&mut log).await?);
        user.powers = actor.powers();
        let looking = Looking {
            id: impersonation.id,
            staff: Actor::new(staff.id),
            seen_as: actor.acting()?,
            tenant: TenantId::new(tenant),
            session: impersonation.id.to_string(),
            reason: impersonation.reason.clone(),
            until: impersonation.expires_at,
        };
        Ok(Some(Viewer { user, request, actor: Arc::new(actor), looking: Some(Arc::new(looking)) }))
    }
}

/// Writes each use of an impersonation into the log of the tenant that is looked at.
struct Log<'a> {
    app: &'a App,
    user: &'a User,
    request: &'a RequestContext,
}

impl AuditSink for Log<'_> {
    type Error = anyhow::Error;

    async fn record(&mut self, record: AccessRecord) -> Result<()> {
        let entry = Entry::new(self.user.tenant_id.into(), self.user.author(), "impersonation.look")
            .entity("user", self.user.id)
            .after(json!({ "reason": record.reason.as_ref().map_or("", Reason::as_str) }))
            .severity(Severity::Notice)
            .request(self.request.clone())
            .occurred_at(Utc::now());
        let mut tx = self.app.tenants.begin(TenantId::new(self.user.tenant_id)).await?;
        audit_chain::postgres::record(&mut tx, &entry).await?;
        tx.commit().await.context("the look was not recorded, so it does not happen")?;
        self.app.seal_soon();
        Ok(())
    }
}

impl ImpersonationGrant for Looking {
    fn actor(&self) -> &Actor {
        &self.staff
    }

    fn seen_as(&self) -> &Actor {
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
        self.until
    }

    /// It is recorded already: there is no such value without its entry.
    async fn record(&self) -> Result<(), BoxError> {
        Ok(())
    }
}
