//! From a rule's name to its number.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Repr};
use crate::rule::{Rule, RuleId, RuleRef};

/// The names of one limiter's rules.
#[derive(Debug)]
pub struct Catalogue {
    limiter: u64,
    names: HashMap<Arc<str>, usize>,
}

impl Catalogue {
    pub(crate) fn new(rules: &[Rule]) -> Result<Self, Error> {
        static LIMITERS: AtomicU64 = AtomicU64::new(0);

        let mut names = HashMap::with_capacity(rules.len());
        for (index, rule) in rules.iter().enumerate() {
            if names.insert(rule.shared_name(), index).is_some() {
                return Err(Repr::DuplicateRule { rule: rule.name().to_owned() }.into());
            }
        }
        Ok(Self { limiter: LIMITERS.fetch_add(1, Ordering::Relaxed), names })
    }

    pub(crate) fn limiter(&self) -> u64 {
        self.limiter
    }

    pub(crate) fn index(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    pub(crate) fn id(&self, name: &str) -> Result<RuleId, Error> {
        crate::rule::sealed::Sealed::resolve(name, self).map(|index| self.id_at(index))
    }

    pub(crate) fn id_at(&self, index: usize) -> RuleId {
        RuleId { limiter: self.limiter, index }
    }

    pub(crate) fn resolve(&self, rule: impl RuleRef) -> Result<usize, Error> {
        rule.resolve(self)
    }
}
