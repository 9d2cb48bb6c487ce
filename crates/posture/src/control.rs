//! A control: one thing that a reviewer asks for, and how it is judged.

use std::{fmt, str::FromStr, time::Duration};

use crate::{capability::Capability, catalog::catalog, criterion::CriterionRef, error::Error};

/// The name of a control of the catalogue, such as `rls.forced`.
///
/// Only the catalogue makes these: through the constants, or by parsing.
///
/// ```
/// use stockade_posture::{ControlId, ErrorKind};
///
/// assert_eq!("rls.forced".parse::<ControlId>()?, ControlId::RLS_FORCED);
/// assert_eq!("rls.fenced".parse::<ControlId>().unwrap_err().kind(), ErrorKind::UnknownControl);
/// # Ok::<(), stockade_posture::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ControlId(&'static str);

/// One thing that a reviewer asks for. See [`catalog`] for all of them.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Control {
    /// The name, for example `rls.forced`. It never changes its meaning.
    pub id: ControlId,
    /// A heading of a few words.
    pub title: &'static str,
    /// What holds when the control is in place, in one sentence.
    pub objective: &'static str,
    /// Where the control stands in the matrix.
    pub capability: Capability,
    /// The criteria that evidence of this control speaks to.
    pub criteria: &'static [CriterionRef],
    /// How much the control counts.
    pub weight: Weight,
    /// Evidence older than this is stale; older than twice this it counts as absent.
    pub max_age: Duration,
    /// How evidence comes about.
    pub method: Method,
    /// What to do if the control is not in place. Printed, never run.
    pub fix: Fix,
    /// How to see that the fix worked.
    pub verify: &'static str,
}

/// How much a control counts, from 1 to 5. A control of weight 5 that is not in place at all holds the score at 79.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u8);

/// How evidence for a control comes about, after the assessment methods of NIST SP 800-53A.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// The mechanism was exercised and its behaviour compared with what it should be.
    Test,
    /// Configuration, catalogue or records were read.
    Examine,
    /// A named person states it. No observation can put such a control in place.
    Attest,
}

/// What to do about a control that is not in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fix {
    /// SQL with placeholders such as `<table>`.
    Sql(&'static str),
    /// A setting to change.
    Config(&'static str),
    /// What a person has to do.
    Steps(&'static str),
}

impl ControlId {
    pub(crate) const fn new(id: &'static str) -> Self {
        Self(id)
    }

    /// The name as text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// What the catalogue says about this control.
    #[must_use]
    pub fn control(self) -> Option<&'static Control> {
        catalog().find(|control| control.id == self)
    }
}

impl fmt::Display for ControlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for ControlId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ControlId({})", self.0)
    }
}

impl FromStr for ControlId {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        catalog().map(|control| control.id).find(|id| id.0 == name).ok_or_else(|| Error::unknown_control(name))
    }
}

impl Weight {
    pub(crate) const ONE: Self = Self(1);
    pub(crate) const TWO: Self = Self(2);
    pub(crate) const THREE: Self = Self(3);
    pub(crate) const FOUR: Self = Self(4);
    pub(crate) const FIVE: Self = Self(5);

    /// The weight as a number from 1 to 5.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }

    /// Whether a control of this weight holds the score at 79 while it stands at not yet.
    #[must_use]
    pub const fn is_essential(self) -> bool {
        self.0 == Self::FIVE.0
    }
}

impl Method {
    /// The word in exports: `test`, `examine` or `attest`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Examine => "examine",
            Self::Attest => "attest",
        }
    }
}

impl Fix {
    /// The text of the fix.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Sql(text) | Self::Config(text) | Self::Steps(text) => text,
        }
    }
}
