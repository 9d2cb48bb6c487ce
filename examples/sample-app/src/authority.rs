//! Who makes a request, and what they may do: resolved once for each, before anything else happens.

use std::{fmt, sync::Arc};

use anyhow::Result;
use stockade::{
    audit_chain::RequestContext,
    bridge,
    rbac::{
        Actor, Decision, Direct, Impersonating, Permission as _, Resource, RowFilter, Rows, Scope, SubjectVersion,
        postgres::Loaded,
    },
    session::{Assurance, Session},
    tenant_guard::{self, Principal, TenantId},
};
use uuid::Uuid;

mod looking;

pub use looking::{HOME, Looking};

use crate::{
    app::App,
    domain::people::{self, User},
    permissions::Perm,
};

/// A person who is signed in and works in their own name.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The session.
    pub session: Session,
    /// What the audit log says of the request.
    pub request: RequestContext,
    /// The person.
    pub user: User,
    pub(crate) actor: Arc<Authority>,
    pub(crate) version: Option<SubjectVersion>,
}

/// Somebody who looks at a desk: its own person, or staff of the platform who see what that person sees.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The person whose desk it is.
    pub user: User,
    /// What the audit log says of the request.
    pub request: RequestContext,
    pub(crate) actor: Arc<Authority>,
    pub(crate) looking: Option<Arc<Looking>>,
}

impl From<Visitor> for Viewer {
    fn from(visitor: Visitor) -> Self {
        let Visitor { user, request, actor, .. } = visitor;
        Self { user, request, actor, looking: None }
    }
}

/// What a person may do, or what staff may see who look as that person.
#[derive(Clone, Debug)]
pub enum Authority {
    /// In one's own name.
    Direct(Actor<Perm, Direct>),
    /// Looking over somebody's shoulder: reads only, by type.
    Impersonating(Actor<Perm, Impersonating>),
}

impl App {
    /// Finds out who is behind `session` and what they may do. `None` if they are no longer a member of the tenant, or suspended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visitor(&self, session: Session, request: RequestContext) -> Result<Option<Visitor>> {
        let (tenant, person) = (Uuid::from(session.tenant), Uuid::from(session.user));
        let Some((mut user, loaded)) = self.member(tenant, person).await? else { return Ok(None) };
        let version = loaded.subject_version();
        let actor = match session.assurance {
            Assurance::PasswordAndTotp => loaded.actor().multi_factor().build(),
            _ => loaded.build(),
        };
        user.roles = actor.roles().map(str::to_owned).collect();
        let actor = Authority::Direct(actor);
        user.powers = actor.powers();
        Ok(Some(Visitor { session, request, user, actor: Arc::new(actor), version }))
    }

    /// An active member of a tenant, with everything that was given to them.
    pub(crate) async fn member(&self, tenant: Uuid, person: Uuid) -> Result<Option<(User, Loaded<Perm>)>> {
        let principal = Principal::new(TenantId::new(tenant), tenant_guard::Actor::new(person));
        let mut tx = self.tenants.read(principal).await?;
        let loaded = self.authorities.load(&mut tx, person).await?;
        let user = people::find(&mut tx, person).await?;
        tx.close().await?;
        Ok(user.zip(loaded))
    }
}

impl Visitor {
    /// On whose behalf this person's transactions open.
    ///
    /// # Errors
    /// When the policy has more permissions than scopes can hold.
    pub fn principal(&self) -> Result<Principal> {
        Ok(Principal::new(TenantId::new(self.user.tenant_id), self.actor.acting()?))
    }
}

impl Authority {
    /// The person as somebody who changes things, which nobody is who looks as somebody else.
    ///
    /// # Errors
    /// When this is somebody else's authority.
    pub fn direct(&self) -> Result<&Actor<Perm, Direct>> {
        match self {
            Self::Direct(actor) => Ok(actor),
            Self::Impersonating(_) => anyhow::bail!("whoever looks as somebody else changes nothing"),
        }
    }

    /// Asks the policy about one thing.
    pub fn decide(&self, permission: Perm, resource: &Resource) -> Decision<'_, Perm> {
        match self {
            Self::Direct(actor) => actor.decide(permission, resource),
            Self::Impersonating(actor) => actor.decide(permission, resource),
        }
    }

    /// The rows that a list may show.
    pub fn rows<'a>(&'a self, permission: Perm, rows: &'a Rows) -> RowFilter<'a> {
        match self {
            Self::Direct(actor) => actor.rows(permission, rows),
            Self::Impersonating(actor) => actor.rows(permission, rows),
        }
    }

    /// How far a permission reaches.
    #[must_use]
    pub fn scope(&self, permission: Perm) -> Scope {
        match self {
            Self::Direct(actor) => actor.scope(permission),
            Self::Impersonating(actor) => actor.scope(permission),
        }
    }

    /// The permissions that reach anything.
    pub(crate) fn powers(&self) -> Vec<Perm> {
        Perm::ALL.iter().copied().filter(|permission| self.scope(*permission) != Scope::None).collect()
    }

    /// The person and the reach, as the database's policies read them.
    ///
    /// # Errors
    /// When the policy has more permissions than scopes can hold.
    pub fn acting(&self) -> Result<tenant_guard::Actor> {
        Ok(match self {
            Self::Direct(actor) => bridge::acting(actor)?,
            Self::Impersonating(actor) => bridge::acting(actor)?,
        })
    }
}

/// The policy's refusal, in its own words.
#[derive(Clone, Debug)]
pub struct Refused(pub(crate) String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
