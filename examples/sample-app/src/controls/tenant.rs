//! What the tenant's own rows say: sealed columns, keys, grants, and what the audit log covers.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use stockade::{
    field_crypto::postgres::TenantScope,
    posture::{
        Observation,
        audit_chain::{self, Writes},
        field_crypto,
        rbac::{self, Bounds},
    },
};
use uuid::Uuid;

use super::measured;
use crate::{app::App, columns};

/// How old a key-encryption key may get.
const KEK_LIMIT: TimeDelta = TimeDelta::days(365);
/// Who may do what cannot be undone, or give rights to others.
const PRIVILEGED: [&str; 2] = ["owner", "admin"];

pub(super) struct Own {
    pub(super) seen: Vec<Observation>,
    /// Who holds a privileged role, for whoever sees the accounts. Nobody if they could not be read.
    pub(super) privileged: Vec<(Uuid, String)>,
    /// Since when the tenant is here, by its audit log.
    pub(super) since: Option<DateTime<Utc>>,
}

/// In one transaction in the tenant's context, as the login that seals rows anew: the one that sees each sealed value and opens none.
pub(super) async fn measure(app: &App, tenant: Uuid, now: DateTime<Utc>) -> Result<Own> {
    let columns = columns::registry();
    let mut tx = TenantScope::begin(app.rotator(), tenant.into()).await?;
    let mut seen = measured(field_crypto::fields(&mut tx, &columns), now).await;
    let rotation = measured(field_crypto::rotation(&mut tx, &columns, KEK_LIMIT), now).await;
    seen.extend(rotation.into_iter().filter(|seen| concerns(seen, tenant)));
    seen.extend(measured(rbac::least(&mut tx, &app.policy, Bounds::default().break_glass("owner")), now).await);
    let reviews = audit_chain::last_recorded(&mut tx, "access.review").await.unwrap_or_default();
    seen.extend(measured(rbac::review(&mut tx, &app.policy, &reviews), now).await);
    for writes in writes() {
        seen.extend(measured(audit_chain::coverage(&mut tx, writes), now).await);
    }
    let privileged = rbac::holders(&mut tx, &PRIVILEGED).await.unwrap_or_default();
    let since = audit_chain::last_recorded(&mut tx, "tenant.provision").await.unwrap_or_default();
    tx.rollback().await?;
    Ok(Own { seen, privileged, since: since.get(&tenant).copied() })
}

/// Keys of all tenants are in one table, and only this tenant's values are seen: of another's key nothing was measured.
fn concerns(seen: &Observation, tenant: Uuid) -> bool {
    let subject = seen.subject().as_str();
    !subject.starts_with("retired key") || subject.ends_with(&tenant.to_string())
}

/// What this application writes, and how often it does so at least.
fn writes() -> [Writes; 2] {
    [
        Writes::within(TimeDelta::days(7)).action("session.sign_in").action("load.update"),
        Writes::within(TimeDelta::days(365)).action("tenant.provision").action("driver.hire"),
    ]
}
