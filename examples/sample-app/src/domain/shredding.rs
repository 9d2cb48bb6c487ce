//! Destroying a driver's key: planned, called off, carried out. The row stays, and nothing opens what was sealed in it.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use stockade::{
    audit_chain::{Entry, Outcome, Severity},
    field_crypto::{
        SubjectId,
        postgres::{Cancellation, Execution, PgShreds, Retention, Shred, ShredRequest, ShredTarget},
    },
    rbac::Resource,
};
use uuid::Uuid;

use crate::{
    app::App,
    columns,
    desk::{Desk, Refused},
    permissions::Perm,
};

/// How long this brokerage keeps its backups.
pub const BACKUPS: Retention = Retention::For(std::time::Duration::from_secs(30 * 24 * 60 * 60));

/// When a shred that is executed at `moment` is complete: no backup holds the key any more.
#[must_use]
pub fn complete_after(moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
    match BACKUPS {
        Retention::For(kept) => moment.checked_add_signed(TimeDelta::from_std(kept).ok()?),
        Retention::Unlimited => None,
    }
}

/// What has been planned for drivers of the tenant, and what became of it, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn history(app: &App, tenant: Uuid) -> Result<Vec<Shred>> {
    Ok(PgShreds::new(app.gate().clone()).history(tenant.into()).await?)
}

/// Plans to destroy a driver's key, a week from now. Ends the desk.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`; `None` if the tenant has no such driver.
pub async fn schedule(app: &App, desk: Desk, driver: Uuid, reason: &str) -> Result<Result<Option<Shred>, Refused>> {
    let tenant = desk.user.tenant_id;
    let Permitted { mut desk, entry } = match permitted(app, desk, "driver.shred.schedule", driver).await? {
        Ok(permitted) => permitted,
        Err(refused) => return Ok(Err(refused)),
    };
    let known = super::drivers::find(&mut desk, driver).await?.is_some();
    let by = desk.user.id.to_string();
    desk.commit(app).await?;
    if !known {
        return Ok(Ok(None));
    }
    let target = ShredTarget::Subject(tenant.into(), SubjectId::from(driver));
    let shred = PgShreds::new(app.gate().clone()).schedule(&ShredRequest::new(target, reason, by)?).await?;
    let planned = json!({ "shred": shred.id.to_string(), "reason": shred.reason, "not_before": shred.execute_after.to_rfc3339() });
    app.trail.send(tenant.into(), entry.after(planned));
    app.seal_soon();
    Ok(Ok(Some(shred)))
}

/// Calls a plan of the tenant off. `None` if it has no such plan. Ends the desk.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn cancel(app: &App, desk: Desk, shred: Uuid) -> Result<Result<Option<Cancellation>, Refused>> {
    let tenant = desk.user.tenant_id;
    let (by, entry) = match over_plan(app, desk, "driver.shred.cancel", shred).await? {
        Ok(Some(begun)) => begun,
        Ok(None) => return Ok(Ok(None)),
        Err(refused) => return Ok(Err(refused)),
    };
    let became = PgShreds::new(app.gate().clone()).cancel(shred.into(), &by).await?;
    if became == Cancellation::Cancelled {
        app.trail.send(tenant.into(), entry);
        app.seal_soon();
    }
    Ok(Ok(Some(became)))
}

/// Carries a plan of the tenant out, if it is due, on a login that can do that and nothing else with keys. `None` if the tenant has
/// no such plan. Ends the desk.
///
/// # Errors
/// When the database fails. A refusal by the policy is the inner `Err`.
pub async fn execute(app: &App, desk: Desk, shred: Uuid) -> Result<Result<Option<Execution>, Refused>> {
    let tenant = desk.user.tenant_id;
    let (by, entry) = match over_plan(app, desk, "driver.shred.execute", shred).await? {
        Ok(Some(begun)) => begun,
        Ok(None) => return Ok(Ok(None)),
        Err(refused) => return Ok(Err(refused)),
    };
    let became =
        PgShreds::new(app.shredder().clone()).execute(shred.into(), &by, &columns::registry(), BACKUPS).await?;
    let entry = match &became {
        Execution::Executed(report) | Execution::Repeated(report) => {
            app.vault.evict(tenant.into());
            let keys: Vec<_> = report
                .keys
                .iter()
                .map(|key| json!({ "key": key.key.to_string(), "kcv": key.kcv.to_string() }))
                .collect();
            entry.severity(Severity::Warning).after(json!({
                "keys": keys,
                "index_entries": report.index_entries,
                "live_at": report.effective_live_at.to_rfc3339(),
                "in_backups_at": report.effective_in_backups_at.map(|at| at.to_rfc3339()),
            }))
        }
        _ => entry.outcome(Outcome::Denied).after(json!({ "reason": "not due" })),
    };
    app.trail.send(tenant.into(), entry);
    app.seal_soon();
    Ok(Ok(Some(became)))
}

/// A desk whose person may shred, and the beginning of the entry that will say what was done.
struct Permitted {
    desk: Desk,
    entry: Entry,
}

async fn permitted(app: &App, desk: Desk, action: &str, what: Uuid) -> Result<Result<Permitted, Refused>> {
    let own = Resource::in_tenant(desk.user.tenant_id);
    match desk.require(Perm::CryptoShred, &own, ("shred", what)) {
        Ok(()) => {
            let entry = desk.entry(action).entity("shred", what).severity(Severity::Notice);
            Ok(Ok(Permitted { desk, entry }))
        }
        Err(refused) => {
            desk.commit(app).await?;
            Ok(Err(refused))
        }
    }
}

/// The person who may decide about a plan of the tenant, and the beginning of the entry; `None` if it has no such plan. Ends the desk.
async fn over_plan(
    app: &App,
    desk: Desk,
    action: &str,
    shred: Uuid,
) -> Result<Result<Option<(String, Entry)>, Refused>> {
    let Permitted { desk, entry } = match permitted(app, desk, action, shred).await? {
        Ok(permitted) => permitted,
        Err(refused) => return Ok(Err(refused)),
    };
    let (tenant, by) = (desk.user.tenant_id, desk.user.id.to_string());
    desk.commit(app).await?;
    Ok(Ok(is_of(app, tenant, shred).await?.then_some((by, entry))))
}

/// Whether the plan is one of this tenant's: the functions of the crate see those of all.
async fn is_of(app: &App, tenant: Uuid, shred: Uuid) -> Result<bool> {
    Ok(history(app, tenant).await?.iter().any(|planned| Uuid::from(planned.id) == shred))
}
