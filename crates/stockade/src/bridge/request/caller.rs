//! Who asks, as handlers take it.

use std::{fmt, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;
use stockade_audit_chain::{Actor as Author, Entry, Outcome, Severity};
use stockade_ratelimit::{Key, tower::Subject};
use stockade_rbac::{Permission, Scopes};
use stockade_session::{
    ApiToken, Assurance, Impersonation, Session,
    tower::{Refusal, Visit, Visitor},
};
use stockade_tenant_guard::{ReadOnly, ReadWrite, TenantId};
use uuid::Uuid;

use super::{
    asked::Asked,
    authority::Authority,
    front::{Front, Person, Shown},
    look::Look,
    refused::Refused,
    work::Work,
};

/// A person who is signed in and works in their own name. Whoever impersonates is refused with 403, and the attempt is in the log of the
/// tenant that was looked at.
#[derive(Clone, Debug)]
pub struct Desk<P: Permission> {
    session: Session,
    caller: Caller<P>,
}

/// A program, by its API token. Requests with a session are refused with 401.
#[derive(Clone, Debug)]
pub struct Program<P: Permission> {
    token: ApiToken,
    caller: Caller<P>,
}

/// Somebody who looks and changes nothing: a person in their own name, or staff as somebody else.
#[derive(Clone, Debug)]
pub struct Viewer<P: Permission>(Seen<P>);

#[derive(Clone, Debug)]
enum Seen<P: Permission> {
    Own(Box<Desk<P>>),
    As(Box<(Impersonation, Asked, Arc<Front<P>>)>),
}

/// The keys of a caller's limits. Reading them asks for nothing.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Keys {
    /// The address, if one is known.
    pub ip: Option<Key>,
    /// The person.
    pub user: Key,
    /// The tenant.
    pub tenant: Key,
}

/// Somebody in a tenant, in one request.
#[derive(Clone)]
pub(super) struct Caller<P: Permission> {
    pub(super) front: Arc<Front<P>>,
    pub(super) asked: Asked,
    pub(super) person: Person<P>,
    pub(super) author: Author,
}

impl<P: Permission> Desk<P> {
    /// The person's session.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }
}

impl<P: Permission> Program<P> {
    /// The token.
    #[must_use]
    pub const fn token(&self) -> &ApiToken {
        &self.token
    }
}

/// What a desk and a program have alike.
macro_rules! caller {
    ($name:ident) => {
        impl<P: Permission> $name<P> {
            /// Opens a transaction of the tenant that may write. What the person may do is read in it; the triggers of captured tables are told who
            /// makes its changes, in which request.
            ///
            /// # Errors
            ///
            /// `NoMember`, `Overtaken` and `Failed`.
            pub async fn begin(&self) -> Result<Work<P>, Refused> {
                let tenants = self.caller.front.telling(&self.caller.asked, &self.caller.author)?;
                let (tx, actor) = self.caller.front.open::<ReadWrite>(&tenants, &self.caller.person).await?;
                Ok(Work::new(tx, actor, self.caller.clone()))
            }

            /// Opens a transaction of the tenant that only reads.
            ///
            /// # Errors
            ///
            /// As [`begin`](Self::begin).
            pub async fn read(&self) -> Result<Look<P>, Refused> {
                let caller = &self.caller;
                let (tx, actor) = caller.front.open::<ReadOnly>(&caller.front.tenants, &caller.person).await?;
                Ok(Look::new(
                    tx,
                    Authority::Direct(actor),
                    caller.front.clone(),
                    caller.asked.clone(),
                    caller.author.clone(),
                ))
            }

            /// The tenant.
            #[must_use]
            pub const fn tenant(&self) -> Uuid {
                self.caller.person.tenant.as_uuid()
            }

            /// The person; of a token, its owner.
            #[must_use]
            pub const fn user(&self) -> Uuid {
                self.caller.person.user
            }

            /// The request.
            #[must_use]
            pub const fn asked(&self) -> &Asked {
                &self.caller.asked
            }

            /// The keys of the caller's limits.
            #[must_use]
            pub fn keys(&self) -> Keys {
                Keys { ip: self.asked().key(), user: Key::user(self.user()), tenant: Key::tenant(self.tenant()) }
            }

            /// The caller, for a limiter's routes.
            #[must_use]
            pub fn subject(&self) -> Subject {
                let subject = self.asked().ip().map_or_else(Subject::unknown, Subject::at);
                subject.with_user(self.user()).with_tenant(self.tenant())
            }
        }
    };
}

