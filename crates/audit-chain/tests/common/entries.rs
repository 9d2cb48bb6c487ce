//! Entries to record, for the tests of every database.

use chrono::DateTime;
use proptest::prelude::*;
use serde_json::{Value, json};
use stockade_audit_chain::{Actor, Entry, RequestContext, Severity, TenantId};
use uuid::Uuid;

pub(crate) fn tenant(number: u128) -> TenantId {
    Uuid::from_u128(number).into()
}

pub(crate) fn entry(tenant: TenantId, number: u64) -> Entry {
    Entry::new(
        tenant,
        Actor::user(format!("user-{}", number % 3)).named("Ana Ruiz").with_role("dispatcher"),
        "load.update",
    )
    .entity("load", format!("L-{number}"))
    .before(json!({"rate_cents": number, "driver": {"ssn": "078-05-1120"}}))
    .after(json!({"rate_cents": number + 1, "driver": {"ssn": "219-09-9999"}}))
    .personal(&["/driver/ssn"])
    .request(
        RequestContext::new()
            .ip("203.0.113.9".parse::<std::net::IpAddr>().unwrap())
            .user_agent("curl/8.5")
            .endpoint("POST", "/loads/{id}")
            .status(303)
            .request_id(number),
    )
    .severity(Severity::Notice)
}

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let text = "[^\0]{0,12}";
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(json!(-0.0)),
        Just(json!(1e308)),
        text.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::hash_map(text, inner, 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Whatever a caller can say.
pub(crate) fn any_entry() -> impl Strategy<Value = Entry> {
    let text = || prop::option::of("[^\0]{0,20}");
    let actor = (1_u8..5, "[^\0]{1,20}", text(), text(), text());
    let states = (prop::option::of(value()), prop::option::of(value()), any::<bool>());
    let request = (prop::option::of(any::<std::net::IpAddr>()), text(), text(), prop::option::of(100_u16..=999));
    let time = prop::option::of(-60_000_000_000_i64..60_000_000_000);
    (actor, "[^\0]{1,20}", states, request, time).prop_map(|(actor, action, states, request, time)| {
        let (kind, id, name, role, subject) = actor;
        let mut actor = [Actor::user, Actor::service, Actor::api_token, Actor::system][usize::from(kind - 1)](id);
        if let Some(name) = name {
            actor = actor.named(name);
        }
        if let Some(role) = role {
            actor = actor.with_role(role);
        }
        if let Some(subject) = subject {
            actor = actor.on_behalf_of(subject);
        }
        let mut context = RequestContext::new();
        if let Some(ip) = request.0 {
            context = context.ip(ip);
        }
        if let Some(agent) = request.1 {
            context = context.user_agent(agent);
        }
        if let Some(route) = request.2 {
            context = context.endpoint("GET", route);
        }
        if let Some(status) = request.3 {
            context = context.status(status);
        }
        let mut entry = Entry::new(tenant(1), actor, action).request(context);
        if let Some(before) = states.0 {
            entry = entry.before(before);
        }
        if let Some(after) = states.1 {
            entry = entry.after(after);
        }
        if states.2 {
            entry = entry.personal(&["/0", "/a", ""]);
        }
        if let Some(seconds) = time {
            entry = entry.occurred_at(DateTime::from_timestamp(seconds, 123_456_789).unwrap());
        }
        entry
    })
}
