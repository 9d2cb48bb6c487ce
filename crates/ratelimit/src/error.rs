//! What can be wrong with a limiter or a request. A refusal is not an error: see [`Decision`](crate::Decision).

/// A mistake in a limiter's configuration or in a request to it. Nothing was charged.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Repr>);

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The cost is above the limit of an enforced rule, so no retry could ever succeed.
    CostAboveLimit,
    /// A rule has an unusable name, window or limit; two rules have one name; or the capacity is zero or above 2^28.
    InvalidConfiguration,
    /// A request lacks the key of a rule that is always asked: a layer's extractor does not find it.
    MissingKey,
    /// A limiter was built without rules, or a request names none: it would admit everything.
    NoRules,
    /// The store of a shared limiter failed or did not answer in time.
    Store,
    /// The limiter has no rule of that name, or the handle is from another limiter.
    UnknownRule,
}

impl Error {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match *self.0 {
            Repr::CostAboveLimit { .. } => ErrorKind::CostAboveLimit,
            Repr::DuplicateRule { .. }
            | Repr::InvalidCapacity
            | Repr::InvalidNamespace
            | Repr::InvalidNetwork { .. }
            | Repr::InvalidRouteRule { .. }
            | Repr::InvalidRule { .. } => ErrorKind::InvalidConfiguration,
            Repr::MissingKey { .. } => ErrorKind::MissingKey,
            Repr::Store(_) => ErrorKind::Store,
            Repr::EmptyLimiter | Repr::EmptyRequest => ErrorKind::NoRules,
            Repr::ForeignRule | Repr::UnknownRule { .. } => ErrorKind::UnknownRule,
        }
    }

    /// Whether the same call may be repeated. None of the present kinds may: each is a mistake in the program or in its
    /// configuration, except [`Store`](ErrorKind::Store), after which a correction may have been made, and made twice
    /// would take another's charge back.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// For implementors of a store: it failed.
    #[cfg(feature = "store")]
    pub fn store(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Repr::Store(source.into()).into()
    }
}

impl From<Repr> for Error {
    fn from(repr: Repr) -> Self {
        Self(Box::new(repr))
    }
}

#[derive(Debug, thiserror::Error)]
#[cfg_attr(not(all(feature = "tower", feature = "redis")), expect(dead_code, reason = "some need a feature"))]
pub(crate) enum Repr {
    #[error("cost {cost} is above the limit {limit} of rule `{rule}`: no retry can succeed")]
    CostAboveLimit { rule: String, cost: u32, limit: u32 },
    #[error("two rules are named `{rule}`")]
    DuplicateRule { rule: String },
    #[error("a limiter without rules limits nothing")]
    EmptyLimiter,
    #[error("a request that names no rule would always be admitted")]
    EmptyRequest,
    #[error("the rule handle belongs to another limiter")]
    ForeignRule,
    #[error("the capacity is zero or above 2^28")]
    InvalidCapacity,
    #[error("a namespace is 1 to 64 characters from a-z, 0-9, `.`, `_` and `-`")]
    InvalidNamespace,
    #[error("`{network}` is no network in cidr form and no address")]
    InvalidNetwork { network: String },
    #[error("rule `{rule}` cannot be used in a route: {problem}")]
    InvalidRouteRule { rule: String, problem: &'static str },
    #[error("rule `{rule}` cannot be used: {problem}")]
    InvalidRule { rule: String, problem: &'static str },
    #[error("the request has no key for rule `{rule}`")]
    MissingKey { rule: String },
    #[error("the rate limit store failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the limiter has no rule named `{rule}`")]
    UnknownRule { rule: String },
}
