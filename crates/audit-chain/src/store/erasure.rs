//! Whose values an erasure means, and what it did.

use uuid::Uuid;

use super::Receipt;
use crate::{Digest, ErasedValue};

/// Whose values to erase.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// What the entries of this actor say of the actor: name, address and user agent. Not the states, which are about
    /// something else.
    Actor(String),
    /// The personal values of the states of this entity, whoever changed it.
    Entity {
        /// Its type.
        kind: String,
        /// Its id.
        id: String,
    },
    /// These values, by entry and path.
    Values(Vec<(Uuid, String)>),
}

/// What an erasure did and what it left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Erasure {
    /// The entry that states it; `None` if there was nothing to erase.
    pub receipt: Option<Receipt>,
    /// What is gone, in the order of the list whose root the entry states.
    pub erased: Vec<ErasedValue>,
    /// The root over it.
    pub root: Digest,
    /// What a legal hold keeps: Art. 17(3)(b) and (e) of the GDPR suspend the right. Ask again after its release.
    pub held: Vec<ErasedValue>,
    /// What does not open its commitment: somebody changed it. It stays, because erasing it would hide that.
    pub altered: Vec<ErasedValue>,
}
