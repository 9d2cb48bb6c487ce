//! `RateLimit-Policy`, `RateLimit` and `Retry-After`.
//!
//! The first two as in draft-ietf-httpapi-ratelimit-headers-10: lists of strings with parameters (RFC 9651). `q` is the
//! quota, `w` its window in seconds, `qu` its unit where that is not requests; `r` is what is left, `t` the seconds
//! until there is more. A rule's name needs no escaping in a string, because it consists of `a-z0-9._-`.

use std::fmt::Write as _;

use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::decision::Decision;
use crate::route::{Disclosure, RouteRule, Unit};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");

/// `Retry-After` in whole seconds, never earlier than the limit admits (RFC 9110 section 10.2.3).
pub(super) fn retry_after(headers: &mut HeaderMap, disclosure: Disclosure, decision: &Decision) {
    if disclosure != Disclosure::Nothing && !decision.retry_after.is_zero() {
        headers.insert(RETRY_AFTER, HeaderValue::from(decision.retry_after_secs()));
    }
}

/// The policy of all rules, and how the deciding ones stand. Fields that the service set itself are added to, as several
/// limits in a row would.
pub(super) fn describe<'a>(
    headers: &mut HeaderMap,
    disclosure: Disclosure,
    rules: impl Iterator<Item = &'a RouteRule>,
    standings: impl Iterator<Item = (&'a RouteRule, &'a Decision)>,
) {
    if disclosure != Disclosure::Full {
        return;
    }
    let mut policies = String::new();
    for rule in rules {
        let limit = rule.unit.in_its_own_terms(rule.rule.limit().get());
        let window = rule.rule.period().as_secs().saturating_add(u64::from(rule.rule.period().subsec_nanos() > 0));
        separate(&mut policies);
        // Writing to a string does not fail.
        let _ = write!(policies, "\"{}\";q={limit};w={window}", rule.rule.name());
        if matches!(rule.unit, Unit::Kibibytes { .. }) {
            policies.push_str(";qu=\"content-bytes\"");
        }
    }
    append(headers, POLICY, &policies);

    let mut standing = String::new();
    for (rule, decision) in standings {
        let left = rule.unit.in_its_own_terms(decision.remaining);
        let after = if decision.allowed { decision.reset_after } else { decision.retry_after };
        let seconds = after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0));
        separate(&mut standing);
        let _ = write!(standing, "\"{}\";r={left};t={seconds}", rule.rule.name());
    }
    append(headers, STANDING, &standing);
}

impl Unit {
    fn in_its_own_terms(self, units: u32) -> u64 {
        match self {
            Self::Requests => u64::from(units),
            Self::Kibibytes { .. } => u64::from(units).saturating_mul(1024),
        }
    }
}

fn separate(list: &mut String) {
    if !list.is_empty() {
        list.push_str(", ");
    }
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value)
        && !value.is_empty()
    {
        headers.append(name, value);
    }
}
