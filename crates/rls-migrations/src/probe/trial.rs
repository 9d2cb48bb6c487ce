//! One attempt on one object, ready to be run.

use super::judge::{Control, Expect};
use super::kind::Attempt;
use super::program::{Body, Step};
use crate::sql::{Sql, sql};

#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) attempt: Attempt,
    pub(super) object: String,
    pub(super) expect: Expect,
    pub(super) step: Step,
}

/// The trials on one object.
#[derive(Debug)]
pub(super) struct Trials {
    pub(super) object: String,
    pub(super) list: Vec<Trial>,
    /// What cannot be tried, and why.
    pub(super) untested: Vec<(Attempt, String)>,
}

impl Trials {
    pub(super) fn on(object: impl Into<String>) -> Self {
        Self { object: object.into(), list: Vec::new(), untested: Vec::new() }
    }

    /// A query that gives the number of rows that A should not have reached.
    pub(super) fn query(&mut self, attempt: Attempt, query: Sql) {
        self.add(attempt, Expect::NoRows(Control::Read), sql!(""), Body::Query(query));
    }

    /// As [`query`](Self::query), after statements that each end with a semicolon.
    pub(super) fn query_after(&mut self, attempt: Attempt, expect: Expect, before: Sql, query: Sql) {
        self.add(attempt, expect, before, Body::Query(query));
    }

    /// A statement that should touch no row.
    pub(super) fn change(&mut self, attempt: Attempt, control: Control, change: Sql) {
        self.add(attempt, Expect::NoRows(control), sql!(""), Body::Change(change));
    }

    /// A statement that should be refused.
    pub(super) fn refused(&mut self, attempt: Attempt, control: Control, change: Sql) {
        self.add(attempt, Expect::Refused(control, &[]), sql!(""), Body::Change(change));
    }

    /// A statement that fails for want of a privilege before anything else is looked at.
    pub(super) fn forbidden(&mut self, attempt: Attempt, change: Sql) {
        self.add(attempt, Expect::NoPrivilege, sql!(""), Body::Change(change));
    }

    pub(super) fn cannot(&mut self, attempt: Attempt, why: impl Into<String>) {
        self.untested.push((attempt, why.into()));
    }

    pub(super) fn add(&mut self, attempt: Attempt, expect: Expect, before: Sql, body: Body) {
        let object = self.object.clone();
        self.list.push(Trial { attempt, object, expect, step: Step { before, body } });
    }
}
