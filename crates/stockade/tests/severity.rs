//! How much an entry matters: each line of the README's table, from the event that makes it, and no event without its entry.

#![expect(clippy::unwrap_used, reason = "a failed assumption should stop the test")]
#![cfg(all(feature = "request", feature = "field-crypto"))]

use std::{
    collections::BTreeSet,
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::PgPoolOptions;
use stockade::{
    audit_chain::{Actor, Entry, TenantId, format::tag},
    bridge::{Recorder, denied_entry, field_entry, store_entry, tenant_entry, use_entry},
    field_crypto::{FieldEvent, KekId, LocalKeyring, MemoryKeyStore, Vault},
    ratelimit::{Cost, Key, Limiter, ManualClock, Rule, store::Health},
    rbac::{
        self, AccessRecord, AuditSink, Delegation, Denied, Override, Policy, Reason, Resource, Scope, Scopes, Subject,
        Timebox,
    },
    tenant_guard::{self, BoxError, Event, ForeignRow, ImpersonationGrant, Refusal, Straddle, TenantDb},
};
use uuid::Uuid;

const README: &str = include_str!("../README.md");
const TENANT: Uuid = Uuid::from_u128(2);
const OTHER: Uuid = Uuid::from_u128(3);

/// The lines that events have made.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<BTreeSet<String>>>);

impl Lines {
    fn add(&self, entry: &Entry) {
        self.add_as(None, entry);
    }

    /// Permissions are the application's, and the table names none: `kind` stands in place of the action.
    fn add_as(&self, kind: Option<&str>, entry: &Entry) {
        let record = entry.record_at(DateTime::<Utc>::UNIX_EPOCH).unwrap();
        let field = |tag| record.envelope().field(tag).unwrap_or_default().to_vec();
        let text = |tag| String::from_utf8(field(tag)).unwrap();
        let severity = field(tag::SEVERITY).first().map(|code| usize::from(*code)).unwrap();
        let severity = ["info", "notice", "warning", "critical"].get(severity).unwrap();
        let action = kind.map_or_else(|| text(tag::ACTION), str::to_owned);
        self.0.lock().unwrap().insert(format!("| `{action}` | {} | {severity} |", text(tag::OUTCOME)));
    }

    fn recorder(&self) -> Recorder<impl Fn(TenantId, Entry) + Clone + Send + Sync + 'static> {
        let lines = self.clone();
        Recorder::new(move |_, entry| lines.add(&entry))
    }

    /// Holds the table below a heading of the README to what was made.
    fn are_the_table(&self, heading: &str) {
        let section = README.split(&format!("### {heading}\n")).nth(1).unwrap();
        let section = section.split("\n### ").next().unwrap().split("\n## ").next().unwrap();
        let told = section.lines().filter(|line| line.starts_with("| `"));
        let told: BTreeSet<String> =
            told.map(|line| line.splitn(5, '|').take(4).collect::<Vec<_>>().join("|") + "|").collect();
        assert_eq!(told, *self.0.lock().unwrap(), "the table `{heading}` of the README");
    }
}

/// The variants of an enum, as its source names them.
fn variants(source: &str, name: &str) -> Vec<String> {
    let body = source.split(&format!("pub enum {name}")).nth(1).unwrap();
    let body = body.split_once("{\n").unwrap().1.split("\n}").next().unwrap();
    let names =
        body.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| line.starts_with(char::is_uppercase));
    names.map(|line| line.split(|one: char| !one.is_alphanumeric()).next().unwrap().to_owned()).collect()
}

#[test]
fn no_event_is_without_an_entry_of_its_own() {
    let crates = [
        (include_str!("../../session/src/event.rs"), "SecurityEvent", include_str!("../src/bridge/session.rs")),
        (include_str!("../../tenant-guard/src/event.rs"), "Event", include_str!("../src/bridge/tenant_guard.rs")),
        (include_str!("../../field-crypto/src/event.rs"), "FieldEvent", include_str!("../src/bridge/field_crypto.rs")),
        (include_str!("../../ratelimit/src/event.rs"), "EventKind", include_str!("../src/bridge/ratelimit.rs")),
        (include_str!("../../ratelimit/src/store/health.rs"), "Health", include_str!("../src/bridge/ratelimit.rs")),
    ];
    for (events, name, entries) in crates {
        let variants = variants(events, name);
        assert!(variants.len() >= 2, "{name}");
        for variant in variants {
            let arm = format!("{name}::{variant}");
            let whole = |rest: &str| !rest.starts_with(char::is_alphanumeric);
            assert!(entries.split(&arm).skip(1).any(whole), "{arm} makes no entry");
        }
    }
}

