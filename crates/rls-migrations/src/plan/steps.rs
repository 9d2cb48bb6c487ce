//! Collecting statements together with their ways back.

use super::{Lock, Statement, Work};
use crate::sql::{Sql, sql};

#[derive(Debug, Default)]
pub(super) struct Steps(Vec<Step>);

#[derive(Debug)]
struct Step {
    up: Statement,
    down: Option<Statement>,
}

impl Steps {
    /// A statement and the one that undoes it, under the same lock.
    pub(super) fn step(&mut self, lock: Lock, note: &'static str, up: Sql, down: Sql) -> &mut Self {
        self.step_with_undo(lock, note, up, lock, down)
    }

    /// A statement and the one that undoes it under another lock.
    pub(super) fn step_with_undo(
        &mut self,
        lock: Lock,
        note: &'static str,
        up: Sql,
        down_lock: Lock,
        down: Sql,
    ) -> &mut Self {
        self.push(Statement::new(lock, note, up), Some(Statement::new(down_lock, note, down)))
    }

    /// A statement that another one's undoing undoes too, or that stays.
    pub(super) fn one_way(&mut self, lock: Lock, note: &'static str, up: Sql) -> &mut Self {
        self.push(Statement::new(lock, note, up), None)
    }

    /// The last statement reads the rows that are there.
    pub(super) fn scans(&mut self) {
        if let Some(step) = self.0.last_mut() {
            step.up.work = Work::Scan;
        }
    }

    /// The last one's way back does.
    pub(super) fn undo_scans(&mut self) {
        if let Some(down) = self.0.last_mut().and_then(|step| step.down.as_mut()) {
            down.work = Work::Scan;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// The same statements, which stay on the way back.
    pub(super) fn without_undo(self) -> Self {
        Self(self.0.into_iter().map(|step| Step { down: None, ..step }).collect())
    }

    pub(super) fn into_statements(self) -> (Vec<Statement>, Vec<Statement>) {
        let (up, mut down): (Vec<_>, Vec<_>) = self.0.into_iter().map(|step| (step.up, step.down)).unzip();
        down.reverse();
        (up, down.into_iter().flatten().collect())
    }

    fn push(&mut self, up: Statement, down: Option<Statement>) -> &mut Self {
        self.0.push(Step { up, down });
        self
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
