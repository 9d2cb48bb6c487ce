//! The form of a policy file.

use serde::Deserialize;

use super::problem::{Problem, shown};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicySource {
    #[serde(default, rename = "route")]
    pub(super) routes: Vec<RouteSource>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteSource {
    pub(super) name: String,
    pub(super) preset: Option<String>,
    pub(super) disclose: Option<String>,
    #[serde(default, rename = "rule")]
    pub(super) rules: Vec<RuleSource>,
}

/// Plain texts where a word is expected, so that a wrong one is reported with all else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleSource {
    pub(super) name: String,
    pub(super) key: KeySource,
    pub(super) algorithm: String,
    pub(super) limit: i64,
    pub(super) window: String,
    pub(super) mode: Option<String>,
    pub(super) asked: Option<String>,
    pub(super) reserve_kib: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum KeySource {
    One(String),
    Several(Vec<String>),
}

impl PolicySource {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            Problem::Syntax { line: before.matches('\n').count().saturating_add(1), message: shown_long(&error) }
        })
    }
}

impl KeySource {
    pub(super) fn parts(&self) -> &[String] {
        match self {
            Self::One(part) => std::slice::from_ref(part),
            Self::Several(parts) => parts,
        }
    }
}

fn shown_long(error: &toml::de::Error) -> String {
    let message = error.message();
    if message.len() <= 64 { shown(message) } else { message.escape_debug().take(256).collect() }
}
