//! Who did it.

use std::fmt;

/// What kind of party acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActorKind {
    /// A person.
    User,
    /// Another service, under its own identity.
    Service,
    /// A caller that showed an API token; the id is the token's, never the token.
    ApiToken,
    /// The application itself: a job, a migration.
    System,
}

impl ActorKind {
    /// The lower-case name, as it stands in the envelope and in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::ApiToken => "api_token",
            Self::System => "system",
        }
    }

    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::User, Self::Service, Self::ApiToken, Self::System].into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for ActorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who acted, and on whose behalf.
///
/// The id is stored as it is and cannot be erased: give a pseudonym such as a user's UUID, never a
/// name or an e-mail address. The display name is a personal value and can be erased.
///
/// ```
/// use stockade_audit_chain::Actor;
///
/// // A support agent who works inside a customer's account: the actor is the person at the keyboard.
/// let actor = Actor::user("agent-7").with_role("support").on_behalf_of("customer-3").in_impersonation("grant-41");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Actor {
    pub(crate) kind: ActorKind,
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) on_behalf_of: Option<String>,
    pub(crate) impersonation: Option<String>,
}

impl Actor {
    /// A party of the given kind.
    #[must_use]
    pub fn new(kind: ActorKind, id: impl fmt::Display) -> Self {
        let id = id.to_string();
        Self { kind, id, name: None, role: None, on_behalf_of: None, impersonation: None }
    }

    /// A person.
    #[must_use]
    pub fn user(id: impl fmt::Display) -> Self {
        Self::new(ActorKind::User, id)
    }

    /// Another service.
    #[must_use]
    pub fn service(id: impl fmt::Display) -> Self {
        Self::new(ActorKind::Service, id)
    }

    /// A caller with an API token. The id is the token's database id or prefix, never the token.
    #[must_use]
    pub fn api_token(id: impl fmt::Display) -> Self {
        Self::new(ActorKind::ApiToken, id)
    }

    /// The application itself; the id names the job.
    #[must_use]
    pub fn system(id: impl fmt::Display) -> Self {
        Self::new(ActorKind::System, id)
    }

    /// The name a reader of the log sees. A personal value: it is stored apart, under a commitment.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same party without its name, for entries that are never erased.
    pub(crate) fn unnamed(self) -> Self {
        Self { name: None, ..self }
    }

    /// The role in which the actor acted.
    #[must_use]
    pub fn with_role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// Whose account or rights the actor used: the `sub` to the actor's `act` in the words of RFC
    /// 8693, section 4.1.
    #[must_use]
    pub fn on_behalf_of(mut self, subject: impl fmt::Display) -> Self {
        self.on_behalf_of = Some(subject.to_string());
        self
    }

    /// The id of the grant or session under which an impersonation runs; never a session token.
    #[must_use]
    pub fn in_impersonation(mut self, id: impl fmt::Display) -> Self {
        self.impersonation = Some(id.to_string());
        self
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor")
            .field("kind", &self.kind)
            .field("id", &self.id)
            .field("role", &self.role)
            .field("on_behalf_of", &self.on_behalf_of)
            .finish_non_exhaustive()
    }
}
