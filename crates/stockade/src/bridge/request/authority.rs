//! What somebody may do who looks.

use stockade_rbac::{
    Actor, Decision, Denied, Direct, Impersonating, Permission, Permit, Read, Resource, RowFilter, Rows, Scope, Tag,
};

/// What a person may do, or what staff may see who look as that person.
#[derive(Clone, Debug)]
pub enum Authority<P: Permission> {
    /// In one's own name.
    Direct(Actor<P, Direct>),
    /// As somebody else: reading only, by type.
    Impersonating(Actor<P, Impersonating>),
}

impl<P: Permission> Authority<P> {
    /// Decides; see [`Actor::decide`].
    pub fn decide(&self, permission: P, resource: &Resource) -> Decision<'_, P> {
        match self {
            Self::Direct(actor) => actor.decide(permission, resource),
            Self::Impersonating(actor) => actor.decide(permission, resource),
        }
    }

    /// The rows that a list may show; see [`Actor::rows`].
    pub fn rows<'a>(&'a self, permission: P, rows: &'a Rows) -> RowFilter<'a> {
        match self {
            Self::Direct(actor) => actor.rows(permission, rows),
            Self::Impersonating(actor) => actor.rows(permission, rows),
        }
    }

    /// How far a permission reaches.
    #[must_use]
    pub fn scope(&self, permission: P) -> Scope {
        match self {
            Self::Direct(actor) => actor.scope(permission),
            Self::Impersonating(actor) => actor.scope(permission),
        }
    }

    /// The names of the person's roles, in the order in which they were given.
    #[must_use]
    pub fn roles(&self) -> Vec<&str> {
        match self {
            Self::Direct(actor) => actor.roles().collect(),
            Self::Impersonating(actor) => actor.roles().collect(),
        }
    }

    pub(super) fn require<T>(&self, resource: &Resource) -> Result<Permit<T>, Denied>
    where
        T: Tag<Perm = P, Kind = Read, Grant = Permit<T>>,
    {
        match self {
            Self::Direct(actor) => actor.require::<T>(resource),
            Self::Impersonating(actor) => actor.require::<T>(resource),
        }
    }
}
