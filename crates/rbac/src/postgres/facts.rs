//! What the database says of people, read in one query.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row as _};
use uuid::Uuid;

use super::standing::{HeldOverride, HeldRole, Standing, Status};
use crate::error::{Error, Fault};
use crate::ident::{OfficeId, TeamId, TenantId, UserId};
use crate::reason::Reason;
use crate::scope::Scope;
use crate::version::SubjectVersion;

/// One transaction's place and time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    pub(super) tenant: TenantId,
    /// The database's time.
    pub(super) at: DateTime<Utc>,
    /// Whether the transaction has written, as one that holds the tenant's turn has.
    pub(super) has_written: bool,
}

/// Everything about one person at one moment of the database.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) here: Here,
    pub(super) user: UserId,
    pub(super) version: Option<SubjectVersion>,
    pub(super) standing: Standing,
    pub(super) teams: Vec<TeamId>,
    pub(super) offices: Vec<OfficeId>,
}

const FACTS: &str = "
    SELECT 'here' AS part, NULL::uuid AS person, pg_current_xact_id_if_assigned()::text AS name, NULL AS scope, NULL AS reason,
        c.tenant_id AS id, statement_timestamp() AS since, NULL::timestamptz AS until, NULL::bigint AS version
    FROM stockade.current_tenant c
    UNION ALL
    SELECT 'member', m.user_id, m.status, NULL, NULL, NULL, m.joined_at, NULL,
        (SELECT v.version FROM stockade.rbac_subject_version v WHERE v.tenant_id = m.tenant_id AND v.user_id = m.user_id)
    FROM stockade.rbac_member m
    WHERE m.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND m.user_id = ANY ($1)
    UNION ALL
    SELECT 'role', a.user_id, a.role, NULL, a.reason, a.granted_by, a.granted_at, a.expires_at, NULL
    FROM stockade.rbac_role_assignment a
    WHERE a.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND a.user_id = ANY ($1)
    UNION ALL
    SELECT o.effect, o.user_id, o.permission, o.scope, o.reason, o.granted_by, o.granted_at, o.expires_at, NULL
    FROM stockade.rbac_override o
    WHERE o.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND o.user_id = ANY ($1)
    UNION ALL
    SELECT 'team', t.user_id, NULL, NULL, NULL, t.team_id, NULL, NULL, NULL
    FROM stockade.rbac_team_member t
    WHERE t.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND t.user_id = ANY ($1)
    UNION ALL
    SELECT 'office', f.user_id, NULL, NULL, NULL, f.office_id, NULL, NULL, NULL
    FROM stockade.rbac_office_member f
    WHERE f.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND f.user_id = ANY ($1)
    ORDER BY since, name, id";

/// Reads the facts of these people, in their order. One may stand there twice.
pub(super) async fn read<'e, const N: usize>(
    executor: impl PgExecutor<'e>,
    people: [UserId; N],
) -> Result<[Facts; N], Error> {
    let (here, found) = read_all(executor, &people).await?;
    Ok(people.map(|user| found.get(&user).cloned().unwrap_or_else(|| Facts::nothing(here, user))))
}

/// Reads the facts of these people, as far as there are any.
pub(super) async fn read_all<'e>(
    executor: impl PgExecutor<'e>,
    people: &[UserId],
) -> Result<(Here, HashMap<UserId, Facts>), Error> {
    let people: Vec<_> = people.iter().map(|user| user.as_uuid()).collect();
    let rows = sqlx::query(FACTS).bind(people).fetch_all(executor).await?;
    let here = Here::of(&rows)?;
    let mut found = HashMap::new();
    for row in &rows {
        if let Some(user) = row.try_get::<Option<Uuid>, _>("person")?.map(UserId::from) {
            found.entry(user).or_insert_with(|| Facts::nothing(here, user)).add(row)?;
        }
    }
    Ok((here, found))
}

impl Here {
    fn of(rows: &[PgRow]) -> Result<Self, Error> {
        for row in rows {
            if row.try_get::<&str, _>("part")? == "here" {
                let tenant = row.try_get::<Option<Uuid>, _>("id")?.ok_or(Fault::NoTenant)?;
                let has_written = row.try_get::<Option<&str>, _>("name")?.is_some();
                return Ok(Self { tenant: tenant.into(), at: row.try_get("since")?, has_written });
            }
        }
        Err(Fault::NoTenant.into())
    }
}

impl Facts {
    /// Somebody of whom nothing is known.
    fn nothing(here: Here, user: UserId) -> Self {
        let standing = Standing::default();
        Self { here, user, version: None, standing, teams: Vec::new(), offices: Vec::new() }
    }

    fn add(&mut self, row: &PgRow) -> Result<(), Error> {
        match row.try_get("part")? {
            "member" => {
                self.standing.status = Some(Status::named(row.try_get("name")?));
                self.version = row.try_get::<Option<i64>, _>("version")?.map(SubjectVersion::from);
            }
            "role" => self.standing.roles.push(HeldRole {
                role: row.try_get("name")?,
                granted_by: row.try_get::<Uuid, _>("id")?.into(),
                granted_at: row.try_get("since")?,
                reason: Reason::stored(row.try_get("reason")?),
                expires_at: row.try_get("until")?,
            }),
            "team" => self.teams.push(row.try_get::<Uuid, _>("id")?.into()),
            "office" => self.offices.push(row.try_get::<Uuid, _>("id")?.into()),
            _ => self.standing.overrides.push(HeldOverride {
                permission: row.try_get("name")?,
                scope: row.try_get::<Option<&str>, _>("scope")?.and_then(Scope::from_name),
                granted_by: row.try_get::<Uuid, _>("id")?.into(),
                granted_at: row.try_get("since")?,
                reason: Reason::stored(row.try_get("reason")?),
                expires_at: row.try_get("until")?,
            }),
        }
        Ok(())
    }
}
