//! What people state: attestations, exemptions and plans.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    control::{ControlId, Method},
    error::Error,
    text,
};

/// A signed statement that an organisational control is in place, until a date.
///
/// ```
/// use chrono::{TimeZone, Utc};
/// use stockade_posture::{Attestation, ControlId, ErrorKind};
///
/// let given = Utc.with_ymd_and_hms(2026, 1, 15, 0, 0, 0).unwrap();
/// let until = Utc.with_ymd_and_hms(2027, 1, 15, 0, 0, 0).unwrap();
/// let pentest = Attestation::new(ControlId::ATTEST_PENTEST, "head of engineering", "tested, two findings closed", given, until)?
///     .evidence("report 2026-01, sha256 9f86d081");
/// assert_eq!(pentest.valid_until(), until);
///
/// // What can be measured cannot be attested.
/// let forced = Attestation::new(ControlId::RLS_FORCED, "head of engineering", "it is forced", given, until);
/// assert_eq!(forced.unwrap_err().kind(), ErrorKind::NotAttestable);
/// # Ok::<(), stockade_posture::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attestation {
    // Of several for one control the one that lasts longest counts: the order of the fields decides.
    valid_until: DateTime<Utc>,
    given_at: DateTime<Utc>,
    control: ControlId,
    by: String,
    statement: String,
    evidence: Option<String>,
}

/// An approved decision that a control does not apply, until a date.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exemption {
    until: DateTime<Utc>,
    control: ControlId,
    reason: String,
    approved_by: String,
}

/// A plan to put a control in place by a date. It changes the label of the control, never the score.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Plan {
    due: DateTime<Utc>,
    control: ControlId,
    owner: String,
}

impl Attestation {
    /// States that `control` is in place, from `given_at` until `valid_until`.
    ///
    /// `by` names who answers for it: a function or a person who agreed to be named on the page.
    ///
    /// # Errors
    ///
    /// [`NotAttestable`](crate::ErrorKind::NotAttestable) if the control is measured; [`Validity`](crate::ErrorKind::Validity) if
    /// the dates are out of order, or further apart than the control's `max_age`: a statement is asked for again every year.
    pub fn new(
        control: ControlId,
        by: impl AsRef<str>,
        statement: impl AsRef<str>,
        given_at: DateTime<Utc>,
        valid_until: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let subject =
            control.control().filter(|c| c.method == Method::Attest).ok_or_else(|| Error::not_attestable(control))?;
        if valid_until <= given_at {
            return Err(Error::validity(control, "it ends before it begins"));
        }
        if valid_until - given_at > TimeDelta::from_std(subject.max_age).unwrap_or(TimeDelta::MAX) {
            return Err(Error::validity(control, "it would outlive the longest age of its evidence"));
        }
        let (by, statement) = (text::clean(by.as_ref()), text::clean(statement.as_ref()));
        Ok(Self { valid_until, given_at, control, by, statement, evidence: None })
    }

    /// Adds where the evidence lies: a document, a ticket, an address. It is printed as text, never as a link.
    #[must_use]
    pub fn evidence(mut self, evidence: impl AsRef<str>) -> Self {
        self.evidence = Some(text::clean(evidence.as_ref()));
        self
    }

    /// The control.
    #[must_use]
    pub const fn control(&self) -> ControlId {
        self.control
    }

    /// Who states it.
    #[must_use]
    pub fn by(&self) -> &str {
        &self.by
    }

    /// What is stated.
    #[must_use]
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// Where the evidence lies.
    #[must_use]
    pub fn evidence_reference(&self) -> Option<&str> {
        self.evidence.as_deref()
    }

    /// When it was stated.
    #[must_use]
    pub const fn given_at(&self) -> DateTime<Utc> {
        self.given_at
    }

    /// The first moment at which it no longer counts.
    #[must_use]
    pub const fn valid_until(&self) -> DateTime<Utc> {
        self.valid_until
    }
}

impl Exemption {
    /// Declares that `control` does not apply before `until`.
    #[must_use]
    pub fn new(
        control: ControlId,
        reason: impl AsRef<str>,
        approved_by: impl AsRef<str>,
        until: DateTime<Utc>,
    ) -> Self {
        Self { until, control, reason: text::clean(reason.as_ref()), approved_by: text::clean(approved_by.as_ref()) }
    }

    /// The control.
    #[must_use]
    pub const fn control(&self) -> ControlId {
        self.control
    }

    /// Why it does not apply.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Who approved it. Without an approver the exemption has no effect.
    #[must_use]
    pub fn approved_by(&self) -> &str {
        &self.approved_by
    }

    /// The first moment at which it no longer counts.
    #[must_use]
    pub const fn until(&self) -> DateTime<Utc> {
        self.until
    }
}

impl Plan {
    /// Plans to have `control` in place at `due`.
    #[must_use]
    pub fn new(control: ControlId, owner: impl AsRef<str>, due: DateTime<Utc>) -> Self {
        Self { due, control, owner: text::clean(owner.as_ref()) }
    }

    /// The control.
    #[must_use]
    pub const fn control(&self) -> ControlId {
        self.control
    }

    /// Who sees to it.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// By when.
    #[must_use]
    pub const fn due(&self) -> DateTime<Utc> {
        self.due
    }
}
