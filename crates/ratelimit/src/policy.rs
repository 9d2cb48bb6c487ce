//! Routes and their rules as a TOML file.

use std::fmt;

use crate::limiter::{Limiter, LimiterBuilder};
use crate::route::Route;

pub use self::problem::Problem;

mod compile;
mod problem;
mod source;

/// The routes of an application, read from TOML.
///
/// ```
/// use stockade_ratelimit::Policy;
///
/// let policy = Policy::parse(r#"
///     [[route]]
///     name = "login"
///     preset = "login"            # or sign-up, otp, reset, downloads, webhooks, exports
///
///     [[route]]
///     name = "reports"
///     disclose = "full"           # or retry-after (the default), nothing
///
///     [[route.rule]]
///     name = "reports.tenant"
///     key = ["tenant", "route"]   # or one of ip, ip/56, ip/48, account, user, tenant, token, route
///     algorithm = "window"        # or exact
///     limit = 100
///     window = "1h"               # ns, us, ms, s, m, h, d
///     mode = "shadow"             # or enforce (the default), off
///     asked = "if-known"          # or always (the default), by-handler
///
///     [[route.rule]]
///     name = "reports.bytes"
///     key = "tenant"
///     algorithm = "window"
///     limit = 1048576
///     window = "1d"
///     reserve_kib = 4096          # counts KiB instead of requests
/// "#)?;
/// let limiter = policy.limiter().build()?;
/// assert_eq!(policy.route("reports").unwrap().rules().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    routes: Vec<Route>,
}

/// All that is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    problems: Vec<Problem>,
}

impl Policy {
    /// The longest text that is read.
    pub const MAX_SOURCE_BYTES: usize = 1024 * 1024;

    /// The most rules that a policy may have.
    pub const MAX_RULES: usize = 1024;

    /// Reads a policy, and refuses what it does not know.
    ///
    /// # Errors
    ///
    /// Every problem at once, unless the text is no TOML or has a field that no policy has: then that alone.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        compile::compile(text).map(|routes| Self { routes }).map_err(|problems| PolicyError { problems })
    }

    /// The routes, in order.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The route of that name.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name() == name)
    }

    /// A builder that has the rules of all routes.
    pub fn limiter(&self) -> LimiterBuilder {
        self.routes.iter().fold(Limiter::builder(), LimiterBuilder::route)
    }
}

impl PolicyError {
    /// The problems, in the order of the text.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [only] => write!(f, "the rate limit policy cannot be used: {only}"),
            [first, rest @ ..] => write!(f, "the rate limit policy cannot be used: {first} (and {} more)", rest.len()),
            [] => f.write_str("the rate limit policy cannot be used"),
        }
    }
}

impl std::error::Error for PolicyError {}
