//! The layer: a route, a limiter, and who a request is from.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;
use tower_layer::Layer;

use crate::cost::Cost;
use crate::error::{Error, Repr};
use crate::key::Key;
use crate::route::{Asked, Route, RouteRule, Unit};
use crate::rule::RuleId;
use crate::tower::gate::Gate;
use crate::tower::service::RateLimit;
use crate::tower::subject::Subject;

/// Refuses the requests to one [`Route`] that its rules do not admit.
pub struct RateLimitLayer<G, X> {
    shared: Arc<Shared<G, X>>,
}

/// What all services of one layer share.
pub(super) struct Shared<G, X> {
    pub(super) gate: G,
    pub(super) route: Route,
    /// In order: those that count requests, then those that count bytes.
    asked: Vec<(RuleId, RouteRule)>,
    extract: X,
}

/// The rules of a request that are asked together, because they are charged the same.
pub(super) struct Batch {
    pub(super) keys: Vec<(RuleId, Key)>,
    pub(super) cost: Cost,
    pub(super) unit: Unit,
}

impl<G: Gate, X: Fn(&Parts) -> Subject> RateLimitLayer<G, X> {
    /// The layer for `route`, whose rules `gate` must have under the same names. `extract` says who a request is from.
    ///
    /// # Errors
    ///
    /// [`UnknownRule`](crate::ErrorKind::UnknownRule) if the limiter lacks a rule of the route,
    /// [`NoRules`](crate::ErrorKind::NoRules) if the layer would have none to ask, and
    /// [`InvalidConfiguration`](crate::ErrorKind::InvalidConfiguration) if a rule has no key or reserves more bytes than
    /// its limit.
    pub fn new(gate: G, route: &Route, extract: X) -> Result<Self, Error> {
        let mut asked = Vec::new();
        for rule in route.rules().iter().filter(|rule| rule.asked != Asked::ByHandler) {
            rule.validate()?;
            asked.push((gate.rule(rule.rule.name())?, rule.clone()));
        }
        if asked.is_empty() {
            return Err(Repr::EmptyLimiter.into());
        }
        Ok(Self { shared: Arc::new(Shared { gate, route: route.clone(), asked, extract }) })
    }
}

impl<G, X: Fn(&Parts) -> Subject> Shared<G, X> {
    /// What to ask for a request.
    ///
    /// # Errors
    ///
    /// If it lacks a key that it must have, or has none at all: it would pass without being counted.
    pub(super) fn batches(&self, request: &Parts) -> Result<Vec<Batch>, Error> {
        let subject = (self.extract)(request);
        let mut batches: Vec<Batch> = Vec::new();
        for (id, rule) in &self.asked {
            let Some(key) = subject.key(&rule.by, &self.route) else {
                if rule.asked == Asked::IfKnown {
                    continue;
                }
                return Err(Repr::MissingKey { rule: rule.rule.name().to_owned() }.into());
            };
            match batches.iter_mut().find(|batch| batch.unit == rule.unit) {
                Some(batch) => batch.keys.push((*id, key)),
                None => batches.push(Batch { keys: vec![(*id, key)], cost: rule.unit.reserved(), unit: rule.unit }),
            }
        }
        if batches.is_empty() { Err(Repr::EmptyRequest.into()) } else { Ok(batches) }
    }

    /// The rules that the layer asks, for the policy field.
    pub(super) fn rules(&self) -> impl Iterator<Item = &RouteRule> {
        self.asked.iter().map(|(_, rule)| rule)
    }

    pub(super) fn rule(&self, id: RuleId) -> Option<&RouteRule> {
        self.asked.iter().find(|(asked, _)| *asked == id).map(|(_, rule)| rule)
    }
}

impl Unit {
    fn reserved(self) -> Cost {
        match self {
            Self::Requests => Cost::ONE,
            Self::Kibibytes { reserve } => Cost::new(reserve),
        }
    }
}

impl<S, G, X> Layer<S> for RateLimitLayer<G, X> {
    type Service = RateLimit<S, G, X>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimit::new(inner, Arc::clone(&self.shared))
    }
}

impl<G, X> Clone for RateLimitLayer<G, X> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<G, X> fmt::Debug for RateLimitLayer<G, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer").field("route", &self.shared.route).finish_non_exhaustive()
    }
}
