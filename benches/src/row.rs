//! The rows that `bars.toml` names.

use serde::{Deserialize, Serialize};

/// What is compared with what, and what the comparison is held to.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// The setting that both were measured in.
    #[serde(rename = "in")]
    pub(crate) group: String,
    /// What is ours.
    pub(crate) of: String,
    /// The peer or the floor. Without one the bar holds the value itself.
    pub(crate) over: Option<String>,
    #[serde(default = "nanoseconds")]
    pub(crate) unit: String,
    /// The ratio is that of the peer's cost over ours: how many times the peer's speed.
    #[serde(default)]
    pub(crate) faster: bool,
    pub(crate) at_most: Option<f64>,
    pub(crate) at_least: Option<f64>,
}

/// The part of `bars.toml` that is about one benchmark. What else is there is for `scripts/bench`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Rows {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
}

fn nanoseconds() -> String {
    "ns".to_owned()
}

impl Row {
    /// The ratio of what was measured in one round, if there is a peer.
    pub(crate) fn ratio(&self, ours: f64, theirs: f64) -> f64 {
        if self.faster { theirs / ours } else { ours / theirs }
    }

    /// The bar in words, and whether what was measured meets it. What is not a number does not.
    pub(crate) fn verdict(&self, value: f64) -> String {
        let met = |met: bool| if met { "met" } else { "missed" };
        match (self.at_most, self.at_least) {
            (Some(bar), _) => format!(" (at most {bar}: {})", met(value <= bar)),
            (None, Some(bar)) => format!(" (at least {bar}: {})", met(value >= bar)),
            (None, None) => String::new(),
        }
    }
}
