//! What the requests of an application share: the way to the tenants, and who may do what.

use std::{fmt, future::Future, num::NonZeroUsize, sync::Arc};

use stockade_audit_chain::{Actor as Author, Entry, postgres::capture_context};
use stockade_rbac::{
    Actor, Denied, Direct, Impersonating, Permission, Permit, Policy, Reason, Scopes, Tag, Timebox, Unrecorded,
    postgres::{ActorCache, Loaded},
};
use stockade_tenant_guard::{
    self as tenant_guard, AuditContext, Principal, ReadOnly, ReadWrite, TenantDb, TenantId, Tx,
};
use uuid::Uuid;

use super::{asked::Asked, refused::Refused};
use crate::bridge::{acting, denied_entry};

/// How often a transaction begins anew because the person's authority was another than when it was last asked. Each time somebody must have
/// changed it since.
const ATTEMPTS: usize = 3;

pub(super) struct Front<P: Permission> {
    pub(super) tenants: TenantDb,
    people: Arc<ActorCache<P>>,
    pub(super) staff: Option<Staff<P>>,
}

/// Who may impersonate.
pub(super) struct Staff<P: Permission> {
    pub(super) home: TenantId,
    pub(super) permit: Impersonate<P>,
}

type Impersonate<P> = fn(&Actor<P>, &Actor<P>, Reason, Timebox) -> Result<Unrecorded<Actor<P, Impersonating>>, Denied>;

/// Somebody in a tenant, with what the session or the token knows of them.
#[derive(Clone)]
pub(super) struct Person<P: Permission> {
    pub(super) tenant: TenantId,
    pub(super) user: Uuid,
    pub(super) shown: Shown<P>,
}

/// What was shown to prove who it is.
#[derive(Clone)]
pub(super) enum Shown<P: Permission> {
    OneFactor,
    TwoFactors,
    Token(Scopes<P>),
}

/// A transaction that may or may not write.
pub(super) trait Access: Sized {
    fn open(
        tenants: &TenantDb,
        principal: Principal,
    ) -> impl Future<Output = Result<Tx<Self>, tenant_guard::Error>> + Send;
}

impl Access for ReadWrite {
    async fn open(tenants: &TenantDb, principal: Principal) -> Result<Tx<Self>, tenant_guard::Error> {
        tenants.begin(principal).await
    }
}

impl Access for ReadOnly {
    async fn open(tenants: &TenantDb, principal: Principal) -> Result<Tx<Self>, tenant_guard::Error> {
        tenants.read(principal).await
    }
}

impl<P: Permission> Front<P> {
    pub(super) fn new(tenants: TenantDb, policy: Policy<P>, people: NonZeroUsize) -> Self {
        Self { tenants, people: Arc::new(ActorCache::new(policy, people)), staff: None }
    }

    pub(super) fn with_staff(&self, staff: Staff<P>) -> Self {
        Self { tenants: self.tenants.clone(), people: Arc::clone(&self.people), staff: Some(staff) }
    }

    /// A transaction of a person's, and what they may do as of that transaction.
    ///
    /// It begins with the reach that the person had when they were last here, and is used if that is still theirs: one row is read.
    pub(super) async fn open<A: Access>(
        &self,
        tenants: &TenantDb,
        person: &Person<P>,
    ) -> Result<(Tx<A>, Actor<P>), Refused> {
        let mut guess = self.people.recall(person.tenant.as_uuid(), person.user).map(|loaded| person.with(loaded));
        for _ in 0..ATTEMPTS {
            let principal = person.principal(guess.as_ref())?;
            let mut tx = A::open(tenants, principal.clone()).await?;
            let loaded = self.people.load(&mut tx, person.user).await?.ok_or(Refused::NoMember)?;
            let actor = person.with(loaded);
            if person.principal(Some(&actor))? == principal {
                return Ok((tx, actor));
            }
            guess = Some(actor);
        }
        Err(Refused::Overtaken)
    }

    /// Records that somebody was refused what `denied` says; see [`Recordings`](super::recordings::Recordings).
    pub(super) fn refuse(&self, asked: &Asked, tenant: TenantId, author: &Author, denied: &Denied, of: (&str, &str)) {
        let entry = denied_entry::<P>(tenant.as_uuid().into(), author.clone(), denied).entity(of.0, of.1);
        self.record(asked, tenant, entry);
    }

    /// Records `entry` of a request whose own transaction will not be.
    pub(super) fn record(&self, asked: &Asked, tenant: TenantId, entry: Entry) {
        asked.recordings().start(&self.tenants, tenant, entry.request(asked.context()));
    }

    /// The database, whose triggers are told who makes the changes of this request.
    pub(super) fn telling(&self, asked: &Asked, author: &Author) -> Result<TenantDb, Refused> {
        let context = capture_context(author, &asked.context())?;
        Ok(self.tenants.telling(AuditContext::try_from(context.as_str())?))
    }
}

impl<P: Permission> Person<P> {
    fn with(&self, loaded: Loaded<P>) -> Actor<P> {
        match &self.shown {
            Shown::OneFactor => loaded.build(),
            Shown::TwoFactors => loaded.actor().multi_factor().build(),
            Shown::Token(scopes) => loaded.build().attenuate(scopes),
        }
    }

    fn principal(&self, actor: Option<&Actor<P, Direct>>) -> Result<Principal, Refused> {
        let actor = actor.map_or_else(|| Ok(tenant_guard::Actor::new(self.user)), acting)?;
        Ok(Principal::new(self.tenant, actor))
    }
}

impl<P: Permission> Staff<P> {
    pub(super) fn of<T>(home: TenantId) -> Self
    where
        T: Tag<Perm = P, Grant = Unrecorded<Permit<T>>>,
    {
        Self { home, permit: Actor::impersonate::<T> }
    }
}

impl<P: Permission> fmt::Debug for Front<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front").field("tenants", &self.tenants).finish_non_exhaustive()
    }
}
