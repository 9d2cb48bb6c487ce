//! The rules of one route as data: what is limited, by whose key, in which unit.

use std::num::NonZeroU32;
use std::sync::Arc;

#[cfg(any(feature = "toml", feature = "tower"))]
use crate::error::{Error, Repr};
use crate::limiter::LimiterBuilder;
use crate::rule::Rule;

mod preset;

/// A named set of rules for one route, or for several that share their limits.
///
/// A route does not match paths. The layer for it is attached in the application's router, where paths are matched
/// anyway: a limit with an idea of its own about `//login` or `/%6cogin` is one that can be walked around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    name: Arc<str>,
    disclosure: Disclosure,
    rules: Vec<RouteRule>,
}

/// One rule of a [`Route`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRule {
    pub(crate) rule: Rule,
    pub(crate) by: Vec<By>,
    pub(crate) asked: Asked,
    pub(crate) unit: Unit,
}

/// What a rule limits each of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum By {
    /// The client's address: IPv4 /32, IPv6 /64.
    Ip,
    /// The client's network: IPv4 /32, IPv6 /56.
    Ip56,
    /// The client's network: IPv4 /32, IPv6 /48.
    Ip48,
    /// The name somebody signs in with.
    Account,
    /// The signed-in user.
    User,
    /// The tenant.
    Tenant,
    /// The API token, or the sender of a webhook.
    Token,
    /// The route as a whole.
    Route,
}

/// Who asks a rule, and what happens where the request has no such key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Asked {
    /// The layer, for every request: one that has no such key is refused, so that a forgotten extractor shows at once.
    #[default]
    Always,
    /// The layer, for requests that have the key: a rule for users on a page that visitors see too.
    IfKnown,
    /// The handler, because the key is in the body: the layer does not read bodies, and leaves the rule out.
    ByHandler,
}

/// What a rule counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Requests.
    #[default]
    Requests,
    /// KiB (1,024 bytes) of the response's body. So many are charged before the handler runs, and corrected to what was
    /// sent when the body ends or the client goes away.
    Kibibytes {
        /// What is charged before the response is known. At most the rule's limit.
        reserve: NonZeroU32,
    },
}

/// What a response says about its limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disclosure {
    /// The status of a refusal alone.
    Nothing,
    /// `Retry-After` in a refusal.
    #[default]
    RetryAfter,
    /// `Retry-After`, and `RateLimit` and `RateLimit-Policy` in every response.
    Full,
}

impl Route {
    /// A route without rules.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), disclosure: Disclosure::default(), rules: Vec::new() }
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: RouteRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// The same route, telling clients so much.
    #[must_use]
    pub fn disclosing(self, disclosure: Disclosure) -> Self {
        Self { disclosure, ..self }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The rules, in order.
    #[must_use]
    pub fn rules(&self) -> &[RouteRule] {
        &self.rules
    }

    /// What a response says about its limits.
    #[must_use]
    pub fn disclosure(&self) -> Disclosure {
        self.disclosure
    }
}

impl RouteRule {
    /// A rule that limits each combination of `by`, asked for every request and counting requests.
    #[must_use]
    pub fn new(rule: Rule, by: impl Into<Vec<By>>) -> Self {
        Self { rule, by: by.into(), asked: Asked::default(), unit: Unit::default() }
    }

    /// The same rule, asked otherwise.
    #[must_use]
    pub fn asked(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    /// The same rule, counting otherwise.
    #[must_use]
    pub fn counting(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// The limit itself.
    #[must_use]
    pub fn limit(&self) -> &Rule {
        &self.rule
    }

    /// What it limits each combination of.
    #[must_use]
    pub fn keys(&self) -> &[By] {
        &self.by
    }

    /// Who asks it.
    #[must_use]
    pub fn when(&self) -> Asked {
        self.asked
    }

    /// What it counts.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    #[cfg(any(feature = "toml", feature = "tower"))]
    pub(crate) fn validate(&self) -> Result<(), Error> {
        let bad = |problem| Err(Repr::InvalidRouteRule { rule: self.rule.name().to_owned(), problem }.into());
        match self.unit {
            _ if self.by.is_empty() => bad("it limits each of nothing"),
            Unit::Kibibytes { reserve } if reserve > self.rule.limit() => bad("it reserves more than its limit"),
            Unit::Kibibytes { .. } | Unit::Requests => Ok(()),
        }
    }
}

impl LimiterBuilder {
    /// Adds the rules of a route.
    pub fn route(self, route: &Route) -> Self {
        route.rules.iter().map(|rule| rule.rule.clone()).fold(self, Self::rule)
    }
}
