//! What the database says of one person.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row as _};
use uuid::Uuid;

use crate::error::{Error, Fault};
use crate::ident::{OfficeId, SubjectVersion, TeamId, TenantId, UserId};
use crate::reason::Reason;
use crate::scope::Scope;

/// Whether a member may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// The member may.
    Active,
    /// The member has no authority until it is reinstated, and keeps its roles.
    Suspended,
}

/// What a person has in a tenant, as it is stored, expired grants included: for lists of members, and for the audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// `None` for somebody who is not a member.
    pub status: Option<Status>,
    /// Roles, in the order in which they were granted.
    pub roles: Vec<HeldRole>,
    /// Exceptions, in the order in which they were granted.
    pub overrides: Vec<HeldOverride>,
}

/// A role that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldRole {
    /// Its name, which the policy may no longer know.
    pub role: String,
    /// Who granted it.
    pub granted_by: UserId,
    /// When.
    pub granted_at: DateTime<Utc>,
    /// Why.
    pub reason: Reason,
    /// The first moment at which it no longer holds.
    pub expires_at: Option<DateTime<Utc>>,
}

/// An exception that somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldOverride {
    /// The key of the permission, which the application may no longer know.
    pub permission: String,
    /// The scope of an allow; `None` for a denial.
    pub scope: Option<Scope>,
    /// Who granted it.
    pub granted_by: UserId,
    /// When.
    pub granted_at: DateTime<Utc>,
    /// Why.
    pub reason: Reason,
    /// The first moment at which it no longer holds.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Everything about one person at one moment of the database.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) tenant: TenantId,
    pub(super) user: UserId,
    /// The database's time.
    pub(super) at: DateTime<Utc>,
    /// Whether the transaction has written, as one that holds the tenant's turn has.
    pub(super) has_written: bool,
    pub(super) version: Option<SubjectVersion>,
    pub(super) standing: Standing,
    pub(super) teams: Vec<TeamId>,
    pub(super) offices: Vec<OfficeId>,
}

const FACTS: &str = "
    SELECT 'here' AS part, pg_current_xact_id_if_assigned()::text AS name, NULL AS scope, NULL AS reason, c.tenant_id AS id,
        statement_timestamp() AS since, NULL::timestamptz AS until, NULL::bigint AS version
    FROM stockade.current_tenant c
    UNION ALL
    SELECT 'member', m.status, NULL, NULL, NULL, m.joined_at, NULL,
        (SELECT v.version FROM stockade.rbac_subject_version v WHERE v.tenant_id = m.tenant_id AND v.user_id = m.user_id)
    FROM stockade.rbac_member m
    WHERE m.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND m.user_id = $1
    UNION ALL
    SELECT 'role', a.role, NULL, a.reason, a.granted_by, a.granted_at, a.expires_at, NULL
    FROM stockade.rbac_role_assignment a
    WHERE a.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND a.user_id = $1
    UNION ALL
    SELECT o.effect, o.permission, o.scope, o.reason, o.granted_by, o.granted_at, o.expires_at, NULL
    FROM stockade.rbac_override o
    WHERE o.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND o.user_id = $1
    UNION ALL
    SELECT 'team', NULL, NULL, NULL, t.team_id, NULL, NULL, NULL
    FROM stockade.rbac_team_member t
    WHERE t.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND t.user_id = $1
    UNION ALL
    SELECT 'office', NULL, NULL, NULL, f.office_id, NULL, NULL, NULL
    FROM stockade.rbac_office_member f
    WHERE f.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND f.user_id = $1
    ORDER BY since, name, id";

impl Facts {
    /// Reads them, in one query.
    pub(super) async fn read<'e>(executor: impl PgExecutor<'e>, user: UserId) -> Result<Self, Error> {
        let rows = sqlx::query(FACTS).bind(user.as_uuid()).fetch_all(executor).await?;
        let mut facts = Self {
            tenant: Uuid::nil().into(),
            user,
            at: DateTime::UNIX_EPOCH,
            has_written: false,
            version: None,
            standing: Standing::default(),
            teams: Vec::new(),
            offices: Vec::new(),
        };
        for row in rows {
            facts.add(&row)?;
        }
        if facts.tenant.is_known() { Ok(facts) } else { Err(Fault::NoTenant.into()) }
    }

    fn add(&mut self, row: &PgRow) -> Result<(), Error> {
        match row.try_get("part")? {
            "here" => {
                self.tenant = row.try_get::<Option<Uuid>, _>("id")?.unwrap_or_default().into();
                self.at = row.try_get("since")?;
                self.has_written = row.try_get::<Option<&str>, _>("name")?.is_some();
            }
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

impl Status {
    /// The name in the database: `active` or `suspended`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }

    /// What is not known to be active is not.
    pub(super) fn named(name: &str) -> Self {
        if name == Self::Active.name() { Self::Active } else { Self::Suspended }
    }
}
