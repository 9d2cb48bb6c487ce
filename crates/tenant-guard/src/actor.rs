//! Who acts in a scope: the facts that policies below row level may ask for.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::tenant::TenantId;

/// The person, or the service account, that acts in a scope.
///
/// The database reads these facts from the view `stockade.current_actor`. They say what the application has decided; take them from a
/// verified session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    id: Uuid,
    scopes: Scopes,
    writes: Writes,
}

/// Whether an actor may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Writes {
    Allowed,
    Refused,
}

impl Actor {
    /// An actor without scopes, who may write.
    #[must_use]
    pub fn new(id: Uuid) -> Self {
        Self { id, scopes: Scopes::default(), writes: Writes::Allowed }
    }

    /// The same actor with packed scopes.
    #[must_use]
    pub fn with_scopes(self, scopes: Scopes) -> Self {
        Self { scopes, ..self }
    }

    /// The same actor, whose writes the read-only policies refuse.
    ///
    /// The refusal is the database's and needs those policies on each table. [`TenantDb::read`](crate::TenantDb::read) refuses writes
    /// without them.
    #[must_use]
    pub fn read_only(self) -> Self {
        Self { writes: Writes::Refused, ..self }
    }

    /// The identifier of the person or the account.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        self.id
    }

    /// The packed scopes.
    #[must_use]
    pub const fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// Whether the read-only policies refuse this actor's writes.
    #[must_use]
    pub const fn is_read_only(&self) -> bool {
        matches!(self.writes, Writes::Refused)
    }
}

/// Packed scopes: at most 4,096 characters of `[0-9A-Za-z._-]`, whose meaning is the application's.
///
/// The alphabet holds nothing that could end a quoted SQL literal, because the text travels in one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scopes(Arc<str>);

/// The text is too long for packed scopes, or holds a character that they may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("packed scopes are at most {} characters of `[0-9A-Za-z._-]`", Scopes::MAX_LENGTH)]
pub struct InvalidScopes;

impl Scopes {
    /// The longest packed text, in characters.
    pub const MAX_LENGTH: usize = 4096;

    /// The packed text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for Scopes {
    type Error = InvalidScopes;

    fn try_from(packed: &str) -> Result<Self, InvalidScopes> {
        let safe = packed.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if safe && packed.len() <= Self::MAX_LENGTH { Ok(Self(Arc::from(packed))) } else { Err(InvalidScopes) }
    }
}

impl Default for Scopes {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// On whose behalf a scope opens: a tenant, and the actor if there is one.
///
/// A [`TenantId`] alone is a principal without an actor: a background job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    tenant: TenantId,
    actor: Option<Actor>,
}

impl Principal {
    /// An actor in a tenant.
    #[must_use]
    pub const fn new(tenant: TenantId, actor: Actor) -> Self {
        Self { tenant, actor: Some(actor) }
    }

    /// The tenant.
    #[must_use]
    pub const fn tenant_id(&self) -> TenantId {
        self.tenant
    }

    /// The actor, if there is one.
    #[must_use]
    pub const fn actor(&self) -> Option<&Actor> {
        self.actor.as_ref()
    }
}

impl From<TenantId> for Principal {
    fn from(tenant: TenantId) -> Self {
        Self { tenant, actor: None }
    }
}

#[cfg(test)]
mod tests;
