//! One thing that is not as the migrations made it.

use std::fmt;

/// Something around the log that was changed, added or removed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Deviation {
    /// The table, function or role that it is about.
    pub subject: String,
    /// Which of its parts.
    pub part: Part,
    /// The name of the part: of a trigger, a policy, a grantee.
    pub name: String,
    /// What the migrations made; `None` if there should be nothing.
    pub expected: Option<String>,
    /// What is there; `None` if nothing is.
    pub found: Option<String>,
}

/// Which part of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Part {
    /// The owner of the schema.
    Schema,
    /// A table or view: its owner, its kind, its row-level security, its definition.
    Table,
    /// A trigger: whether and when it fires, and what it calls.
    Trigger,
    /// A function: its owner, its body, its settings.
    Function,
    /// The privileges of a role.
    Grant,
    /// A row-level policy.
    Policy,
    /// A constraint, foreign keys from elsewhere included.
    Constraint,
    /// A rewrite rule.
    Rule,
    /// The attributes of a role.
    Role,
    /// A member of a role that nobody should be a member of.
    Membership,
    /// A default that sessions begin with.
    Setting,
    /// Something that this version has no name for.
    Other,
}

impl Part {
    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "schema" => Self::Schema,
            "table" => Self::Table,
            "trigger" => Self::Trigger,
            "function" => Self::Function,
            "grant" => Self::Grant,
            "policy" => Self::Policy,
            "constraint" => Self::Constraint,
            "rule" => Self::Rule,
            "role" => Self::Role,
            "membership" => Self::Membership,
            "setting" => Self::Setting,
            _ => Self::Other,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Schema => "schema",
            Self::Table => "table",
            Self::Trigger => "trigger",
            Self::Function => "function",
            Self::Grant => "grant",
            Self::Policy => "policy",
            Self::Constraint => "constraint",
            Self::Rule => "rule",
            Self::Role => "role",
            Self::Membership => "membership",
            Self::Setting => "setting",
            Self::Other => "part",
        }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, {} `{}`: ", self.subject, self.part.as_str(), self.name)?;
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, "`{found}` instead of `{expected}`"),
            (Some(_), None) => f.write_str("is missing"),
            _ => f.write_str("should not be there"),
        }
    }
}
