//! What a worker says of its work.

use crate::id::TenantId;
use crate::postgres::row_key::RowKey;

/// How far a worker is in one column of one tenant.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// The tenant.
    pub tenant: TenantId,
    /// The table, as it was registered.
    pub table: &'static str,
    /// The column in the database.
    pub column: &'static str,
    /// Rows that were sealed since the job began, by workers before this one too.
    pub sealed: u64,
    /// Rows of this pass that somebody else had locked or changed. They are looked at again.
    pub skipped: u64,
    /// Rows of this pass that could not be sealed.
    pub failed: u64,
}

/// What a worker has done with all columns of one tenant.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct JobReport {
    /// Rows that this call has sealed.
    pub sealed: u64,
    /// Rows that were locked by somebody else each time, and are left to the next call.
    pub skipped: u64,
    /// Rows that could not be sealed and were left as they are.
    pub failed: u64,
    /// The first hundred of them.
    pub failures: Vec<RowFailure>,
    /// Columns on which another worker is at work; it was not disturbed.
    pub busy: u64,
    /// Whether the work was ended early.
    pub end: JobEnd,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum JobEnd {
    /// All columns were gone through.
    #[default]
    Through,
    /// The callback asked to stop. The next call continues.
    Stopped,
}

/// A row that was left as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RowFailure {
    /// The table, as it was registered.
    pub table: &'static str,
    /// The column in the database.
    pub column: &'static str,
    /// The row.
    pub row: RowKey,
    /// Why.
    pub reason: RowFailureReason,
}

/// Why a row was left as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum RowFailureReason {
    /// The stored value does not open: it was changed or moved, or its key is destroyed.
    DoesNotOpen,
    /// The plain text is not a value of the column, or is sealed already.
    NotPlain,
    /// A unique index has the value's tag already: two rows hold the same value.
    Duplicate,
    /// A constraint or a trigger of the table refuses the change, such as a guard over closed periods.
    Refused,
}

/// How many failures are listed.
const LISTED: usize = 100;

impl JobReport {
    pub(crate) fn add(&mut self, other: Self) {
        self.sealed += other.sealed;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.busy += other.busy;
        self.failures.extend(other.failures);
        self.failures.truncate(LISTED);
    }

    pub(crate) fn fail(&mut self, failure: RowFailure) {
        self.failed += 1;
        if self.failures.len() < LISTED {
            self.failures.push(failure);
        }
    }

    /// Before a pass from the start, which meets again what it has to tell.
    pub(crate) fn start_over(&mut self) {
        (self.skipped, self.failed) = (0, 0);
        self.failures.clear();
    }
}
