//! From what is stored to an actor.

use chrono::{DateTime, Utc};
use sqlx::PgExecutor;

use super::facts::{self, Facts};
use super::standing::{HeldOverride, HeldRole, Status};
use crate::actor::{Actor, ActorBuilder};
use crate::error::Error;
use crate::ident::UserId;
use crate::mode::Direct;
use crate::overrides::Override;
use crate::permission::Permission;
use crate::policy::Policy;
use crate::subject::Subject;
use crate::version::SubjectVersion;

/// An active member of the transaction's tenant, with its roles, exceptions, teams and offices.
///
/// Add what the session knows, then build: `loaded.actor().multi_factor().build()`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Loaded<P: Permission> {
    actor: ActorBuilder<P>,
    version: Option<SubjectVersion>,
    at: DateTime<Utc>,
    valid_until: Option<DateTime<Utc>>,
    orphans: Vec<Orphan>,
}

/// Something that is stored and that the policy does not have, or no longer so. It gives nothing.
///
/// It is there because a policy was changed after it was granted. Show it to whoever administers the tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Orphan {
    /// A role that the policy does not have, or that cannot be assigned. Its name.
    Role(String),
    /// An exception for a permission that there is not, or wider than the permission may be granted. Its key.
    Override(String),
}

/// Loads a member of the transaction's tenant, in one query.
///
/// `None` for somebody who is not a member, and for a member who is suspended: they may do nothing, so there is no actor. What has
/// expired, by the clock of the database and by that of the policy, is left out.
///
/// A role that the policy no longer has gives nothing and takes nothing else away: it is in [`Loaded::orphans`]. A denial is never
/// dropped while there is such a permission.
///
/// ```no_run
/// # use stockade_rbac::{Policy, Resource, postgres};
/// # stockade_rbac::permissions! { pub enum Perm { LoadView = "load.view": Read, up to Tenant; } }
/// # async fn page(tx: &mut sqlx::PgConnection, policy: &Policy<Perm>, user: uuid::Uuid, load: Resource) -> Result<(), Box<dyn std::error::Error>> {
/// let Some(loaded) = postgres::load(&mut *tx, policy, user).await? else {
///     return Err("not a member".into());
/// };
/// let actor = loaded.actor().build();
/// assert!(actor.decide(Perm::LoadView, &load).is_allowed());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`ErrorKind`](crate::ErrorKind)`::Database`, and `NoTransaction` if the transaction has no tenant.
pub async fn load<'e, P: Permission>(
    executor: impl PgExecutor<'e>,
    policy: &Policy<P>,
    user: impl Into<UserId>,
) -> Result<Option<Loaded<P>>, Error> {
    let [facts] = facts::read(executor, [user.into()]).await?;
    Ok((facts.standing.status == Some(Status::Active)).then(|| Loaded::of(policy, &facts)))
}

impl<P: Permission> Loaded<P> {
    /// What the person would have if it were active.
    pub(super) fn of(policy: &Policy<P>, facts: &Facts) -> Self {
        let mut subject = Subject::new(facts.user, facts.here.tenant);
        for team in &facts.teams {
            subject = subject.team(*team);
        }
        for office in &facts.offices {
            subject = subject.office(*office);
        }
        let mut actor = policy.actor(subject);
        if let Some(version) = facts.version {
            actor = actor.subject_version(version);
        }
        let mut loaded =
            Self { actor, version: facts.version, at: facts.here.at, valid_until: None, orphans: Vec::new() };
        let holds = |expires_at: Option<DateTime<Utc>>| expires_at.is_none_or(|until| facts.here.at < until);
        for held in facts.standing.roles.iter().filter(|held| holds(held.expires_at)) {
            loaded.take_role(held);
        }
        for held in facts.standing.overrides.iter().filter(|held| holds(held.expires_at)) {
            loaded.take_override(held);
        }
        loaded
    }

    fn take_role(&mut self, held: &HeldRole) {
        let actor = self.actor.clone();
        let taken = match held.expires_at {
            Some(until) => actor.role_until(&held.role, until),
            None => actor.role(&held.role),
        };
        match taken {
            Ok(actor) => {
                self.actor = actor;
                self.end_by(held.expires_at);
            }
            Err(_) => self.orphans.push(Orphan::Role(held.role.clone())),
        }
    }

    fn take_override(&mut self, held: &HeldOverride) {
        let exception = P::from_key(&held.permission).and_then(|permission| {
            let reason = held.reason.clone();
            match (held.scope, held.expires_at) {
                (Some(scope), Some(until)) => Override::allow(permission, scope, reason, until).ok(),
                (Some(_), None) => None,
                (None, Some(until)) => Some(Override::deny_until(permission, reason, until)),
                (None, None) => Some(Override::deny(permission, reason)),
            }
        });
        match exception {
            Some(exception) => {
                self.actor = self.actor.clone().with_override(exception);
                self.end_by(held.expires_at);
            }
            None => self.orphans.push(Orphan::Override(held.permission.clone())),
        }
    }

    fn end_by(&mut self, until: Option<DateTime<Utc>>) {
        self.valid_until = [self.valid_until, until].into_iter().flatten().min();
    }

    /// The actor to be, for what the session knows: a second factor, ceilings.
    pub fn actor(self) -> ActorBuilder<P> {
        self.actor
    }

    /// The actor, for a session that knows nothing.
    pub fn build(self) -> Actor<P, Direct> {
        self.actor.build()
    }

    /// Which version of the person's authority this is.
    #[must_use]
    pub const fn subject_version(&self) -> Option<SubjectVersion> {
        self.version
    }

    /// When this was so, by the clock of the database.
    #[must_use]
    pub const fn loaded_at(&self) -> DateTime<Utc> {
        self.at
    }

    /// The first moment at which something of this no longer holds.
    #[must_use]
    pub const fn valid_until(&self) -> Option<DateTime<Utc>> {
        self.valid_until
    }

    /// What is stored and gives nothing, because the policy does not have it.
    #[must_use]
    pub fn orphans(&self) -> &[Orphan] {
        &self.orphans
    }
}