#[tokio::test]
async fn what_the_guard_of_tenants_refuses() {
    let lines = Lines::default();
    let (tenant, other) = (TENANT.into(), OTHER.into());
    let events = [
        Event::StatementRefused { tenant, refusal: Refusal::NotAQuery },
        Event::BatchRefused(Straddle { expected: tenant, found: other, index: 7 }),
        Event::ForeignRow(ForeignRow { expected: tenant, found: other }),
        Event::TenantRefused { tenant, status: None },
        Event::LeaseMinted { tenant },
        Event::LeaseFailed { tenant },
        Event::LeasesRevoked { tenant, leases: 2 },
    ];
    for event in events {
        let (log, entry) = tenant_entry(event);
        let platform = matches!(event, Event::TenantRefused { .. });
        assert_eq!(Uuid::from(log).is_nil(), platform, "only a tenant without scopes is told of elsewhere: {event:?}");
        lines.add(&entry);
    }
    // The event of an impersonation comes before anything is read, so it needs no server.
    let nowhere = PgPoolOptions::new()
        .acquire_timeout(Duration::from_millis(1))
        .connect_lazy("postgres://nobody@127.0.0.1:1/none");
    let tenants = TenantDb::new(nowhere.unwrap()).with_observer(lines.recorder());
    assert!(tenants.impersonate(&Look(tenant_guard::Actor::new(OTHER))).await.is_err());
    lines.are_the_table("Tenants");
}

struct Look(tenant_guard::Actor);

impl ImpersonationGrant for Look {
    fn actor(&self) -> &tenant_guard::Actor {
        &self.0
    }

    fn tenant_id(&self) -> tenant_guard::TenantId {
        TENANT.into()
    }

    fn session(&self) -> &str {
        "session-7"
    }

    fn reason(&self) -> &str {
        "ticket 4711"
    }

    fn expires_at(&self) -> DateTime<Utc> {
        Utc::now() + TimeDelta::minutes(5)
    }

