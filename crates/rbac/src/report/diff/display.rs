//! The differences as a table.

use std::fmt::{self, Write as _};

use super::{Diff, Difference, Direction, Presence};
use crate::report::text::markdown;

impl Diff {
    /// A Markdown table: what, before, after, and which way it goes. A line of text if there is nothing.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        if self.is_empty() {
            return "The policies mean the same.\n".to_owned();
        }
        let mut text = String::from("| what | before | after | |\n|---|---|---|---|\n");
        for difference in self.iter() {
            let (before, after) = difference.values();
            let direction = match difference.direction() {
                Direction::Widening => "**widening**",
                Direction::Narrowing => "narrowing",
                Direction::Neutral => "",
            };
            let _ = writeln!(
                text,
                "| {} | {} | {} | {direction} |",
                markdown(&difference.subject()),
                markdown(&before),
                markdown(&after)
            );
        }
        text
    }
}

impl Difference {
    /// What differs.
    fn subject(&self) -> String {
        match self {
            Self::Role { role, .. } => format!("role {role}"),
            Self::Scope { role, permission, .. } => format!("{role}: {permission}"),
            Self::Owner { role, .. } => format!("{role} is an owner role"),
            Self::Staff { role, .. } => format!("{role} is a staff role"),
            Self::Assignable { role, .. } => format!("{role} is assignable"),
            Self::Assigns { role, assigned, .. } => format!("{role} gives {assigned}"),
            Self::Limits { .. } => "the policy says who gives which role".to_owned(),
            Self::Separation { name, .. } => format!("separation {name}"),
            Self::Counts { role, separation, .. } => format!("roles of separation {separation} in {role}"),
        }
    }

    fn values(&self) -> (String, String) {
        let yes = |presence: &Presence| if *presence == Presence::Present { "yes" } else { "no" }.to_owned();
        match self {
            Self::Role { before, after, .. }
            | Self::Owner { before, after, .. }
            | Self::Staff { before, after, .. }
            | Self::Assignable { before, after, .. }
            | Self::Assigns { before, after, .. }
            | Self::Limits { before, after } => (yes(before), yes(after)),
            Self::Scope { before, after, .. } => (before.to_string(), after.to_string()),
            Self::Counts { before, after, .. } => (before.to_string(), after.to_string()),
            Self::Separation { before, after, .. } => {
                let text =
                    |kept: &Option<super::KeptApart>| kept.as_ref().map_or("none".to_owned(), ToString::to_string);
                (text(before), text(after))
            }
        }
    }
}

/// One line: what, from what, to what.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = self.values();
        write!(f, "{}: {before} -> {after}", self.subject())
    }
}
