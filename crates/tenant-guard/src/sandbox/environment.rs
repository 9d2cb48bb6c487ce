//! Which variables a program gets.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::secret;

/// What was allowed, set and exposed.
#[derive(Clone, Default)]
pub(super) struct Environment {
    allowed: Vec<String>,
    set: BTreeMap<String, String>,
    exposed: BTreeSet<String>,
}

/// The variables that go in, and the names of those that were asked for and stay out.
pub(super) struct Selected {
    pub(super) variables: BTreeMap<String, String>,
    pub(super) withheld: Vec<String>,
}

impl Environment {
    pub(super) fn allow(&mut self, pattern: String) {
        self.allowed.push(pattern);
    }

    pub(super) fn set(&mut self, name: String, value: String) {
        self.set.insert(name, value);
    }

    pub(super) fn expose(&mut self, name: String) {
        self.exposed.insert(name);
    }

    pub(super) fn select(&self, own: impl Iterator<Item = (OsString, OsString)>) -> Selected {
        let mut selected = Selected { variables: BTreeMap::new(), withheld: Vec::new() };
        for (name, value) in own {
            // A name that is not text cannot be one that somebody allowed.
            let Ok(name) = name.into_string() else { continue };
            if self.set.contains_key(&name) || !(self.exposed.contains(&name) || self.is_allowed(&name)) {
                continue;
            }
            match value.into_string() {
                Ok(value) => self.admit(&mut selected, name, value),
                // A value that is not text cannot be examined.
                Err(_) => selected.withheld.push(name),
            }
        }
        for (name, value) in &self.set {
            self.admit(&mut selected, name.clone(), value.clone());
        }
        selected.withheld.sort_unstable();
        selected
    }

    fn is_allowed(&self, name: &str) -> bool {
        self.allowed.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        })
    }

    fn admit(&self, selected: &mut Selected, name: String, value: String) {
        let exposed = self.exposed.contains(&name);
        if is_name(&name) && !value.contains('\0') && (exposed || !secret::is_suspect(&name, &value)) {
            selected.variables.insert(name, value);
        } else {
            selected.withheld.push(name);
        }
    }
}

/// The names that a shell can hold. Others carry shell functions (`BASH_FUNC_x%%`), or cannot be set at all.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests;
