//! Who asks, as handlers take it.

use std::{fmt, sync::Arc};

use axum::extract::FromRequestParts;
use http::request::Parts;
use stockade_audit_chain::Actor as Author;
use stockade_ratelimit::{Key, tower::Subject};
use stockade_rbac::{Actor, Permission, Scopes};
use stockade_session::{
    ApiToken, Assurance, Session,
    tower::{Refusal, Visit},
};
use stockade_tenant_guard::{ReadOnly, ReadWrite, TenantId};
use uuid::Uuid;

use super::{
    asked::Asked,
    authority::Authority,
    front::{Front, Person, Shown},
    look::Look,
    refused::Refused,
    viewer::Viewer,
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
    pub(super) fn of(front: Arc<Front<P>>, asked: Asked, session: Session) -> Self {
        let shown = match session.assurance {
            Assurance::PasswordAndTotp => Shown::TwoFactors,
            _ => Shown::OneFactor,
        };
        let person = Person { tenant: TenantId::new(session.tenant.into()), user: session.user.into(), shown };
        let author = Author::user(session.user);
        Self { session, caller: Caller { front, asked, person, author } }
    }

    /// The person's session.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }
}

impl<P: Permission> Program<P> {
    pub(super) fn of(front: Arc<Front<P>>, asked: Asked, token: ApiToken) -> Result<Self, Refused> {
        let shown = Shown::Token(Scopes::parse(&token.scopes)?);
        let person = Person { tenant: TenantId::new(token.tenant.into()), user: token.user.into(), shown };
        let author = Author::api_token(token.id).on_behalf_of(token.user);
        Ok(Self { token, caller: Caller { front, asked, person, author } })
    }

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
                let author = self.caller.author_as(&actor);
                Ok(Work::new(tx, actor, Caller { author, ..self.caller.clone() }))
            }

            /// Opens a transaction of the tenant that only reads.
            ///
            /// # Errors
            ///
            /// As [`begin`](Self::begin).
            pub async fn read(&self) -> Result<Look<P>, Refused> {
                let caller = &self.caller;
                let (tx, actor) = caller.front.open::<ReadOnly>(&caller.front.tenants, &caller.person).await?;
                let author = caller.author_as(&actor);
                Ok(Look::new(tx, Authority::Direct(actor), caller.front.clone(), caller.asked.clone(), author))
            }

            /// The same, whom the audit log calls `name` beside the id. A name is personal data, and can be erased from the log.
            #[must_use]
            pub fn named(self, name: &str) -> Self {
                let author = self.caller.author.named(name);
                Self { caller: Caller { author, ..self.caller }, ..self }
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

impl<P: Permission> Caller<P> {
    /// Who is recorded, with the roles of this moment.
    fn author_as(&self, actor: &Actor<P>) -> Author {
        self.author.clone().with_role(actor.active_roles().collect::<Vec<_>>().join(" "))
    }
}

/// The front and the facts of a request.
pub(super) fn known<P: Permission>(parts: &Parts) -> Result<(Arc<Front<P>>, Asked), Refused> {
    let front: &Arc<Front<P>> = parts.extensions.get().ok_or_else(Refused::without_layer)?;
    Ok((Arc::clone(front), Asked::of(parts)?))
}

impl<S: Send + Sync, P: Permission> FromRequestParts<S> for Desk<P> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        Ok(Viewer::from_request_parts(parts, state).await?.desk()?.clone())
    }
}

impl<S: Send + Sync, P: Permission> FromRequestParts<S> for Program<P> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let (front, asked) = known::<P>(parts)?;
        let token = Visit::of(&parts.extensions)?.api_token().await?.ok_or(Refusal::SignedOut)?;
        Self::of(front, asked, token)
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
