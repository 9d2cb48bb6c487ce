//! What can be wrong with a policy.

/// One thing that is wrong with a policy. Each is one line of text; names from the file are escaped and cut.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// More than [`Policy::MAX_SOURCE_BYTES`](crate::Policy::MAX_SOURCE_BYTES) or
    /// [`Policy::MAX_RULES`](crate::Policy::MAX_RULES).
    #[error("it is larger than a policy may be")]
    TooLarge,
    /// No TOML, or a field that is missing, unknown or of the wrong type.
    #[error("line {line}: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// There is no route at all.
    #[error("it has no route")]
    NoRoute,
    /// Two routes have one name.
    #[error("two routes are named `{route}`")]
    DuplicateRoute {
        /// The name.
        route: String,
    },
    /// Two rules have one name, in one route or in two.
    #[error("two rules are named `{rule}`")]
    DuplicateRule {
        /// The name.
        rule: String,
    },
    /// A route has neither rules nor a preset.
    #[error("route `{route}` has no rule")]
    EmptyRoute {
        /// The route.
        route: String,
    },
    /// A value is not one of those that are known.
    #[error("`{name}`: `{value}` is no {what}")]
    UnknownValue {
        /// The route or rule.
        name: String,
        /// The value.
        value: String,
        /// What it should be.
        what: &'static str,
    },
    /// A rule that no limiter would take, or a route.
    #[error("`{name}`: {problem}")]
    Unusable {
        /// The route or rule.
        name: String,
        /// Why.
        problem: String,
    },
}

/// A name from the file, for a message.
pub(super) fn shown(text: &str) -> String {
    text.escape_debug().take(64).collect()
}
