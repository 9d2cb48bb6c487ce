//! The key of a row, as the database has it.

use std::any::TypeId;
use std::fmt;

use uuid::Uuid;

use crate::row::{OfSubject, RowBinding, RowId, Unbound};

/// The key of a row of a registered table.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum RowKey {
    /// Of a `uuid` column.
    Id(Uuid),
    /// Of a `bigint` or `integer` column.
    Number(i64),
}

/// What a column's type of row asks of the key column.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum RowKind {
    Uuid,
    Integer,
    /// An identifier of the application's own: either.
    Any,
    Unbound,
}

impl RowKey {
    /// Reads what PostgreSQL writes; `None` for a key that is neither a UUID nor an integer.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.parse().map(Self::Number).or_else(|_| text.parse().map(Self::Id)).ok()
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Number(id) => id.fmt(f),
        }
    }
}

impl RowKind {
    pub(crate) fn of<R: RowId>() -> Self {
        let row = TypeId::of::<R>();
        let is = |types: [TypeId; 2]| types.contains(&row);
        if is([TypeId::of::<Unbound>(), TypeId::of::<OfSubject<Unbound>>()]) {
            Self::Unbound
        } else if is([TypeId::of::<Uuid>(), TypeId::of::<OfSubject<Uuid>>()]) {
            Self::Uuid
        } else if is([TypeId::of::<i64>(), TypeId::of::<OfSubject<i64>>()]) {
            Self::Integer
        } else {
            Self::Any
        }
    }

    /// The type that the key column must have; `None` if any will do.
    pub(crate) const fn required(self) -> Option<&'static str> {
        match self {
            Self::Uuid => Some("uuid"),
            Self::Integer => Some("integer"),
            Self::Any | Self::Unbound => None,
        }
    }

    /// What a value of the row is bound to.
    pub(crate) fn binding(self, key: RowKey) -> RowBinding {
        match (self, key) {
            (Self::Unbound, _) => Unbound.binding(),
            (_, RowKey::Id(id)) => id.binding(),
            (_, RowKey::Number(id)) => id.binding(),
        }
    }
}
