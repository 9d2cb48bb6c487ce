//! Who makes a request, as the guard has found out: the request layer's desk or viewer, and the person as the business knows them.

use std::sync::Arc;

use anyhow::Result;
use stockade::{
    bridge::request::{self, Asked, Reads, Refused},
    rbac::{Permission as _, Scope, postgres::load},
    session::{Impersonation, Session},
    tenant_guard::{Actor, Principal, TenantId},
};
use uuid::Uuid;

use crate::{
    app::App,
    desk::Look,
    domain::people::{self, SeenBy, User},
    permissions::Perm,
};

/// What a person may do, or what staff may see who look as that person.
pub type Authority = request::Authority<Perm>;

/// The tenant of the platform itself, to which its staff belong.
pub const HOME: Uuid = Uuid::from_u128(0xf4e1 << 112 | 0xd);

/// A person who is signed in and works in their own name.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The session.
    pub session: Session,
    /// The person.
    pub user: User,
    /// What the route takes: whoever has lost it meanwhile opens no desk.
    pub needs: Option<Perm>,
    pub(crate) actor: Arc<Authority>,
    pub(crate) own: request::Desk<Perm>,
}

/// Somebody who looks at a desk: its own person, or staff of the platform who see what that person sees.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The person whose desk it is.
    pub user: User,
    /// What the route takes.
    pub needs: Option<Perm>,
    pub(crate) actor: Arc<Authority>,
    pub(crate) by: request::Viewer<Perm>,
}

impl App {
    /// Opens a look, and finds out in it whose desk it is.
    ///
    /// # Errors
    /// `NoMember` if the person, or the staff who look, are no longer members; `Denied` if the policy lets them look no more.
    pub async fn enter(&self, by: request::Viewer<Perm>, needs: Option<Perm>) -> Result<(Viewer, Look), Refused> {
        let (by, seen_by) = match by.impersonation().cloned() {
            Some(look) => {
                let staff = self.staff(&look).await?;
                (by.named(&staff.name), Some(staff))
            }
            None => (by, None),
        };
        let mut look = by.read().await?;
        let user = people::find(&mut look.tx, by.user()).await?.ok_or(Refused::NoMember)?;
        let (by, look) = if seen_by.is_none() { (by.named(&user.name), look.named(&user.name)) } else { (by, look) };
        let powers = Perm::ALL.iter().copied().filter(|one| look.scope(*one) != Scope::None).collect();
        let user = User { roles: names(look.authority().roles()), powers, seen_by, ..user };
        let actor = Arc::new(look.authority().clone());
        Ok((Viewer { user: user.clone(), needs, actor, by }, Look::new(look, user)))
    }

    /// The person behind a session, where no request has asked for them. `None` if they are no longer a member of the tenant, or
    /// suspended.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn visitor(&self, session: Session, asked: Asked) -> Result<Option<Visitor>> {
        match self.enter(self.requests.desk(session, asked).into(), None).await {
            Ok((viewer, look)) => {
                look.close().await?;
                Ok(Some(viewer.own()?))
            }
            Err(Refused::NoMember) => Ok(None),
            Err(failed) => Err(failed.into()),
        }
    }

    /// Whether somebody is an active member of a tenant.
    pub(crate) async fn is_member(&self, tenant: Uuid, person: Uuid) -> Result<bool> {
        let mut tx = self.tenants.read(Principal::new(TenantId::new(tenant), Actor::new(person))).await?;
        let loaded = load(&mut tx, &self.policy, person).await?;
        tx.close().await?;
        Ok(loaded.is_some())
    }

    async fn staff(&self, look: &Impersonation) -> Result<SeenBy, Refused> {
        let id = Uuid::from(look.actor);
        let mut tx = self.tenants.read(Principal::new(TenantId::new(HOME), Actor::new(id))).await?;
        let staff = people::find(&mut tx, id).await?.ok_or(Refused::NoMember)?;
        tx.close().await?;
        Ok(SeenBy { name: staff.name, reason: look.reason.clone(), until: look.expires_at })
    }
}

impl Viewer {
    /// The person at their own desk, which staff who look have not.
    ///
    /// # Errors
    /// The refusal of whoever looks as somebody else, which is recorded.
    pub fn own(&self) -> Result<Visitor, Refused> {
        let own = self.by.desk()?.clone();
        let Self { user, needs, actor, .. } = self.clone();
        Ok(Visitor { session: own.session().clone(), user, needs, actor, own })
    }
}

impl From<Visitor> for Viewer {
    fn from(visitor: Visitor) -> Self {
        let Visitor { user, needs, actor, own, .. } = visitor;
        Self { user, needs, actor, by: own.into() }
    }
}

pub(crate) fn names<'a>(roles: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    roles.into_iter().map(str::to_owned).collect()
}

/// What the route takes was asked in an earlier transaction: it has to hold in this one as well.
pub(crate) fn still(at: &impl Reads<Perm>, needs: Option<Perm>) -> Result<(), Refused> {
    let lost = needs.is_some_and(|permission| at.scope(permission) == Scope::None);
    if lost { Err(Refused::Overtaken) } else { Ok(()) }
}
