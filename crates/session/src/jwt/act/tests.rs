use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::jwt::{JwtCheck, decode, encode, fingerprint};

fn policy() -> JwtPolicy {
    JwtPolicy::new("https://acme.test", "api", Duration::from_secs(900), JwtCheck::Strict).unwrap()
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn claims() -> ActClaims {
    ActClaims {
        id: Uuid::from_u128(1).into(),
        actor: Uuid::from_u128(2).into(),
        target: Uuid::from_u128(3).into(),
        tenant: Uuid::from_u128(4).into(),
        issued_at: at(0),
        expires_at: at(900),
        version: fingerprint(&[7; 32].into()),
    }
}

fn session() -> Claims {
    Claims {
        sid: Uuid::from_u128(1).into(),
        user: Uuid::from_u128(3).into(),
        tenant: Uuid::from_u128(4).into(),
        assurance: crate::session::Assurance::PasswordAndTotp,
        authenticated_at: at(-60),
        issued_at: at(0),
        expires_at: at(900),
        version: fingerprint(&[7; 32].into()),
    }
}

fn accepted(text: &str) -> bool {
    decode_act(&policy(), text.as_bytes(), at(0)).is_some()
}

#[test]
fn claims_come_back() {
    let text = encode_act(&policy(), &claims());
    assert_eq!(decode_act(&policy(), text.as_bytes(), at(0)).unwrap(), claims());
    for (seconds, good) in [(-6, false), (-5, true), (899, true), (900, false)] {
        assert_eq!(decode_act(&policy(), text.as_bytes(), at(seconds)).is_some(), good, "{seconds}");
    }
}

/// RFC 8693, figure 5: the member `act` is an object whose `sub` is the actor, beside the `sub` of whom it acts for.
#[test]
fn rfc_8693_figure_5() {
    let figure = serde_json::json!({
        "aud": "https://consumer.example.com",
        "iss": "https://issuer.example.com",
        "exp": 1_443_904_177,
        "nbf": 1_443_904_077,
        "sub": "user@example.com",
        "act": { "sub": "admin@example.com" },
    });
    let ours: serde_json::Value = serde_json::from_str(&encode_act(&policy(), &claims())).unwrap();
    for (member, value) in figure.as_object().unwrap() {
        assert_eq!(std::mem::discriminant(&ours[member]), std::mem::discriminant(value), "{member}");
    }
    assert_eq!(ours["act"], serde_json::json!({ "sub": claims().actor.to_string() }), "and nothing else");
    assert_eq!(ours["sub"], claims().target.to_string());
    assert!(!accepted(&figure.to_string()), "nobody else's tokens are read");
}

/// RFC 8693, figure 6: a chain of actors is well formed there, and nothing here makes or takes one.
#[test]
fn a_chain_of_actors_is_refused() {
    let text = encode_act(&policy(), &claims());
    let actor = claims().actor;
    for chain in [
        format!(r#""act":{{"sub":"{actor}","act":{{"sub":"{actor}"}}}}"#),
        format!(r#""act":{{"act":{{"sub":"{actor}"}},"sub":"{actor}"}}"#),
        format!(r#""act":{{"sub":"{actor}"}},"act":{{"sub":"{actor}"}}"#),
        format!(r#""act":{{"sub":"{actor}","iss":"https://acme.test"}}"#),
        format!(r#""act":["{actor}"]"#),
        format!(r#""act":"{actor}""#),
        r#""act":{}"#.to_owned(),
        r#""act":null"#.to_owned(),
    ] {
        let changed = text.replace(&format!(r#""act":{{"sub":"{actor}"}}"#), &chain);
        assert_ne!(changed, text);
        let _: serde_json::Value = serde_json::from_str(&changed).unwrap();
        assert!(!accepted(&changed), "{changed}");
        assert!(decode(&policy(), changed.as_bytes(), at(0)).is_none(), "{changed}");
    }
}

/// Even with a right tag: a session's claims with an `act` put in, and an impersonation's with it taken out.
#[test]
fn no_token_is_read_as_the_other_kind() {
    let (act, own) = (encode_act(&policy(), &claims()), encode(&policy(), &session()));
    assert!(accepted(&act) && decode(&policy(), own.as_bytes(), at(0)).is_some());
    let member = format!(r#","act":{{"sub":"{}"}}"#, claims().actor);
    let added = own.replace(r#","sid""#, &format!(r#"{member},"sid""#));
    let last = own.replace('}', &format!("{member}}}"));
    for text in [&own, &added, &last, &act.replace(&member, ""), &act.replace("imp", "sid")] {
        assert!(!accepted(text), "{text}");
    }
    for text in [&act, &added, &last, &act.replace(&member, ""), &act.replace("imp", "sid")] {
        assert!(decode(&policy(), text.as_bytes(), at(0)).is_none(), "{text}");
    }
}

proptest! {
    #[test]
    fn reading_never_panics(payload: Vec<u8>, cut in 0_usize..400) {
        let _ = decode_act(&policy(), &payload, at(0));
        let text = encode_act(&policy(), &claims());
        let cut = cut.min(text.len() - 1);
        prop_assert!(decode_act(&policy(), &text.as_bytes()[..cut], at(0)).is_none());
    }
}
