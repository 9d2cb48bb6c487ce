//! Roles and status of members.

use chrono::{DateTime, Utc};
use sqlx::{Executor, Postgres, query};

use super::granting::{Granting, Statement};
use super::turn::Turn;
use crate::guard::Change;
use crate::ident::UserId;
use crate::permission::Permission;
use crate::postgres::changed::{Action, Changed};
use crate::postgres::refused::{Answer, Refused, Stop, answer};
use crate::postgres::standing::{Standing, Status};
use crate::reason::Reason;

/// What has expired is overwritten. What holds was looked for before.
const ASSIGN: &str = "
    INSERT INTO stockade.rbac_role_assignment AS a (tenant_id, user_id, role, granted_by, reason, granted_at, expires_at)
    SELECT c.tenant_id, $1, $2, $3, $4, statement_timestamp(), $5 FROM stockade.current_tenant c
    ON CONFLICT (tenant_id, user_id, role) DO UPDATE SET granted_by = excluded.granted_by, reason = excluded.reason,
        granted_at = excluded.granted_at, expires_at = excluded.expires_at";
const REVOKE: &str = "
    DELETE FROM stockade.rbac_role_assignment a USING stockade.current_tenant c
    WHERE a.tenant_id = c.tenant_id AND a.user_id = $1 AND a.role = $2";
const ADMIT: &str = "
    INSERT INTO stockade.rbac_member (tenant_id, user_id, joined_at)
    SELECT c.tenant_id, $1, statement_timestamp() FROM stockade.current_tenant c";
const STATUS: &str = "
    UPDATE stockade.rbac_member m SET status = $2 FROM stockade.current_tenant c
    WHERE m.tenant_id = c.tenant_id AND m.user_id = $1 AND m.status <> $2";
const REMOVE: &str = "
    DELETE FROM stockade.rbac_member m USING stockade.current_tenant c WHERE m.tenant_id = c.tenant_id AND m.user_id = $1";

impl<P: Permission, E: ?Sized> Granting<'_, P, E>
where
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    /// Gives a member a role, for good or until a moment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind`](crate::ErrorKind)`::Database`, `NotSynced` or `NoTransaction`.
    pub async fn assign(
        &mut self,
        target: impl Into<UserId>,
        role: &str,
        reason: Reason,
        until: Option<DateTime<Utc>>,
    ) -> Answer<Changed> {
        answer(async {
            let seen = self.see_member(target.into(), &Change::Assign(role)).await?;
            let (target, standing) = (seen.target.user, &seen.target.standing);
            ends_later(until, seen.target.here.at)?;
            if standing.holds(role, seen.target.here.at) {
                return Err(Refused::AlreadyHeld.into());
            }
            let statement = assignment(target, role, self.user(), &reason, until);
            let action = Action::Assign { role: role.to_owned(), until };
            self.write(statement, seen.target, action, reason.clone()).await
        })
        .await
    }

    /// Takes a role from a member: also one that the policy no longer has.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn revoke(&mut self, target: impl Into<UserId>, role: &str, reason: Reason) -> Answer<Changed> {
        answer(async {
            let seen = self.see_member(target.into(), &Change::Revoke(role)).await?;
            let statement = query(REVOKE).bind(seen.target.user.as_uuid()).bind(role.to_owned());
            self.write(statement, seen.target, Action::Revoke { role: role.to_owned() }, reason).await
        })
        .await
    }

    /// Makes somebody a member, without a role.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn admit(&mut self, person: impl Into<UserId>, reason: Reason) -> Answer<Changed> {
        answer(async {
            let seen = self.see(Turn::Authority, person.into()).await?;
            if seen.target.standing.status.is_some() {
                return Err(Refused::AlreadyMember.into());
            }
            // To come in gives nothing, as to come back does.
            self.guard(&seen, &Change::Reinstate).await?;
            let statement = admission(seen.target.user);
            self.write(statement, seen.target, Action::Admit, reason).await
        })
        .await
    }

    /// Lets a member do nothing until it is reinstated. Roles and exceptions stay.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn suspend(&mut self, target: impl Into<UserId>, reason: Reason) -> Answer<Changed> {
        answer(async {
            let seen = self.see_member(target.into(), &Change::Suspend).await?;
            let statement = query(STATUS).bind(seen.target.user.as_uuid()).bind(Status::Suspended.name());
            self.write(statement, seen.target, Action::Suspend, reason).await
        })
        .await
    }

    /// Lets a suspended member do again what it could.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn reinstate(&mut self, target: impl Into<UserId>, reason: Reason) -> Answer<Changed> {
        answer(async {
            let seen = self.see_member(target.into(), &Change::Reinstate).await?;
            let statement = query(STATUS).bind(seen.target.user.as_uuid()).bind(Status::Active.name());
            self.write(statement, seen.target, Action::Reinstate, reason).await
        })
        .await
    }

    /// Ends a membership, with every role and exception of it. Teams, offices and shares are the application's to clear.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn remove(&mut self, target: impl Into<UserId>, reason: Reason) -> Answer<Changed> {
        answer(async {
            let seen = self.see_member(target.into(), &Change::Remove).await?;
            let statement = query(REMOVE).bind(seen.target.user.as_uuid());
            self.write(statement, seen.target, Action::Remove, reason).await
        })
        .await
    }
}

/// The statement that gives a role.
pub(super) fn assignment<'q>(
    target: UserId,
    role: &str,
    by: UserId,
    reason: &Reason,
    until: Option<DateTime<Utc>>,
) -> Statement<'q> {
    let assignment = query(ASSIGN).bind(target.as_uuid()).bind(role.to_owned()).bind(by.as_uuid());
    assignment.bind(reason.as_str().to_owned()).bind(until)
}

/// The statement that makes a member.
pub(super) fn admission<'q>(person: UserId) -> Statement<'q> {
    query(ADMIT).bind(person.as_uuid())
}

/// Refuses an end that is not in the future.
pub(super) fn ends_later(until: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<(), Stop> {
    if until.is_some_and(|until| until <= now) { Err(Refused::EndsInThePast.into()) } else { Ok(()) }
}

impl Standing {
    /// Whether the person has the role at that moment, whatever the policy says of it.
    #[must_use]
    pub fn holds(&self, role: &str, at: DateTime<Utc>) -> bool {
        self.roles.iter().any(|held| held.role == role && held.expires_at.is_none_or(|end| at < end))
    }
}
