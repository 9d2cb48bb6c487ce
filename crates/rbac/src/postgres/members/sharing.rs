//! Shares of single rows.

use chrono::{DateTime, Utc};
use sqlx::{Executor, Postgres, Row as _, query};
use uuid::Uuid;

use super::granting::{Granting, Seen};
use super::roles::ends_later;
use super::turn::Turn;
use crate::ident::{OfficeId, TeamId, UserId};
use crate::permission::Permission;
use crate::postgres::changed::Shared;
use crate::postgres::facts::Here;
use crate::postgres::refused::{Answer, Refused, answer};
use crate::reason::Reason;
use crate::resource::Resource;
use crate::share::ShareLevel;

const SHARE: &str = "
    INSERT INTO stockade.rbac_share
        (share_id, tenant_id, kind, row_id, user_id, team_id, office_id, level, reason, granted_by, granted_at, expires_at)
    SELECT $1, c.tenant_id, $2, $3, $4, $5, $6, $7, $8, $9, statement_timestamp(), $10 FROM stockade.current_tenant c";
const UNSHARE: &str = "
    DELETE FROM stockade.rbac_share s USING stockade.current_tenant c
    WHERE s.tenant_id = c.tenant_id AND s.share_id = $1 AND s.kind = $2 AND s.row_id = $3
    RETURNING s.user_id, s.team_id, s.office_id, s.level";

/// With whom a row is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SharedWith {
    /// One person.
    User(UserId),
    /// Whoever is in the team at the time.
    Team(TeamId),
    /// Whoever is in the office at the time.
    Office(OfficeId),
}

/// A row that is shared, or that a share of is ended, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct SharedRow<'a, P: Permission> {
    /// The permission to share rows of this kind, which has to reach the row.
    pub by: P,
    /// The permissions that are checked on rows of this kind. Whoever shares has those that the share is good for.
    pub used: &'a [P],
    /// The kind of [`Rows::shared`](crate::Rows::shared).
    pub kind: &'a str,
    /// The row.
    pub id: Uuid,
    /// Its facts.
    pub facts: &'a Resource,
}

impl<P: Permission, E: ?Sized> Granting<'_, P, E>
where
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    /// Shares a row, for good or until a moment. What the granter sees through a share alone is not shared on.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn share(
        &mut self,
        row: &SharedRow<'_, P>,
        with: SharedWith,
        level: ShareLevel,
        reason: &Reason,
        until: Option<DateTime<Utc>>,
    ) -> Answer<Shared> {
        answer(async {
            let Seen { granter, target, .. } = self.see(Turn::Dependent, self.user()).await?;
            granter.granting(row.by).check_share(row.facts, level, row.used)?;
            ends_later(until, target.here.at)?;
            let share = Uuid::now_v7();
            let [user, team, office] = with.columns();
            let statement = query(SHARE).bind(share).bind(row.kind).bind(row.id).bind(user).bind(team).bind(office);
            let statement = statement.bind(level.name()).bind(reason.as_str()).bind(self.user().as_uuid()).bind(until);
            statement.execute(&mut *self.tx).await?;
            Ok(row.record(target.here, share, self.user(), with, level))
        })
        .await
    }

    /// Ends a share of a row. Who may share the row may end any share of it.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn unshare(&mut self, row: &SharedRow<'_, P>, share: Uuid) -> Answer<Shared> {
        answer(async {
            let Seen { granter, target, .. } = self.see(Turn::Dependent, self.user()).await?;
            granter.granting(row.by).check_share(row.facts, ShareLevel::View, &[])?;
            let ended = query(UNSHARE).bind(share).bind(row.kind).bind(row.id);
            let ended = ended.fetch_optional(&mut *self.tx).await?.ok_or(Refused::NoSuchShare)?;
            let id = |column| ended.try_get::<Option<Uuid>, _>(column);
            let with = match (id("user_id")?, id("team_id")?, id("office_id")?) {
                (_, Some(team), _) => SharedWith::Team(team.into()),
                (_, _, Some(office)) => SharedWith::Office(office.into()),
                (user, ..) => SharedWith::User(user.unwrap_or_default().into()),
            };
            let edits = ended.try_get::<&str, _>("level")? == ShareLevel::Edit.name();
            let level = if edits { ShareLevel::Edit } else { ShareLevel::View };
            Ok(row.record(target.here, share, self.user(), with, level))
        })
        .await
    }
}

impl<P: Permission> SharedRow<'_, P> {
    fn record(&self, here: Here, share: Uuid, by: UserId, with: SharedWith, level: ShareLevel) -> Shared {
        Shared { tenant: here.tenant, by, share, kind: self.kind.to_owned(), row: self.id, with, level, at: here.at }
    }
}

impl SharedWith {
    fn columns(self) -> [Option<Uuid>; 3] {
        match self {
            Self::User(user) => [Some(user.as_uuid()), None, None],
            Self::Team(team) => [None, Some(team.as_uuid()), None],
            Self::Office(office) => [None, None, Some(office.as_uuid())],
        }
    }
}
