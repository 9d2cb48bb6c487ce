//! Collecting statements together with their ways back.

use super::{Lock, Statement};
use crate::sql::{Sql, sql};

#[derive(Debug, Default)]
pub(super) struct Steps(Vec<(Statement, Option<Statement>)>);

impl Steps {
    /// A statement and the one that undoes it, under the same lock.
    pub(super) fn step(&mut self, lock: Lock, note: &'static str, up: Sql, down: Sql) {
        self.step_with_undo(lock, note, up, lock, down);
    }

    /// A statement and the one that undoes it under another lock.
    pub(super) fn step_with_undo(&mut self, lock: Lock, note: &'static str, up: Sql, down_lock: Lock, down: Sql) {
        let undo = Statement { sql: down, lock: down_lock, note };
        self.0.push((Statement { sql: up, lock, note }, Some(undo)));
    }

    /// A statement that another one's undoing undoes too, or that stays.
    pub(super) fn one_way(&mut self, lock: Lock, note: &'static str, up: Sql) {
        self.0.push((Statement { sql: up, lock, note }, None));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    pub(super) fn into_statements(self) -> (Vec<Statement>, Vec<Statement>) {
        let (up, mut down): (Vec<_>, Vec<_>) = self.0.into_iter().unzip();
        down.reverse();
        (up, down.into_iter().flatten().collect())
    }
}

/// Drops something that other schemas or crates may use by now, unless they do.
pub(super) fn drop_if_unused(drop: &Sql) -> Sql {
    let body = sql!(
        "\nBEGIN\n  {};\nEXCEPTION WHEN dependent_objects_still_exist OR undefined_object OR undefined_table OR invalid_schema_name THEN\n  NULL;\nEND\n",
        drop
    );
    sql!("DO {}", body.dollar_quoted())
}
