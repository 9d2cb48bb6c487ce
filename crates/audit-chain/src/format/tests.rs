//! Known answers, which a second implementation computed (`tests/reference/verify.py`).

use chrono::DateTime;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{tag, tag_of_path};
use crate::{
    Actor, Content, Entry, Envelope, Head, Outcome, RequestContext, Severity, TenantId, Verifier, commitment::Seed,
    entry::Composed,
};

const VECTORS: &str = include_str!("../../tests/data/format-1.json");

fn entries(tenant: TenantId) -> [Entry; 3] {
    let moment = |millis| DateTime::from_timestamp_millis(millis).unwrap();
    let full = Entry::new(
        tenant,
        Actor::user("3f0a")
            .named("Ana Ruiz")
            .with_role("dispatcher")
            .on_behalf_of("customer-3")
            .in_impersonation("grant-41"),
        "load.update",
    )
    .entity("load", "L-7")
    .before(json!({"rate_cents": 120_000, "notes": [], "driver": {"ssn": "078-05-1120"}}))
    .after(json!({
        "rate_cents": 125_000.5,
        "notes": ["n", {"b": null, "a": [1, true]}],
        "name": "Ångström 🚚 \"x\"",
        "driver": {"ssn": "219-09-9999"},
    }))
    .personal(&["/driver/ssn", "/notes/1/a", "/notes/1", "/absent"])
    .request(
        RequestContext::new()
            .ip("::ffff:192.0.2.7".parse::<std::net::IpAddr>().unwrap())
            .user_agent("Mozilla/5.0 (X11)")
            .endpoint("POST", "/loads/{id}")
            .status(303)
            .request_id("r-1"),
    )
    .severity(Severity::Notice)
    .occurred_at(moment(1_767_225_599_999));
    let denied = Entry::new(tenant, Actor::api_token("tok_9"), "user.delete")
        .before(json!({"z": 1}))
        .personal(&[""])
        .request(RequestContext::new().ip("2001:db8::1".parse::<std::net::IpAddr>().unwrap()))
        .severity(Severity::Critical)
        .outcome(Outcome::Denied);
    [Entry::new(tenant, Actor::system("boot"), "system.start"), full, denied]
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(text(value)).unwrap().try_into().unwrap()
}

fn id<T: From<Uuid>>(value: &Value) -> T {
    text(value).parse::<Uuid>().unwrap().into()
}

#[test]
fn vectors() {
    let log: Value = serde_json::from_str(VECTORS).unwrap();
    let tenant = id(&log["tenant"]);
    let mut head = Head::genesis(tenant, id(&log["head"]["chain_id"]));
    let mut records = Vec::new();
    for (entry, expected) in entries(tenant).iter().zip(log["entries"].as_array().unwrap()) {
        let millis = expected["entry"]["recorded_at"].as_i64().unwrap();
        // Nanoseconds below a millisecond are dropped, not rounded.
        let now = DateTime::from_timestamp_millis(millis).unwrap() + chrono::TimeDelta::nanoseconds(999_999);
        let seed = Seed::from_bytes(bytes(&expected["seed"]));
        let composed = Composed::new(entry, now, bytes(&expected["random"]), &seed).unwrap();

        let envelope = hex::decode(text(&expected["envelope"])).unwrap();
        assert_eq!(hex::encode(composed.envelope.encode()), text(&expected["envelope"]));
        assert!(Envelope::decode(&envelope).unwrap() == composed.envelope);
        let record = composed.into_record().unwrap();
        assert_eq!(record.entry_id(), id::<Uuid>(&expected["entry"]["entry_id"]));
        assert_eq!(record.leaf().to_string(), text(&expected["entry"]["leaf"]));
        for (index, opening) in record.openings().iter().enumerate() {
            let opening = opening.as_ref().unwrap();
            assert_eq!(hex::encode(&opening.value), text(&expected["payload"]["field_values"][index]));
            assert_eq!(hex::encode(opening.salt.as_bytes()), text(&expected["payload"]["salts"][index]));
        }
        let link = head.append(record.entry_id(), record.leaf()).unwrap();
        assert_eq!(link.prev.to_string(), text(&expected["link"]["prev"]));
        assert_eq!(link.hash.to_string(), text(&expected["link"]["hash"]));
        records.push((link, record));
    }
    assert_eq!(head.hash.to_string(), text(&log["head"]["hash"]));

    let mut verifier = Verifier::new(tenant, Some(head));
    for (link, record) in &records {
        verifier.check(link, Content::Record(record));
    }
    let report = verifier.finish();
    assert!(report.is_intact(), "{:?}", report.verdicts());
    assert_eq!(report.checked(), 3);
}

#[test]
fn a_path_is_a_name_of_the_format_or_a_pointer_into_a_state() {
    let named = [
        ("actor/name", tag::ACTOR_NAME),
        ("request/ip", tag::IP),
        ("request/user_agent", tag::USER_AGENT),
        ("before", tag::BEFORE),
        ("before/driver/ssn", tag::BEFORE),
        ("after", tag::AFTER),
        ("after/", tag::AFTER),
    ];
    for (path, tag) in named {
        assert_eq!(tag_of_path(path), Some(tag), "{path}");
    }
    for path in ["", "actor", "actor/name/", "beforehand", "afterwards", "after.ssn", "/after", "elsewhere"] {
        assert_eq!(tag_of_path(path), None, "{path}");
    }
}

#[cfg(any(feature = "postgres", feature = "sqlite", feature = "bundle"))]
#[test]
fn an_address_is_told_by_its_version_and_has_its_length() {
    let read = |version: u8, address: &[u8]| super::address(&[&[version], address].concat());
    assert_eq!(read(4, &[192, 0, 2, 7]), Some([192, 0, 2, 7].into()));
    assert_eq!(read(6, &[7; 16]), Some([7; 16].into()));
    for (version, length) in [(4, 16), (6, 4), (5, 4), (0, 16), (4, 3), (6, 17), (4, 0)] {
        assert_eq!(read(version, &vec![7; length]), None, "{version} {length}");
    }
    assert_eq!(super::address(&[]), None);
}