    async fn record(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

rbac::permissions! {
    /// What people may do.
    pub enum Perm {
        View    = "load.view":        Read,  up to Tenant;
        Reveal  = "ssn.reveal":       Read,  up to Tenant, audit, delegable;
        Support = "user.impersonate": Read,  up to Platform, audit, mfa;
    }
}

/// Keeps the record of a use.
#[derive(Default)]
struct Kept(Option<AccessRecord>);

impl AuditSink for Kept {
    type Error = std::convert::Infallible;

    async fn record(&mut self, record: AccessRecord) -> Result<(), Self::Error> {
        self.0 = Some(record);
        Ok(())
    }
}

#[tokio::test]
async fn what_the_policy_refuses_and_what_must_be_recorded() {
    let policy: Policy<Perm> = Policy::compile(
        "role = [ { name = \"viewer\", grants.tenant = [\"load.view\"] },
                  { name = \"officer\", grants.tenant = [\"load.view\", \"ssn.reveal\"] },
                  { name = \"support\", staff = true, grants.platform = [\"user.impersonate\"] } ]",
    )
    .unwrap();
    let person = |role: &str| policy.actor(Subject::new(Uuid::now_v7(), TENANT)).role(role).unwrap();
    let (viewer, officer) = (person("viewer").build(), person("officer").build());
    let lines = Lines::default();
    let denied = |denied: &Denied, kind: &str| {
        lines.add_as(Some(kind), &denied_entry::<Perm>(TENANT.into(), Actor::user("u-1"), denied));
    };
    let here = Resource::in_tenant(TENANT);
    let stranger = policy.actor(Subject::new(Uuid::now_v7(), TENANT)).build();
    denied(&stranger.require::<perm::View>(&here).unwrap_err(), "permission");
    denied(&viewer.require::<perm::Reveal>(&here).unwrap_err(), "permission flagged audit");
    denied(
        &officer.require::<perm::View>(&Resource::in_tenant(OTHER)).unwrap_err(),
        "permission, row of another tenant",
    );

    let until = Utc::now() + TimeDelta::hours(1);
    let because = || Reason::new("the officer is away").unwrap();
    let exception = Override::allow(Perm::Reveal, Scope::Tenant, because(), until).unwrap();
    let lent = Delegation::new(Scopes::none().with(Perm::Reveal, Scope::Tenant), until, because()).unwrap();
    let uses = [
        ("use", officer.clone()),
        ("use by an exception", person("viewer").with_override(exception).build()),
        ("use by delegation", person("viewer").delegated_by(&officer, &lent).build()),
    ];
    let used = |kind: &str, record: &AccessRecord| {
        lines.add_as(Some(kind), &use_entry(Entry::new(TENANT.into(), Actor::user("u-1"), record.permission), record));
    };
    for (kind, actor) in uses {
        let mut kept = Kept::default();
        let Ok(permit) = actor.require::<perm::Reveal>(&here).unwrap().record(&mut kept).await;
        drop(permit);
        used(kind, &kept.0.unwrap());
    }
    let staff = policy.actor(Subject::new(Uuid::now_v7(), OTHER)).role("support").unwrap().multi_factor().build();
    let acting = staff.impersonate::<perm::Support>(&officer, because(), Timebox::MAX).unwrap();
    let mut kept = Kept::default();
    let Ok(_) = acting.record(&mut kept).await;
    used("use as somebody else", &kept.0.unwrap());
    lines.are_the_table("Policy");
}

#[test]
fn what_limits_refuse() {
    let lines = Lines::default();
    let clock = Arc::new(ManualClock::new());
    let rule = Rule::exact("sign-in", NonZeroU32::MIN, Duration::from_secs(60));
    let limiter = Limiter::builder().rule(rule).clock(Arc::clone(&clock)).observer(lines.recorder()).build().unwrap();
    for _ in 0..3 {
        let _ = limiter.check(&[("sign-in", Key::account("ana@acme.test"))], Cost::ONE).unwrap();
    }
    clock.advance(Duration::from_secs(600));
    limiter.sweep();
    for health in [Health::Degraded, Health::Recovered { lasted: Duration::from_secs(3), decided: 9 }] {
        lines.add(&store_entry(TENANT.into(), &health));
    }
    lines.are_the_table("Limits");
}

#[tokio::test]
async fn what_happens_to_keys() {
    let lines = Lines::default();
    let made: Arc<Mutex<Vec<FieldEvent>>> = Arc::default();
    let seen = Arc::clone(&made);
    let observer = move |event: &FieldEvent| seen.lock().unwrap().push(event.clone());
    let vault = Vault::new(LocalKeyring::generate("k1").unwrap(), MemoryKeyStore::default()).with_observer(observer);
    vault.provision(TENANT.into()).await.unwrap();
    vault.provision_subject(TENANT.into(), Uuid::from_u128(9).into()).await.unwrap().unwrap();
    let mut events = made.lock().unwrap().clone();
    let FieldEvent::KeyCreated(first) = events.first().unwrap().clone() else { panic!("{events:?}") };
    let (tenant, key, kek) = (first.tenant, first.key, KekId::new("k2").unwrap());
    events.push(FieldEvent::KeyPromoted { tenant, key, purpose: first.purpose });
    events.push(FieldEvent::KeyRewrapped { tenant, key, kek });
    events.push(FieldEvent::KeyRetired { tenant, key });
    events.push(FieldEvent::KeyDestroyed { tenant, key });
    events.push(FieldEvent::RowsSealed { tenant, table: "drivers", column: "ssn", key, rows: 5 });
    for event in &events {
        let (log, entry) = field_entry(event);
        assert_eq!(Uuid::from(log), TENANT, "{event:?}");
        lines.add(&entry);
    }
    lines.are_the_table("Keys");
}
