//! The browsers' half of `transport.tls`: what the application's edge answers.
//!
//! Behind a proxy that ends TLS, the application sees neither. Measure from outside: ask the public address as a browser would, and
//! judge that answer.

use chrono::{DateTime, Utc};
use http::{HeaderMap, header::STRICT_TRANSPORT_SECURITY};

use crate::{
    control::ControlId,
    observation::{Observation, Subject},
};

const NAME: &str = "edge";

/// The least `max-age`, in seconds: a year, which the preload lists of browsers ask for (ASVS 5.0, 3.4.1).
const YEAR: u64 = 31_536_000;

/// Measures HSTS (RFC 6797) off the headers of an answer that `host` gave over HTTPS: one header, for a year or longer.
///
/// Over plain HTTP browsers ignore the header, so judge no answer that came that way.
#[must_use]
pub fn hsts(host: &str, headers: &HeaderMap, at: DateTime<Utc>) -> Observation {
    let subject = Subject::new(format!("hsts of {host}"));
    let fail = |reason: &str| {
        Observation::fail(ControlId::TRANSPORT_TLS, subject.clone(), at, reason)
            .remedy("Strict-Transport-Security: max-age=31536000; includeSubDomains")
            .by(NAME)
    };
    let mut found = headers.get_all(STRICT_TRANSPORT_SECURITY).iter();
    let Some(header) = found.next() else { return fail("the answer has no Strict-Transport-Security") };
    if found.next().is_some() {
        return fail("the answer has several Strict-Transport-Security, of which browsers read the first");
    }
    let Some(policy) = header.to_str().ok().and_then(Policy::parse) else {
        return fail("browsers do not understand its Strict-Transport-Security");
    };
    let seen = match policy.max_age {
        0 => fail("max-age is 0, which ends the protection"),
        1..YEAR => fail("max-age is less than a year"),
        YEAR.. => Observation::pass(ControlId::TRANSPORT_TLS, subject, at).by(NAME),
    };
    seen.fact("max_age_days", policy.max_age / 86_400).fact("subdomains", policy.subdomains)
}

/// Measures the version of TLS that a connection to `host` came to use, as the client or the edge names it: `TLSv1.3` of OpenSSL and nginx,
/// `TLSv1_3` of rustls, `TLS 1.3`.
///
/// A client that offers TLS 1.3 does not find out whether an older version would do. Where a client that offers nothing newer than
/// 1.2 gets an answer, judge that one too, under a name of its own (`old client of example.com`).
#[must_use]
pub fn tls(host: &str, version: &str, at: DateTime<Utc>) -> Observation {
    let subject = Subject::new(format!("tls of {host}"));
    let digits: String = version.chars().filter(char::is_ascii_digit).collect();
    let seen = match digits.as_str() {
        "13" => Observation::pass(ControlId::TRANSPORT_TLS, subject, at),
        "" => Observation::unknown(ControlId::TRANSPORT_TLS, subject, at, "no version of TLS is named"),
        _ => Observation::fail(ControlId::TRANSPORT_TLS, subject, at, "the connection uses TLS older than 1.3"),
    };
    seen.fact("version", version).by(NAME)
}

struct Policy {
    max_age: u64,
    subdomains: bool,
}

impl Policy {
    /// RFC 6797 section 6.1: directives in any order, each at most once, names in any case, `max-age` required.
    fn parse(header: &str) -> Option<Self> {
        let (mut max_age, mut subdomains) = (None, false);
        for directive in header.split(';').map(str::trim).filter(|directive| !directive.is_empty()) {
            let (name, value) =
                directive.split_once('=').map_or((directive, None), |(name, value)| (name, Some(value)));
            let name = name.trim();
            if name.eq_ignore_ascii_case("max-age") {
                let digits = value?.trim().trim_matches('"');
                let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                let seconds = valid.then(|| digits.parse().unwrap_or(u64::MAX))?;
                if max_age.replace(seconds).is_some() {
                    return None;
                }
            } else if name.eq_ignore_ascii_case("includeSubDomains") {
                if subdomains || value.is_some() {
                    return None;
                }
                subdomains = true;
            }
        }
        max_age.map(|max_age| Self { max_age, subdomains })
    }
}
