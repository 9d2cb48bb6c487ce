//! The control `session.policy`: what a browser is told about the session's cookie.

use chrono::{DateTime, Utc};

use crate::{
    control::ControlId,
    observation::{Observation, Outcome, Subject},
};

const NAME: &str = "session.cookie";

/// The longest `Set-Cookie` that browsers keep (RFC 6265bis).
const MOST_BYTES: usize = 4_096;

/// Measures the attributes of the session's cookie, off a `Set-Cookie` header as a browser gets it: the prefix `__Host-` with all that it
/// demands (`Secure`, `Path=/`, no `Domain`), `HttpOnly`, and `SameSite` of `Lax` or `Strict`.
///
/// Take the header from an answer of the running application. One that is built for the purpose, such as
/// [`Cookies::clear_session`](stockade_session::Cookies::clear_session), shows what this crate would send, and not what a proxy in front makes
/// of it. The value is not looked at and not kept.
#[must_use]
pub fn cookie(set_cookie: &str, at: DateTime<Utc>) -> Observation {
    let (control, subject) = (ControlId::SESSION_POLICY, Subject::new("session cookie"));
    let mut parts = set_cookie.split(';').map(str::trim);
    let name = parts.next().and_then(|pair| pair.split_once('=')).map(|(name, _)| name.trim());
    let Some(name) = name.filter(|name| !name.is_empty() && set_cookie.len() <= MOST_BYTES) else {
        return Observation::unknown(control, subject, at, "it is no Set-Cookie that a browser would keep").by(NAME);
    };
    let attributes: Vec<(&str, &str)> = parts
        .map(|part| part.split_once('=').map_or((part, ""), |(name, value)| (name.trim(), value.trim())))
        .collect();
    let has = |wanted: &str| attributes.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    // Of one that is repeated, the last counts.
    let value = |wanted: &str| {
        attributes.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map_or("", |(_, value)| *value)
    };
    let same_site = ["Lax", "Strict"].iter().any(|wanted| value("SameSite").eq_ignore_ascii_case(wanted));
    let missing: Vec<&str> = [
        ("__Host-", name.starts_with("__Host-")),
        ("Secure", has("Secure")),
        ("HttpOnly", has("HttpOnly")),
        ("SameSite", same_site),
        ("Path=/", value("Path") == "/"),
    ]
    .into_iter()
    .filter_map(|(wanted, there)| (!there).then_some(wanted))
    .collect();
    let seen = if !missing.is_empty() {
        Observation::fail(control, subject, at, format!("it goes without {}", missing.join(", ")))
    } else if has("Domain") {
        Observation::fail(control, subject, at, "it has a Domain, and other hosts get it")
    } else {
        Observation::pass(control, subject, at)
    };
    let seen = seen.fact("name", name).by(NAME);
    match seen.outcome() {
        Outcome::Fail { .. } => seen.remedy("Set-Cookie: __Host-session=..; Path=/; Secure; HttpOnly; SameSite=Lax"),
        _ => seen,
    }
}
