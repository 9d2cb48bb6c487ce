//! One person's changes within one transaction.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Executor, Postgres};

use super::Members;
use super::turn::Turn;
use crate::actor::Actor;
use crate::error::Error;
use crate::guard::{Change, Target};
use crate::ident::UserId;
use crate::mode::Direct;
use crate::permission::Permission;
use crate::postgres::changed::{Action, Changed};
use crate::postgres::facts::{self, Facts};
use crate::postgres::loading::Loaded;
use crate::postgres::owners;
use crate::postgres::refused::{Refused, Stop};
use crate::postgres::standing::Status;
use crate::reason::Reason;

/// What one person changes within one transaction: made by [`Members::by`].
///
/// Every method gives `Ok(Err(refused))` if a rule stands against it, and nothing is written then. After an `Err` roll the
/// transaction back.
#[derive(Debug)]
pub struct Granting<'a, P: Permission, E: ?Sized> {
    pub(super) members: &'a Members<P>,
    granter: &'a Actor<P, Direct>,
    pub(super) tx: &'a mut E,
}

/// What is known once it is the transaction's turn.
pub(super) struct Seen<P: Permission> {
    /// The granter's session, with what the granter has now.
    pub(super) granter: Actor<P, Direct>,
    pub(super) target: Facts,
    /// The target with all that it has; of a suspended one what it would have again.
    pub(super) actor: Actor<P, Direct>,
}

/// A statement that is ready to be sent.
pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

impl<'a, P: Permission, E: ?Sized> Granting<'a, P, E>
where
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    pub(super) const fn new(members: &'a Members<P>, granter: &'a Actor<P, Direct>, tx: &'a mut E) -> Self {
        Self { members, granter, tx }
    }

    pub(super) const fn user(&self) -> UserId {
        self.granter.subject().user()
    }

    /// Waits for the turn and sees what granter and target have.
    pub(super) async fn see(&mut self, turn: Turn, target: UserId) -> Result<Seen<P>, Stop> {
        let (policy, granter) = (&self.members.policy, self.user());
        let [granter, target] = turn.take(&mut *self.tx, policy, [granter, target]).await?;
        let active = granter.standing.status == Some(Status::Active);
        if !active || self.granter.subject().tenant() != granter.here.tenant {
            return Err(Refused::GranterNotActive.into());
        }
        let granter = self.granter.renewed(Loaded::of(policy, &granter).actor());
        let actor = Loaded::of(policy, &target).build();
        Ok(Seen { granter, target, actor })
    }

    /// As [`see`](Self::see), of a member, if the guard lets the granter do this to the member.
    pub(super) async fn see_member(&mut self, target: UserId, change: &Change<'_, P>) -> Result<Seen<P>, Stop> {
        let seen = self.see(Turn::Authority, target).await?;
        if seen.target.standing.status.is_none() {
            return Err(Refused::NoSuchMember.into());
        }
        self.guard(&seen, change).await?;
        Ok(seen)
    }

    pub(super) async fn guard(&mut self, seen: &Seen<P>, change: &Change<'_, P>) -> Result<(), Stop> {
        let others = owners::beside(&mut *self.tx, seen.target.user).await?;
        let target = Target::new(&seen.actor).other_owners(others);
        Ok(seen.granter.granting(self.members.manage).check(&target, change)?)
    }

    /// Writes the change. The statement says how often it found what it changes.
    pub(super) async fn write(
        &mut self,
        statement: Statement<'_>,
        before: Facts,
        action: Action,
        reason: Reason,
    ) -> Result<Changed, Stop> {
        if statement.execute(&mut *self.tx).await?.rows_affected() == 0 {
            return Err(Refused::NothingToChange.into());
        }
        let by = self.user();
        Ok(record(&mut *self.tx, by, before, action, reason).await?)
    }
}

/// The record of what was done, with what the target has now.
pub(super) async fn record<E>(
    tx: &mut E,
    by: UserId,
    before: Facts,
    action: Action,
    reason: Reason,
) -> Result<Changed, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let [after] = facts::read(tx, [before.user]).await?;
    Ok(Changed {
        tenant: before.here.tenant,
        by,
        target: before.user,
        action,
        reason,
        at: before.here.at,
        before: before.standing,
        after: after.standing,
    })
}
