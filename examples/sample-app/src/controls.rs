//! Measuring the compliance controls on the running system.

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use stockade::{
    audit_chain::postgres::health,
    posture::{
        Assessment, ControlId, Observation, Subject, audit_chain,
        postgres::{self, RlsScope},
    },
    ratelimit::Mode,
    tenant_guard::{Principal, TenantId},
};
use uuid::Uuid;

use crate::{
    app::App,
    domain::{
        attacks,
        encryption::{self, Coverage},
        people::User,
        review,
    },
    limits::{CODE_ADDRESS, SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS},
    schema, seed,
    watch::{Checkpointed, Found, Verified},
};

/// Measures what can be measured for the tenant of `user`. What is not measured stays "not yet".
///
/// # Errors
/// When the database cannot be reached at all; a single measurement that fails becomes an unknown.
pub async fn assess(app: &App, user: &User, principal: &Principal) -> Result<Assessment> {
    let now = Utc::now();
    let mut builder = Assessment::builder(now);
    {
        let mut connection = app.sealer().await?;
        let scope = RlsScope::new("freight", "tenant_id", app.prefix().app());
        builder = builder
            .observe(postgres::rls(&mut connection, &scope).await)
            .observe(postgres::transport(&mut connection).await)
            .observe(rules(&mut connection, now).await)
            .observe([guards(app, &mut connection, now).await]);
    }
    let assessment = builder
        .observe([chain(app, user, now), anchored(app, now), probe(app, principal, now).await])
        .observe(sealed_fields(app, user, now).await)
        .observe(accounts(app, now).await)
        .observe(access(app, principal, now).await)
        .observe([cookies(app, now)])
        .observe(limits(app, now))
        .build();
    Ok(assessment)
}

/// What the watch last found. A verification that nobody made is not in place.
fn chain(app: &App, user: &User, now: DateTime<Utc>) -> Observation {
    let subject = Subject::new(format!("audit log of {}", user.tenant_name));
    match app.watch.verified(user.tenant_id.into()) {
        Some(Verified { at, report }) => audit_chain::chain_verified(subject, &report, at),
        None => Observation::unknown(ControlId::AUDIT_VERIFIES, subject, now, "not verified since the start"),
    }
}

fn anchored(app: &App, now: DateTime<Utc>) -> Observation {
    let missing = |why: &str| {
        Observation::unknown(ControlId::AUDIT_ANCHORED, Subject::new("checkpoints of the audit log"), now, why)
    };
    match app.watch.checkpointed() {
        Some(Checkpointed { at, found: Found::Answered(answer) }) => {
            audit_chain::checkpointed(&answer, at).unwrap_or_else(|| missing("another process makes them"))
        }
        Some(_) => missing("the last checkpoint could not be anchored"),
        None => missing("no checkpoint since the start"),
    }
}

async fn rules(connection: &mut sqlx::PgConnection, now: DateTime<Utc>) -> Vec<Observation> {
    match health(connection).await {
        Ok(health) => audit_chain::rules_compared(&health, now),
        Err(_) => {
            let subject = Subject::new("rules of the audit log");
            vec![Observation::unknown(ControlId::AUDIT_APPEND_ONLY, subject, now, "the catalogue could not be read")]
        }
    }
}

async fn probe(app: &App, attacker: &Principal, now: DateTime<Utc>) -> Observation {
    let subject = Subject::new("application role");
    let victim = seed::TENANTS
        .iter()
        .map(|tenant| tenant.id)
        .find(|id| TenantId::new(*id) != attacker.tenant_id())
        .unwrap_or(Uuid::nil());
    match attacks::run(app, attacker, victim).await {
        Ok(attempts) => {
            let held = attempts.iter().filter(|attempt| attempt.outcome.held()).count();
            let observation = if held == attempts.len() {
                Observation::pass(ControlId::RLS_PROBE, subject, now)
            } else {
                Observation::fail(ControlId::RLS_PROBE, subject, now, "an attempt reached another tenant")
            };
            observation.fact("attempts", attempts.len() as u64).fact("held", held as u64)
        }
        Err(_) => Observation::unknown(ControlId::RLS_PROBE, subject, now, "the attempts could not be made"),
    }
}

async fn guards(app: &App, connection: &mut sqlx::PgConnection, now: DateTime<Utc>) -> Observation {
    let subject = Subject::new("freight.gl_posting");
    match schema::schema(app.prefix()).health(connection).await {
        Ok(health) if health.tables().iter().any(|table| table.name == "gl_posting" && table.period_guard) => {
            Observation::pass(ControlId::PERIOD_CLOSED, subject, now)
        }
        Ok(_) => Observation::fail(ControlId::PERIOD_CLOSED, subject, now, "no close-period guard"),
        Err(_) => Observation::unknown(ControlId::PERIOD_CLOSED, subject, now, "the catalogue could not be read"),
    }
}

