//! Assessments that a person records.

use anyhow::Result;
use stockade::{
    posture::{Assessment, history},
    rbac::Resource,
    session::tower::Visit,
};

use crate::{app::App, authority::Visitor, controls, desk::Refused, permissions::Perm};

/// Assesses the person's tenant and records it in the audit log, in the person's name. `visit` is the request
/// that asked for it.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn record(app: &App, visitor: &Visitor, visit: &Visit) -> Result<Result<Assessment, Refused>> {
    let own = Resource::in_tenant(visitor.user.tenant_id);
    let desk = app.desk(visitor).await?;
    let allowed = desk.require(Perm::PostureRecord, &own, ("posture", "assessment"));
    // The measurements take connections of their own: this one is given back first.
    desk.commit(app).await?;
    if let Err(refused) = allowed {
        return Ok(Err(refused));
    }
    let assessment = controls::assess(app, visitor.user.tenant_id, Some(visit)).await?;
    let mut desk = app.desk(visitor).await?;
    let entry =
        history::entry(&assessment, visitor.user.tenant_id.into(), desk.author()).request(desk.asked().context());
    desk.record(&entry).await?;
    desk.commit(app).await?;
    // So that the page that follows has it.
    app.seal_now().await?;
    Ok(Ok(assessment))
}
