//! The form of a policy file.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::problem::Problem;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySource {
    #[serde(default, rename = "role")]
    pub(super) roles: Vec<RoleSource>,
    #[serde(default, rename = "separation")]
    pub(super) separations: Vec<SeparationSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RoleSource {
    pub(super) name: String,
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) inherits: Vec<String>,
    /// Lists of permission keys by the name of a scope. Plain names, so that a wrong one is reported with all else.
    #[serde(default)]
    pub(super) grants: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) assigns: Option<Vec<String>>,
    #[serde(default)]
    pub(super) owner: bool,
    #[serde(default)]
    pub(super) staff: bool,
    #[serde(default = "yes")]
    pub(super) assignable: bool,
}

/// Duties that are kept apart. Which fields belong to which kind is checked with all else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeparationSource {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) roles: Option<Vec<String>>,
    pub(super) at_most: Option<usize>,
    pub(super) first: Option<String>,
    pub(super) then: Option<String>,
}

impl PolicySource {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        toml::from_str(text).map_err(|error| {
            let (line, column) = place(text, error.span().map_or(0, |span| span.start));
            Problem::Syntax { line, column, message: error.message().split_whitespace().collect::<Vec<_>>().join(" ") }
        })
    }
}

fn yes() -> bool {
    true
}

/// Line and column of a byte, both from 1.
fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}
