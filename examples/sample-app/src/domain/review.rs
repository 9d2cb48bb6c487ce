//! Who has what, for whoever reviews it: each grant with its reason, frozen.

use std::num::NonZeroU32;

use anyhow::Result;
use chrono::{DateTime, Utc};
use stockade::{
    rbac::{
        AccessReview, GrantRow, Scope,
        postgres::{Member, Status},
    },
    tenant_guard::Tx,
};

use crate::app::App;

/// As many members as are looked through.
pub const MOST: NonZeroU32 = NonZeroU32::new(1_000).unwrap();

/// Every grant of the tenant, as the tables have it.
///
/// # Errors
/// When the database fails.
pub async fn grants<A>(app: &App, tx: &mut Tx<A>) -> Result<Vec<GrantRow>> {
    let members = app.members.list(tx, None, MOST).await?;
    Ok(members.iter().flat_map(rows).collect())
}

fn rows(member: &Member) -> Vec<GrantRow> {
    let told = |row: GrantRow, until: Option<DateTime<Utc>>| {
        let row = until.map_or(row.clone(), |until| row.until(until));
        if member.standing.status == Some(Status::Suspended) { row.suspended() } else { row }
    };
    let roles = member.standing.roles.iter().map(|held| {
        let row = GrantRow::role(member.user, &held.role).granted(held.granted_by, held.granted_at);
        told(row.because(held.reason.as_str()), held.expires_at)
    });
    let exceptions = member.standing.overrides.iter().map(|held| {
        let row = match held.scope {
            Some(scope) => GrantRow::allow(member.user, &held.permission, Scope::name(scope)),
            None => GrantRow::deny(member.user, &held.permission),
        };
        told(row.granted(held.granted_by, held.granted_at).because(held.reason.as_str()), held.expires_at)
    });
    roles.chain(exceptions).collect()
}

/// The review of this moment: it fails rather than leave a grant out.
///
/// # Errors
/// When the database fails, or the grants that were read are not those that were counted.
pub async fn freeze<A>(app: &App, tx: &mut Tx<A>) -> Result<AccessReview> {
    let count: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM stockade.rbac_role_assignment) + (SELECT count(*) FROM stockade.rbac_override)",
    )
    .fetch_one(&mut *tx)
    .await?;
    let tenant = uuid::Uuid::from(tx.tenant_id());
    let rows = grants(app, tx).await?.into_iter().map(Ok::<_, std::convert::Infallible>);
    Ok(AccessReview::freeze(&app.policy, tenant, Utc::now(), usize::try_from(count)?, rows)?)
}
