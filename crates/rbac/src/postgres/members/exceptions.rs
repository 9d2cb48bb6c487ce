//! Exceptions for single members.

use sqlx::{Executor, Postgres, query};

use super::granting::Granting;
use super::roles::ends_later;
use crate::guard::Change;
use crate::ident::UserId;
use crate::overrides::{Effect, Override};
use crate::permission::Permission;
use crate::postgres::changed::{Action, Changed};
use crate::postgres::refused::{Answer, Refused, answer};
use crate::reason::Reason;
use crate::scope::Scope;

/// What has expired is overwritten. What holds was looked for before.
const EXCEPT: &str = "
    INSERT INTO stockade.rbac_override AS o
        (tenant_id, user_id, permission, effect, scope, granted_by, reason, granted_at, expires_at)
    SELECT c.tenant_id, $1, $2, $3, $4, $5, $6, statement_timestamp(), $7 FROM stockade.current_tenant c
    ON CONFLICT (tenant_id, user_id, permission, effect) DO UPDATE SET scope = excluded.scope, granted_by = excluded.granted_by,
        reason = excluded.reason, granted_at = excluded.granted_at, expires_at = excluded.expires_at";
const LIFT: &str = "
    DELETE FROM stockade.rbac_override o USING stockade.current_tenant c
    WHERE o.tenant_id = c.tenant_id AND o.user_id = $1 AND o.permission = $2 AND o.effect = $3";

/// Which exception for a permission: somebody may have one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExceptionKind {
    /// The one that allows.
    Allow,
    /// The one that denies.
    Deny,
}

impl ExceptionKind {
    const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl<P: Permission, E: ?Sized> Granting<'_, P, E>
where
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    /// Makes an exception for a member: [`Override::allow`], [`Override::deny`] or [`Override::deny_until`].
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn except(&mut self, target: impl Into<UserId>, exception: &Override<P>) -> Answer<Changed> {
        answer(async {
            let seen = self.see_member(target.into(), &Change::Override(exception)).await?;
            let (permission, scope, until) = (exception.permission, exception.scope(), exception.until);
            let now = seen.target.here.at;
            ends_later(until, now)?;
            // A denial that is overwritten by one that ends would be a denial lifted.
            let kind = exception.kind();
            let mut held =
                seen.target.standing.overrides.iter().filter(|held| held.expires_at.is_none_or(|end| now < end));
            if held.any(|held| held.permission == permission.key() && held.scope.is_some() == scope.is_some()) {
                return Err(Refused::AlreadyHeld.into());
            }
            let statement = query(EXCEPT).bind(seen.target.user.as_uuid()).bind(permission.key()).bind(kind.name());
            let statement = statement.bind(scope.map(Scope::name)).bind(self.user().as_uuid());
            let statement = statement.bind(exception.reason.as_str().to_owned()).bind(until);
            let action = Action::Except { permission: permission.key(), scope, until };
            self.write(statement, seen.target, action, exception.reason.clone()).await
        })
        .await
    }

    /// Ends an exception of a member.
    ///
    /// # Errors
    ///
    /// As [`assign`](Self::assign).
    pub async fn lift(
        &mut self,
        target: impl Into<UserId>,
        permission: P,
        kind: ExceptionKind,
        reason: Reason,
    ) -> Answer<Changed> {
        answer(async {
            // The guard asks what kind it is, and nothing else of it.
            let ended = match kind {
                ExceptionKind::Allow => {
                    Override { permission, effect: Effect::Allow(Scope::None), reason: reason.clone(), until: None }
                }
                ExceptionKind::Deny => Override::deny(permission, reason.clone()),
            };
            let seen = self.see_member(target.into(), &Change::Lift(&ended)).await?;
            let held = seen.target.standing.overrides.iter();
            let mut held = held.filter(|held| held.permission == permission.key());
            let held = held.find(|held| held.scope.is_some() == (kind == ExceptionKind::Allow));
            let scope = held.and_then(|held| held.scope);
            let statement = query(LIFT).bind(seen.target.user.as_uuid()).bind(permission.key()).bind(kind.name());
            self.write(statement, seen.target, Action::Lift { permission: permission.key(), scope }, reason).await
        })
        .await
    }
}

impl<P: Permission> Override<P> {
    const fn kind(&self) -> ExceptionKind {
        match self.effect {
            Effect::Allow(_) => ExceptionKind::Allow,
            Effect::Deny => ExceptionKind::Deny,
        }
    }
}
