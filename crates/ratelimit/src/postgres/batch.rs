//! The arguments of one call, as columns.

use crate::store::{Ask, Counting};

/// Asks of one or several decisions. No slot may occur twice.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) decisions: Vec<i32>,
    pub(super) amounts: Vec<i64>,
    pub(super) slots: Vec<Vec<u8>>,
    pub(super) widths: Vec<i64>,
    pub(super) spans: Vec<i64>,
    pub(super) limits: Vec<i64>,
    pub(super) enforced: Vec<bool>,
    pub(super) targets: Vec<i64>,
    pub(super) tokens: Vec<bool>,
}

impl Batch {
    pub(super) fn add(&mut self, decision: usize, ask: &Ask, amount: u32, target: u64) {
        // Windows are at most 366 days, so nothing here comes near the end of its type.
        let big = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.decisions.push(i32::try_from(decision).unwrap_or(i32::MAX));
        self.amounts.push(i64::from(amount));
        self.slots.push(ask.slot.to_vec());
        self.widths.push(big(ask.width));
        self.spans.push(big(ask.span));
        self.limits.push(i64::from(ask.limit));
        self.enforced.push(ask.enforced);
        self.targets.push(big(target));
        self.tokens.push(ask.counting == Counting::Tokens);
    }
}