caller!(Desk);
caller!(Program);

impl<P: Permission> Viewer<P> {
    /// Opens a transaction that only reads. If it is an impersonation, that is in the tenant's log before the first row is read.
    ///
    /// # Errors
    ///
    /// As [`Desk::read`], and `Denied` if the policy does not let the person impersonate, or not this one.
    pub async fn read(&self) -> Result<Look<P>, Refused> {
        match &self.0 {
            Seen::Own(desk) => desk.read().await,
            Seen::As(look) => look.2.look_as(&look.0, &look.1).await,
        }
    }

    /// The impersonation, if it is one: every page should say so.
    #[must_use]
    pub fn impersonation(&self) -> Option<&Impersonation> {
        match &self.0 {
            Seen::Own(_) => None,
            Seen::As(look) => Some(&look.0),
        }
    }

    /// The tenant that is looked at.
    #[must_use]
    pub fn tenant(&self) -> Uuid {
        match &self.0 {
            Seen::Own(desk) => desk.tenant(),
            Seen::As(look) => look.0.tenant.into(),
        }
    }
}

/// The front and the facts of a request.
fn known<P: Permission>(parts: &Parts) -> Result<(Arc<Front<P>>, Asked), Refused> {
    let front: &Arc<Front<P>> = parts.extensions.get().ok_or_else(Refused::without_layer)?;
    Ok((Arc::clone(front), Asked::of(parts)?))
}

async fn visitor(parts: &Parts) -> Result<Visitor, Refused> {
    let touch = parts.extensions.get().copied().unwrap_or_default();
    Ok(Visit::of(&parts.extensions)?.visitor_with(touch).await?.clone())
}

/// The staff at the keyboard, and as whom they look.
pub(super) fn author_of(impersonation: &Impersonation) -> Author {
    Author::user(impersonation.actor).on_behalf_of(impersonation.target).in_impersonation(impersonation.id)
}

impl<S: Send + Sync, P: Permission> FromRequestParts<S> for Desk<P> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let (front, asked) = known::<P>(parts)?;
        let visitor = visitor(parts).await?;
        if let Visitor::Impersonating(impersonation) = &visitor {
            let tenant = TenantId::new(impersonation.tenant.into());
            let entry = Entry::new(tenant.as_uuid().into(), author_of(impersonation), "impersonation.write")
                .entity("route", asked.route())
                .severity(Severity::Warning)
                .outcome(Outcome::Denied);
            front.record(&asked, tenant, entry);
        }
        let session = visitor.session()?.ok_or(Refusal::SignedOut)?.clone();
        let shown = match session.assurance {
            Assurance::PasswordAndTotp => Shown::TwoFactors,
            _ => Shown::OneFactor,
        };
        let person = Person { tenant: TenantId::new(session.tenant.into()), user: session.user.into(), shown };
        let author = Author::user(session.user);
        Ok(Self { session, caller: Caller { front, asked, person, author } })
    }
}

impl<S: Send + Sync, P: Permission> FromRequestParts<S> for Viewer<P> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        if let Visitor::Impersonating(impersonation) = visitor(parts).await? {
            let (front, asked) = known::<P>(parts)?;
            return Ok(Self(Seen::As(Box::new((impersonation, asked, front)))));
        }
        Ok(Self(Seen::Own(Box::new(Desk::from_request_parts(parts, state).await?))))
    }
}

impl<S: Send + Sync, P: Permission> FromRequestParts<S> for Program<P> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let (front, asked) = known::<P>(parts)?;
        let token = Visit::of(&parts.extensions)?.api_token().await?.ok_or(Refusal::SignedOut)?;
        let shown = Shown::Token(Scopes::parse(&token.scopes)?);
        let person = Person { tenant: TenantId::new(token.tenant.into()), user: token.user.into(), shown };
        let author = Author::api_token(token.id).on_behalf_of(token.user);
        Ok(Self { token, caller: Caller { front, asked, person, author } })
    }
}

impl<P: Permission> fmt::Debug for Caller<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("tenant", &self.person.tenant)
            .field("author", &self.author)
            .finish_non_exhaustive()
    }
}
