//! Observations: what was seen of one control on one subject.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    control::ControlId,
    digest::Digest,
    fact::{Fact, Facts},
    render, text,
};

/// What an observation is about: a table, a role, a tenant. Not a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject(String);

/// What was seen. The order is from best to worst.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The objective of the control holds.
    Pass,
    /// It could not be found out.
    Unknown {
        /// Why not.
        reason: String,
    },
    /// The objective does not hold.
    Fail {
        /// What is wrong.
        reason: String,
    },
}

/// What was seen of one control on one subject at one time.
///
/// ```
/// use chrono::{TimeZone, Utc};
/// use stockade_posture::{ControlId, Observation, Outcome, Subject};
///
/// let at = Utc.timestamp_opt(1_772_614_800, 0).unwrap();
/// let seen = Observation::pass(ControlId::MFA_PRIVILEGED, Subject::new("role owner"), at)
///     .fact("enrolled", 4)
///     .fact("privileged", 4)
///     .by("nightly check");
/// assert_eq!(seen.outcome(), &Outcome::Pass);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Observation {
    // The order of the fields decides which of two observations of one subject counts: the later, then the worse.
    control: ControlId,
    subject: Subject,
    collected_at: DateTime<Utc>,
    outcome: Outcome,
    facts: Facts,
    collector: String,
    remedy: Option<String>,
}

impl Subject {
    /// Names a subject, for example `freight.loads` or `tenant acme`.
    ///
    /// The name becomes one line of at most 400 characters.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(text::clean(name.as_ref()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Outcome {
    /// The word in exports: `pass`, `unknown` or `fail`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Unknown { .. } => "unknown",
            Self::Fail { .. } => "fail",
        }
    }

    /// Why the outcome is not a pass.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Pass => None,
            Self::Unknown { reason } | Self::Fail { reason } => Some(reason),
        }
    }
}

impl Observation {
    /// The objective of `control` holds for `subject`.
    #[must_use]
    pub fn pass(control: ControlId, subject: Subject, collected_at: DateTime<Utc>) -> Self {
        Self::new(control, subject, collected_at, Outcome::Pass)
    }

    /// It does not hold.
    #[must_use]
    pub fn fail(control: ControlId, subject: Subject, collected_at: DateTime<Utc>, reason: impl AsRef<str>) -> Self {
        Self::new(control, subject, collected_at, Outcome::Fail { reason: text::clean(reason.as_ref()) })
    }

    /// It could not be found out.
    #[must_use]
    pub fn unknown(control: ControlId, subject: Subject, collected_at: DateTime<Utc>, reason: impl AsRef<str>) -> Self {
        Self::new(control, subject, collected_at, Outcome::Unknown { reason: text::clean(reason.as_ref()) })
    }

    /// Adds a fact. A second fact under the same key replaces the first.
    #[must_use]
    pub fn fact(mut self, key: &'static str, fact: impl Into<Fact>) -> Self {
        let fact = match fact.into() {
            Fact::Name(name) => Fact::Name(text::clean(&name)),
            other => other,
        };
        self.facts.insert(key, fact);
        self
    }

    /// Names what collected this. Without it, that is `application`.
    #[must_use]
    pub fn by(mut self, collector: impl AsRef<str>) -> Self {
        self.collector = text::clean(collector.as_ref());
        self
    }

    /// Adds the statement or setting that would mend this very subject. It is printed and never run.
    #[must_use]
    pub fn remedy(mut self, remedy: impl AsRef<str>) -> Self {
        self.remedy = Some(text::clean(remedy.as_ref()));
        self
    }

    /// The control.
    #[must_use]
    pub const fn control(&self) -> ControlId {
        self.control
    }

    /// The subject.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What was seen.
    #[must_use]
    pub const fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The facts, in the order of their keys.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// When it was seen.
    #[must_use]
    pub const fn collected_at(&self) -> DateTime<Utc> {
        self.collected_at
    }

    /// What collected it.
    #[must_use]
    pub fn collector(&self) -> &str {
        &self.collector
    }

    /// The statement or setting that would mend this subject, if the collector gave one.
    #[must_use]
    pub fn suggested_remedy(&self) -> Option<&str> {
        self.remedy.as_deref()
    }

    /// The SHA-256 of the observation as [`render::json`] prints it, without the digest itself.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(render::canonical_observation(self).as_bytes())
    }

    fn new(control: ControlId, subject: Subject, collected_at: DateTime<Utc>, outcome: Outcome) -> Self {
        Self {
            control,
            subject,
            collected_at,
            outcome,
            facts: Facts::new(),
            collector: "application".into(),
            remedy: None,
        }
    }
}