/// How much of each registered column is sealed, and under the keys that seal now.
async fn sealed_fields(app: &App, user: &User, now: DateTime<Utc>) -> Vec<Observation> {
    let Ok(status) = encryption::status(app, user.tenant_id).await else {
        let subject = Subject::new("sealed columns");
        return vec![Observation::unknown(ControlId::CRYPTO_FIELDS, subject, now, "the columns could not be counted")];
    };
    let observe = |column: &Coverage| {
        let subject = Subject::new(&column.column);
        let observation = match (column.open, column.older) {
            (0, 0) => Observation::pass(ControlId::CRYPTO_FIELDS, subject, now),
            (0, _) => Observation::fail(ControlId::CRYPTO_FIELDS, subject, now, "values under an older key"),
            _ => Observation::fail(ControlId::CRYPTO_FIELDS, subject, now, "values that are not sealed"),
        };
        observation.fact("sealed", column.sealed).fact("older_key", column.older).fact("shredded", column.shredded)
    };
    status.columns.iter().map(observe).collect()
}

/// Who has what: whether it is little, and whether anybody has looked at it.
async fn access(app: &App, principal: &Principal, now: DateTime<Utc>) -> [Observation; 2] {
    let subject = || Subject::new("roles and exceptions");
    let Ok((grants, reviewed)) = review::statistics(app, principal).await else {
        return [ControlId::RBAC_LEAST, ControlId::RBAC_REVIEW]
            .map(|control| Observation::unknown(control, subject(), now, "the grants could not be read"));
    };
    let least = match (grants.owners, grants.tenant_wide_writers * 2 > grants.people) {
        (0, _) => Observation::fail(ControlId::RBAC_LEAST, subject(), now, "nobody is an owner for good"),
        (_, true) => {
            Observation::fail(ControlId::RBAC_LEAST, subject(), now, "more than half write in the whole tenant")
        }
        (_, false) => Observation::pass(ControlId::RBAC_LEAST, subject(), now),
    };
    let least = least
        .fact("people", grants.people as u64)
        .fact("owners", grants.owners as u64)
        .fact("tenant_wide_writers", grants.tenant_wide_writers as u64);
    let fresh = reviewed.is_some_and(|at| now - at < TimeDelta::days(90));
    let leftovers = grants.orphans + grants.expired + grants.without_expiry + grants.separations_broken;
    let review = match (fresh, leftovers) {
        (true, 0) => Observation::pass(ControlId::RBAC_REVIEW, subject(), now),
        (false, _) => Observation::fail(ControlId::RBAC_REVIEW, subject(), now, "no access review in the last 90 days"),
        (true, _) => Observation::fail(
            ControlId::RBAC_REVIEW,
            subject(),
            now,
            "grants that have expired or that the policy does not know",
        ),
    };
    [least, review.fact("leftovers", leftovers as u64).fact("expiring", grants.expiring as u64)]
}

async fn accounts(app: &App, now: DateTime<Utc>) -> Vec<Observation> {
    let subject = || Subject::new("accounts");
    let Ok(stats) = app.auth.stats().await else {
        return [ControlId::MFA_ALL, ControlId::PASSWORD_HASH]
            .map(|control| Observation::unknown(control, subject(), now, "the accounts could not be read"))
            .into();
    };
    let share = |control, reached: u64, reason: &'static str| {
        let observation = if reached == stats.accounts {
            Observation::pass(control, subject(), now)
        } else {
            Observation::fail(control, subject(), now, reason)
        };
        observation.fact("accounts", stats.accounts).fact("reached", reached)
    };
    vec![
        share(ControlId::MFA_ALL, stats.with_totp, "accounts without a second factor"),
        share(ControlId::PASSWORD_HASH, stats.current_hashes, "hashes with older parameters"),
    ]
}

/// Reads the flags off a cookie that the application would send.
fn cookies(app: &App, now: DateTime<Utc>) -> Observation {
    let subject = Subject::new("session cookie");
    let cookie = app.cookies.clear_session();
    let missing: Vec<_> = ["__Host-", "; Secure", "; HttpOnly", "; SameSite=Lax"]
        .into_iter()
        .filter(|flag| !cookie.contains(flag))
        .collect();
    if missing.is_empty() {
        Observation::pass(ControlId::SESSION_POLICY, subject, now)
    } else {
        Observation::fail(ControlId::SESSION_POLICY, subject, now, format!("without {}", missing.join(" ")))
    }
}

fn limits(app: &App, now: DateTime<Utc>) -> Vec<Observation> {
    let counts = app.limits.counts();
    [SIGN_IN_ACCOUNT, SIGN_IN_ADDRESS, CODE_ADDRESS]
        .into_iter()
        .map(|name| {
            let subject = Subject::new(name);
            match counts.rules.iter().find(|rule| rule.rule.name() == name) {
                Some(rule) if rule.rule.mode() == Mode::Enforce => {
                    Observation::pass(ControlId::RATELIMIT_AUTH, subject, now)
                        .fact("limit", u64::from(rule.rule.limit().get()))
                }
                _ => Observation::fail(ControlId::RATELIMIT_AUTH, subject, now, "the limit is not enforced"),
            }
        })
        .collect()
}
