//! Declared against live, object by object.
//!
//! It compares nothing itself: health and lint say where the catalogue is not what was declared, and the plan says what it
//! would do about it. What the plan would change and neither of them names is a difference too, so that there is no drift
//! exactly when there is nothing to plan and nothing that nobody declared.

use std::fmt;

use crate::catalogue::Catalogue;
use crate::lint;
use crate::model::Model;
use crate::plan::Plan;

/// In which direction an object differs from the declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
pub enum Change {
    /// Declared, and not there.
    Missing,
    /// Reaches further than declared, or says something else, which may.
    Widened,
    /// Reaches less far than declared.
    Narrowed,
    /// There, and declared by nobody.
    Foreign,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Widened => "widened",
            Self::Narrowed => "narrowed",
            Self::Foreign => "foreign",
        })
    }
}

/// One object that differs from the declaration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Difference {
    pub(crate) change: Change,
    pub(crate) object: String,
    pub(crate) what: String,
}

impl Difference {
    /// In which direction.
    #[must_use]
    pub fn change(&self) -> Change {
        self.change
    }

    /// The object, such as `freight.loads` or a role's name.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What differs.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`: {}", self.change, self.object.escape_debug(), self.what.escape_debug())
    }
}

/// The differences between a declaration and a live database. Made by [`Schema::drift`](crate::Schema::drift).
///
/// What the declaration has no word for is the application's own: its triggers, indexes, columns and further constraints.
/// Policies and privileges on declared tables are not, whoever made them.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[must_use]
pub struct Drift {
    differences: Vec<Difference>,
}

impl Drift {
    pub(crate) fn of(model: &Model, catalogue: &Catalogue) -> Self {
        let mut differences = lint::differences(model, catalogue);
        // What cannot be planned is named above: an undeclared table, a missing one.
        if let (true, Ok(plan)) = (differences.is_empty(), Plan::draw(model, catalogue)) {
            differences.extend(plan.up().iter().map(|statement| Difference {
                change: Change::Missing,
                object: model.schema.as_str().to_owned(),
                what: ["the plan has a step: ", statement.note()].concat(),
            }));
        }
        differences.sort();
        differences.dedup();
        Self { differences }
    }

    /// Whether the database is what was declared.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.differences.is_empty()
    }

    /// The differences, by direction and object.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// The differences as a JSON document.
    #[cfg(feature = "serde")]
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "differences": self.differences })
    }
}

/// One line for each difference, or that there is none.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return writeln!(f, "no drift");
        }
        self.differences.iter().try_for_each(|difference| writeln!(f, "{difference}"))
    }
}
