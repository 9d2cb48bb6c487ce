//! The grants, as the database has them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_rbac::GrantRow;
use uuid::Uuid;

use crate::{
    error::Error,
    observation::Subject,
    postgres::read_only::{close, open, unreadable},
};

const GRANTS: &str = "
    SELECT m.tenant_id, m.user_id, m.status = 'suspended' AS suspended, g.kind, g.name, g.scope, g.expires_at
      FROM stockade.rbac_member m
      JOIN (SELECT a.tenant_id, a.user_id, 'role' AS kind, a.role AS name, NULL AS scope, a.expires_at FROM stockade.rbac_role_assignment a
            UNION ALL
            SELECT o.tenant_id, o.user_id, o.effect, o.permission, o.scope, o.expires_at FROM stockade.rbac_override o) AS g
        ON g.tenant_id = m.tenant_id AND g.user_id = m.user_id
     ORDER BY m.tenant_id, m.user_id, g.kind, g.name";

const HOLDERS: &str = "
    SELECT DISTINCT a.user_id, a.role
      FROM stockade.rbac_role_assignment a
      JOIN stockade.rbac_member m ON m.tenant_id = a.tenant_id AND m.user_id = a.user_id
     WHERE a.role = ANY ($1) AND m.status = 'active' AND (a.expires_at IS NULL OR a.expires_at > now())
     ORDER BY a.role, a.user_id";

#[derive(Debug, sqlx::FromRow)]
struct Row {
    tenant_id: Uuid,
    user_id: Uuid,
    suspended: bool,
    kind: String,
    name: String,
    scope: Option<String>,
    expires_at: Option<DateTime<Utc>>,
}

/// The grants of each tenant.
pub(super) type Grants = BTreeMap<Uuid, Vec<GrantRow>>;

pub(super) async fn read(connection: &mut PgConnection) -> Result<Grants, Error> {
    let mut reading = open(connection).await?;
    let rows = sqlx::query_as(GRANTS).fetch_all(&mut *reading).await.map_err(unreadable);
    let rows: Vec<Row> = close(reading, rows).await?;
    if rows.is_empty() {
        return Err(Error::unavailable("no grant is visible to this connection"));
    }
    let mut grants = Grants::new();
    for row in rows {
        grants.entry(row.tenant_id).or_default().push(row.grant());
    }
    Ok(grants)
}

impl Row {
    fn grant(self) -> GrantRow {
        let grant = match self.kind.as_str() {
            "role" => GrantRow::role(self.user_id, self.name),
            "deny" => GrantRow::deny(self.user_id, self.name),
            _ => GrantRow::allow(self.user_id, self.name, self.scope.unwrap_or_default()),
        };
        let grant = match self.expires_at {
            Some(expires) => grant.until(expires),
            None => grant,
        };
        if self.suspended { grant.suspended() } else { grant }
    }
}

pub(super) fn of_tenant(tenant: Uuid) -> Subject {
    Subject::new(format!("grants of tenant {tenant}"))
}

/// Who holds one of these roles now, each with the role: for `mfa.privileged`, whose accounts another connection may see.
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the database cannot be read, or if nobody is visible.
pub async fn holders(connection: &mut PgConnection, roles: &[&str]) -> Result<Vec<(Uuid, String)>, Error> {
    let mut reading = open(connection).await?;
    let found = sqlx::query_as(HOLDERS).bind(roles).fetch_all(&mut *reading).await.map_err(unreadable);
    let found: Vec<(Uuid, String)> = close(reading, found).await?;
    if found.is_empty() {
        return Err(Error::unavailable("no holder of a privileged role is visible to this connection"));
    }
    Ok(found)
}
