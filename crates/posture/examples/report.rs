//! Prints an export of an invented assessment: `cargo run -p stockade-posture --example report > posture.html`, or with `json`, `markdown`,
//! `csv` or `oscal` as the argument.

use std::io::{Result, Write, stdout};

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use stockade_posture::{
    Assessment, Attestation, ControlId, Exemption, Observation, Plan, Subject, history::Snapshot, render,
};

fn main() -> Result<()> {
    let now = Utc.with_ymd_and_hms(2026, 3, 4, 9, 0, 0).single().unwrap_or_default();
    let export = match std::env::args().nth(1).as_deref() {
        Some("json") => render::json,
        Some("markdown") => render::markdown,
        Some("csv") => render::csv,
        Some("oscal") => render::oscal,
        _ => render::html_page,
    };
    stdout().write_all(export(&assessment(now)).as_bytes())
}

fn assessment(now: DateTime<Utc>) -> Assessment {
    let builder = Assessment::builder(now)
        .observe(isolation(now - TimeDelta::minutes(4)))
        .observe(application(now - TimeDelta::hours(2)))
        .exempt(Exemption::new(
            ControlId::CRYPTO_DISPOSAL,
            "no field is disposed of before the first erasure request",
            "data protection officer",
            now + TimeDelta::days(60),
        ))
        .plan(Plan::new(ControlId::MFA_PRIVILEGED, "identity team", now + TimeDelta::days(21)))
        .plan(Plan::new(ControlId::SUPPLY_SBOM, "release team", now - TimeDelta::days(6)))
        .history(
            (1..80).filter(|days| !(40..44).contains(days)).map(|days| earlier(now - TimeDelta::days(days), days)),
        );
    let pentest = Attestation::new(
        ControlId::ATTEST_PENTEST,
        "head of engineering",
        "tested by an outside firm; both findings are closed",
        now - TimeDelta::days(80),
        now + TimeDelta::days(250),
    );
    match pentest {
        Ok(pentest) => builder.attest(pentest.evidence("report 2025-12, sha256 9f86d081884c7d65")).build(),
        Err(_) => builder.build(),
    }
}

/// What was measured so many days ago: less of it the longer ago.
fn earlier(at: DateTime<Utc>, days: i64) -> Snapshot {
    let mut seen = application(at - TimeDelta::hours(2));
    let known = seen.len().saturating_sub(usize::try_from(days / 9).unwrap_or_default());
    seen.truncate(known);
    let tables = isolation(at).into_iter().filter(|seen| days < 30 || seen.control() != ControlId::RLS_FORCED);
    let tls = Observation::pass(ControlId::TRANSPORT_TLS, Subject::new("connection to the database"), at);
    Assessment::builder(at).observe(seen).observe(tables).observe((days < 12).then_some(tls)).build().snapshot()
}

fn isolation(at: DateTime<Utc>) -> Vec<Observation> {
    let mut seen = vec![];
    for table in ["account", "driver", "gl_posting", "load", "load_note", "settlement", "stop", "vehicle"] {
        let subject = || Subject::new(format!("freight.{table}"));
        seen.push(Observation::pass(ControlId::RLS_ENABLED, subject(), at).by("postgres.rls"));
        seen.push(match table {
            "load_note" => {
                Observation::fail(ControlId::RLS_FORCED, subject(), at, "the owner of the table is not bound")
                    .remedy("ALTER TABLE freight.load_note FORCE ROW LEVEL SECURITY;")
                    .by("postgres.rls")
            }
            _ => Observation::pass(ControlId::RLS_FORCED, subject(), at).by("postgres.rls"),
        });
        seen.push(Observation::pass(ControlId::RLS_POLICIES, subject(), at).fact("policies", 2).by("postgres.rls"));
    }
    let role = Subject::new("role freight_app on schema freight");
    seen.push(
        Observation::pass(ControlId::RLS_ROLE, role, at)
            .fact("superuser", false)
            .fact("bypassrls", false)
            .by("postgres.rls"),
    );
    seen.push(
        Observation::pass(ControlId::RLS_PROBE, Subject::new("schema freight"), at)
            .fact("attempts", 47)
            .by("isolation probe"),
    );
    seen
}

fn application(at: DateTime<Utc>) -> Vec<Observation> {
    let mut seen = vec![
        Observation::pass(ControlId::AUDIT_APPEND_ONLY, Subject::new("stockade.audit_entry"), at).by("audit manifest"),
        Observation::pass(ControlId::AUDIT_ANCHORED, Subject::new("all chains"), at)
            .fact("checkpoints", 3)
            .by("audit manifest"),
        Observation::pass(ControlId::CRYPTO_FIELDS, Subject::new("freight.driver.ssn"), at)
            .fact("sealed", 1_204)
            .fact("active key", 1_204),
        Observation::pass(ControlId::CRYPTO_FIELDS, Subject::new("freight.driver.bank_account"), at)
            .fact("sealed", 1_204)
            .fact("active key", 1_204),
        Observation::pass(ControlId::CRYPTO_ROTATION, Subject::new("key kek-2026"), at).fact("age in days", 41),
        Observation::pass(ControlId::RBAC_LEAST, Subject::new("roles"), at).fact("roles", 8).fact("wildcards", 0),
        Observation::pass(ControlId::SESSION_POLICY, Subject::new("session cookie"), at).fact("idle minutes", 30),
        Observation::fail(
            ControlId::MFA_PRIVILEGED,
            Subject::new("role owner"),
            at,
            "three of five have no second factor",
        )
        .fact("enrolled", 2)
        .fact("privileged", 5),
        Observation::pass(ControlId::PASSWORD_HASH, Subject::new("argon2id"), at - TimeDelta::hours(30))
            .fact("current", 212),
        Observation::pass(ControlId::RATELIMIT_AUTH, Subject::new("sign-in"), at),
        Observation::fail(ControlId::RATELIMIT_AUTH, Subject::new("password reset"), at, "no limit is set"),
        Observation::pass(ControlId::PERIOD_CLOSED, Subject::new("freight.gl_posting"), at),
        Observation::unknown(
            ControlId::TRANSPORT_TLS,
            Subject::new("connection to the database"),
            at,
            "a Unix socket: TLS does not apply",
        ),
        Observation::pass(ControlId::MIGRATIONS_LEDGER, Subject::new("freight"), at).fact("applied", 12),
    ];
    for (tenant, entries) in [("acme", 18_204), ("bright", 7_310), ("cedar", 962)] {
        let subject = Subject::new(format!("tenant {tenant}"));
        seen.push(
            Observation::pass(ControlId::AUDIT_VERIFIES, subject, at).fact("entries", entries).by("chain verifier"),
        );
    }
    seen
}
