//! What the guards answer when they refuse.

use std::fmt;

use crate::error::sqlstate;

/// A statement that a guard of this crate refused.
///
/// The guards raise errors of SQLSTATE class `SG`, which neither the SQL standard nor PostgreSQL uses (the standard leaves
/// classes that begin with `I` to `Z` to implementations).
///
/// ```
/// # fn handle(error: sqlx::Error) -> &'static str {
/// use stockade_rls_migrations::Refusal;
///
/// match Refusal::of(&error) {
///     Some(Refusal::ClosedPeriod) => "the books of that month are closed",
///     Some(_) => "this cannot be changed",
///     None => "something else went wrong",
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// `SG001`: a row dated on or before the end of a closed period.
    ClosedPeriod,
    /// `SG002`: UPDATE, DELETE or TRUNCATE of an append-only table, or TRUNCATE of one under a period guard.
    Unchangeable,
    /// `SG003`: a posting outside the context of its rows' tenant.
    OutsideTenant,
    /// `SG004`: a posting without a date.
    Undated,
    /// `SG005`: a row dated on or before the end of a softly closed period, in a transaction that opened no adjustment.
    SoftlyClosed,
    /// `SG006`: a change that takes a close back, in a transaction that did not reopen the period.
    Reopening,
}

impl Refusal {
    const ALL: [Self; 6] = [
        Self::ClosedPeriod,
        Self::Unchangeable,
        Self::OutsideTenant,
        Self::Undated,
        Self::SoftlyClosed,
        Self::Reopening,
    ];

    /// The refusal behind an error of sqlx, if it is one.
    #[must_use]
    pub fn of(error: &sqlx::Error) -> Option<Self> {
        let code = sqlstate(error)?;
        Self::ALL.into_iter().find(|refusal| refusal.sqlstate() == code)
    }

    /// The SQLSTATE that the guard raises.
    #[must_use]
    pub const fn sqlstate(self) -> &'static str {
        match self {
            Self::ClosedPeriod => "SG001",
            Self::Unchangeable => "SG002",
            Self::OutsideTenant => "SG003",
            Self::Undated => "SG004",
            Self::SoftlyClosed => "SG005",
            Self::Reopening => "SG006",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClosedPeriod => "the period is closed",
            Self::Unchangeable => "rows of this table cannot be changed or removed",
            Self::OutsideTenant => "the row is outside the tenant's context",
            Self::Undated => "a posting needs a date",
            Self::SoftlyClosed => "the period is softly closed and needs an adjustment",
            Self::Reopening => "a close is taken back by reopening the period",
        })
    }
}
