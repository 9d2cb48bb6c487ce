//! Who looks, as handlers take it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use stockade_audit_chain::{Actor as Author, Entry, Outcome, Severity};
use stockade_rbac::Permission;
use stockade_session::{
    Impersonation,
    tower::{Refusal, Visit, Visitor},
};
use stockade_tenant_guard::TenantId;
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::{
    asked::Asked,
    caller::{Desk, known},
    front::Front,
    look::Look,
    refused::Refused,
};

/// Somebody who looks and changes nothing: a person in their own name, or staff as somebody else.
#[derive(Clone, Debug)]
pub struct Viewer<P: Permission>(Seen<P>);

#[derive(Clone, Debug)]
enum Seen<P: Permission> {
    Own(Box<Desk<P>>),
    As(Box<Onlooker<P>>),
}

/// Staff who look as somebody else, in one request.
#[derive(Clone, Debug)]
pub(super) struct Onlooker<P: Permission> {
    pub(super) front: Arc<Front<P>>,
    pub(super) asked: Asked,
    pub(super) impersonation: Impersonation,
    pub(super) author: Author,
    /// Set as soon as the log has it that there is a look in this request.
    pub(super) recorded: Arc<OnceCell<()>>,
}

impl<P: Permission> Viewer<P> {
    pub(super) fn looking(front: Arc<Front<P>>, asked: Asked, impersonation: Impersonation) -> Self {
        let author =
            Author::user(impersonation.actor).on_behalf_of(impersonation.target).in_impersonation(impersonation.id);
        Self(Seen::As(Box::new(Onlooker { front, asked, impersonation, author, recorded: Arc::default() })))
    }

    /// Opens a transaction that only reads. If it is an impersonation, that is in the tenant's log before the first row is read; once,
    /// however often this viewer or a clone of it reads.
    ///
    /// # Errors
    ///
    /// As [`Desk::read`], and `Denied` if the policy does not let the person impersonate, or not this one.
    pub async fn read(&self) -> Result<Look<P>, Refused> {
        match &self.0 {
            Seen::Own(desk) => desk.read().await,
            Seen::As(by) => by.look().await,
        }
    }

    /// The person's own desk. Staff who look as somebody else have none, and that they asked for it is in the log of the tenant that is
    /// looked at.
    ///
    /// # Errors
    ///
    /// `Session` with [`Refusal::Impersonating`].
    pub fn desk(&self) -> Result<&Desk<P>, Refused> {
        match &self.0 {
            Seen::Own(desk) => Ok(desk),
            Seen::As(by) => {
                by.refuse_write();
                Err(Refusal::Impersonating.into())
            }
        }
    }

    /// The impersonation, if it is one: every page should say so.
    #[must_use]
    pub fn impersonation(&self) -> Option<&Impersonation> {
        match &self.0 {
            Seen::Own(_) => None,
            Seen::As(by) => Some(&by.impersonation),
        }
    }

    /// The same, whose person the audit log calls `name` beside the id: of an impersonation, the member of staff.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self(match self.0 {
            Seen::Own(desk) => Seen::Own(Box::new(desk.named(name))),
            Seen::As(by) => Seen::As(Box::new(Onlooker { author: by.author.named(name), ..*by })),
        })
    }

    /// The tenant that is looked at.
    #[must_use]
    pub fn tenant(&self) -> Uuid {
        match &self.0 {
            Seen::Own(desk) => desk.tenant(),
            Seen::As(by) => by.impersonation.tenant.into(),
        }
    }

    /// The person whose desk it is.
    #[must_use]
    pub fn user(&self) -> Uuid {
        match &self.0 {
            Seen::Own(desk) => desk.user(),
            Seen::As(by) => by.impersonation.target.into(),
        }
    }
}

impl<P: Permission> Onlooker<P> {
    pub(super) fn tenant(&self) -> TenantId {
        TenantId::new(self.impersonation.tenant.into())
    }

    fn refuse_write(&self) {
        let entry = Entry::new(self.tenant().as_uuid().into(), self.author.clone(), "impersonation.write")
            .entity("route", self.asked.route())
            .severity(Severity::Warning)
            .outcome(Outcome::Denied);
        self.front.record(&self.asked, self.tenant(), entry);
    }
}

impl<P: Permission> From<Desk<P>> for Viewer<P> {
    fn from(desk: Desk<P>) -> Self {
        Self(Seen::Own(Box::new(desk)))
    }
}

impl<S: Send + Sync, P: Permission> FromRequestParts<S> for Viewer<P> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let (front, asked) = known::<P>(parts)?;
        let touch = parts.extensions.get().copied().unwrap_or_default();
        let visit = Visit::of(&parts.extensions)?;
        let visitor = visit.visitor_with(touch).await?;
        if let Visitor::Impersonating(impersonation) = visitor {
            return Ok(Self::looking(front, asked, impersonation.clone()));
        }
        let session = visitor.session()?.ok_or(Refusal::SignedOut)?;
        Ok(Desk::of(front, asked, session.clone()).into())
    }
}
