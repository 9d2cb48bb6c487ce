//! Assessments in the audit log, and the history that is read back from it.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use stockade::{
    audit_chain::{Actor, postgres},
    posture::{
        Assessment,
        history::{self, Recorded},
    },
    tenant_guard::TenantId,
};
use uuid::Uuid;

use super::assess;
use crate::app::App;

/// As far back as the dashboard looks.
const REACH: TimeDelta = TimeDelta::days(90);

/// What the tenant's own log says of its assessments of the last 90 days.
///
/// # Errors
/// When the log cannot be read.
pub async fn earlier(app: &App, tenant: Uuid, now: DateTime<Utc>) -> Result<Recorded> {
    let mut tx = app.tenants.read(TenantId::new(tenant)).await?;
    let recorded = history::read(&mut tx, tenant.into(), now - REACH, now + TimeDelta::minutes(1)).await?;
    tx.close().await?;
    Ok(recorded)
}

/// Assesses a tenant and records it in the tenant's log, for nobody in particular.
///
/// # Errors
/// When the database fails.
pub async fn record(app: &App, tenant: Uuid) -> Result<Assessment> {
    let assessment = assess(app, tenant, None).await?;
    let mut tx = app.tenants.begin(TenantId::new(tenant)).await?;
    postgres::record(&mut tx, &history::entry(&assessment, tenant.into(), Actor::system("watch"))).await?;
    tx.commit().await?;
    app.seal_soon();
    Ok(assessment)
}
