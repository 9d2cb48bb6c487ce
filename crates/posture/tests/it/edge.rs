//! What browsers are told.

use chrono::Utc;
use http::{HeaderMap, HeaderValue, header::STRICT_TRANSPORT_SECURITY};
use stockade_posture::{Observation, Outcome, edge};

fn answer(values: &[&str]) -> HeaderMap {
    values.iter().map(|value| (STRICT_TRANSPORT_SECURITY, HeaderValue::from_str(value).unwrap())).collect()
}

fn reason(seen: &Observation) -> &str {
    assert_eq!(seen.control().as_str(), "transport.tls");
    assert_eq!(seen.subject().as_str(), "hsts of app.example.com");
    seen.outcome().reason().unwrap_or("pass")
}

fn judged(values: &[&str]) -> String {
    reason(&edge::hsts("app.example.com", &answer(values), Utc::now())).to_owned()
}

#[test]
fn hsts_of_a_year_passes() {
    for header in ["max-age=31536000", "max-age=63072000; includeSubDomains; preload", " Max-Age = \"31536000\" ;; x=1"]
    {
        assert_eq!(judged(&[header]), "pass", "{header}");
    }
    let seen = edge::hsts("app.example.com", &answer(&["max-age=63072000; includeSubDomains"]), Utc::now());
    assert_eq!((&seen.facts()["max_age_days"], &seen.facts()["subdomains"]), (&730.into(), &true.into()));
}

#[test]
fn hsts_that_protects_nobody_fails() {
    for (header, expected) in [
        ("max-age=31535999", "max-age is less than a year"),
        ("max-age=0", "max-age is 0, which ends the protection"),
        ("includeSubDomains", "browsers do not understand its Strict-Transport-Security"),
        ("max-age", "browsers do not understand its Strict-Transport-Security"),
        ("max-age=-1", "browsers do not understand its Strict-Transport-Security"),
        ("max-age=+31536000", "browsers do not understand its Strict-Transport-Security"),
        ("max-age=31536000; max-age=31536000", "browsers do not understand its Strict-Transport-Security"),
        ("max-age=31536000, includeSubDomains", "browsers do not understand its Strict-Transport-Security"),
    ] {
        assert_eq!(judged(&[header]), expected, "{header}");
    }
    assert_eq!(judged(&[]), "the answer has no Strict-Transport-Security");
    let remedy = edge::hsts("app.example.com", &HeaderMap::new(), Utc::now()).suggested_remedy().map(str::to_owned);
    let header = remedy.unwrap().replace("Strict-Transport-Security: ", "");
    assert_eq!(judged(&[&header]), "pass", "what is suggested is enough");
    let two = judged(&["max-age=31536000", "max-age=0"]);
    assert_eq!(two, "the answer has several Strict-Transport-Security, of which browsers read the first");
    assert_eq!(judged(&["max-age=99999999999999999999999999"]), "pass", "more than any number holds");
}

#[test]
fn only_tls_1_3_passes_at_the_edge() {
    let outcome = |version| edge::tls("app.example.com", version, Utc::now()).outcome().clone();
    for version in ["TLSv1.3", "TLSv1_3", "TLS 1.3"] {
        assert_eq!(outcome(version), Outcome::Pass, "{version}");
    }
    for version in ["TLSv1.2", "TLSv1", "SSLv3", "TLSv1.30"] {
        assert_eq!(
            outcome(version),
            Outcome::Fail { reason: "the connection uses TLS older than 1.3".into() },
            "{version}"
        );
    }
    assert_eq!(outcome("").word(), "unknown");
}
