//! Row policies in a document.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Name;
use crate::declaration::{Privilege, RowPolicy};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    name: Name,
    command: Privilege,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    roles: BTreeSet<String>,
    using: Option<String>,
    check: Option<String>,
}

impl From<RowPolicy> for Rows {
    fn from(policy: RowPolicy) -> Self {
        let RowPolicy { name, command, roles, using, check } = policy;
        Self { name: Name(name), command, roles, using, check }
    }
}

impl From<Rows> for RowPolicy {
    fn from(rows: Rows) -> Self {
        let Rows { name, command, roles, using, check } = rows;
        Self { name: name.0, command, roles, using, check }
    }
}
