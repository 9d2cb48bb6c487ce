//! What the walk over a statement knows.

use sqlparser::ast::Ident;

use super::{Refused, StatementGuard, names};

/// Deeper statements are refused. The parser nests at most 50 deep, but what follows an operand (`::`, `IS NULL`, `UNION`) it does in a loop.
const MAX_DEPTH: usize = 100;

pub(super) struct Walk<'g> {
    pub(super) guard: &'g StatementGuard,
    /// The names that `WITH` gives here, innermost last.
    pub(super) queries: Vec<String>,
    depth: usize,
}

impl<'g> Walk<'g> {
    pub(super) const fn new(guard: &'g StatementGuard) -> Self {
        Self { guard, queries: Vec::new(), depth: 0 }
    }

    pub(super) fn fold(&self, name: &Ident) -> Result<String, Refused> {
        names::fold(name, self.guard.dialect)
    }

    /// Goes one level down.
    pub(super) fn deeper(&mut self, down: impl FnOnce(&mut Self) -> Result<(), Refused>) -> Result<(), Refused> {
        if self.depth >= MAX_DEPTH {
            return Err(Refused::TooLarge);
        }
        self.depth += 1;
        let result = down(self);
        self.depth -= 1;
        result
    }

    /// Refuses what is not known to be harmless.
    pub(super) fn admit(harmless: impl Into<Option<()>>) -> Result<(), Refused> {
        harmless.into().ok_or(Refused::Construct)
    }
}
