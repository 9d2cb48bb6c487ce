use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::Sha256;

use super::*;

fn ring() -> KeyRing {
    KeyRing::single(7, (0..32).collect::<Vec<u8>>()).unwrap()
}

fn encode(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A token with a right tag of the key 7 under whatever header.
fn with_header(header: &str) -> String {
    let signed = format!("{}.{}", encode(header), encode("{}"));
    let tag = ring().active_digest(Purpose::Jwt, signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_bytes()))
}

/// RFC 7515, A.1. Its header is none of ours, so the vector is for what lies below.
#[test]
fn rfc_7515_vector() {
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let parts = Parts::split(text).unwrap();
    let key = URL_SAFE_NO_PAD.decode(key).unwrap();
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(parts.signed);
    let mut tag: [u8; 32] = mac.finalize().into_bytes().into();
    let payload = parts.payload_if_tagged(&tag).unwrap();
    assert!(payload.starts_with(b"{\"iss\":\"joe\",\r\n"));
    tag[31] ^= 1;
    assert!(parts.payload_if_tagged(&tag).is_none());
}

#[test]
fn a_payload_comes_back() {
    let text = seal(&ring(), "{}");
    assert_eq!(open(&ring(), &text).unwrap(), b"{}");
    assert!(
        with_header(r#"{"alg":"HS256","typ":"JWT","kid":"7"}"#) == *text,
        "the attacks below differ in the header alone"
    );
}

/// RFC 8725, 2.1 and 3.1: whatever else a header says, it is refused though its tag is right.
#[test]
fn every_other_header_is_refused() {
    for header in [
        r#"{"alg":"none","typ":"JWT","kid":"7"}"#,
        r#"{"alg":"None","typ":"JWT","kid":"7"}"#,
        r#"{"alg":"hs256","typ":"JWT","kid":"7"}"#,
        r#"{"alg":"HS384","typ":"JWT","kid":"7"}"#,
        r#"{"alg":"RS256","typ":"JWT","kid":"7"}"#,
        r#"{"alg":["HS256"],"typ":"JWT","kid":"7"}"#,
        r#"{"alg":"HS256","alg":"HS256","typ":"JWT","kid":"7"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"7","alg":"none"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"7","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"7","b64":false,"crit":["b64"]}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"7","jwk":{"kty":"oct","k":""}}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"7","jku":"https://evil.test"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"7","zip":"DEF"}"#,
        r#"{"typ":"JWT","alg":"HS256","kid":"7"}"#,
        r#"{"alg":"HS256","typ":"JWT"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":7}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"07"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"+7"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"8"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"263"}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":""}"#,
        r#"{"alg":"HS256","typ":"JWT","kid":"../../7"}"#,
        r#"{"alg":"HS256","typ":"JOSE","kid":"7"}"#,
        r#"{"alg": "HS256","typ":"JWT","kid":"7"}"#,
        r#" {"alg":"HS256","typ":"JWT","kid":"7"}"#,
        "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"7\"}\n",
        r#"{"\u0061lg":"HS256","typ":"JWT","kid":"7"}"#,
        "{}",
        "",
    ] {
        assert!(open(&ring(), &with_header(header)).is_none(), "{header}");
    }
}

/// RFC 7515, 2 and appendix C: no padding, no other alphabet, no bits to spare, and three parts.
#[test]
fn every_other_spelling_is_refused() {
    let text = seal(&ring(), "{}");
    let [header, payload, tag] = text.split('.').collect::<Vec<_>>()[..] else { panic!("{}", *text) };
    // The last digit of 32 bytes in base64 has two bits to spare.
    let spare = format!("{header}.{payload}.{}{}", tag.split_at(42).0, char::from(tag.as_bytes()[42] + 1));
    for changed in [
        spare,
        format!("{header}.{payload}.{tag}="),
        format!("{header}.{payload}.{tag}A"),
        format!("{header}.{payload}.{}", tag.split_at(42).0),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{header}..{tag}"),
        format!(".{payload}.{tag}"),
        format!("{header}.{payload}.{tag}."),
        format!("{header}.{payload}.{tag}.{tag}"),
        format!("{header}.{payload}==.{tag}"),
        format!("{header}. {payload}.{tag}"),
        format!(" {}", *text),
        format!("{}\n", *text),
        format!("{{\"protected\":\"{header}\",\"payload\":\"{payload}\",\"signature\":\"{tag}\"}}"),
        "..".to_owned(),
        String::new(),
    ] {
        assert!(open(&ring(), &changed).is_none(), "{changed}");
    }
    assert!(open(&ring(), &seal(&ring(), &"x".repeat(3000))).is_none(), "too long to look at");
}

#[test]
fn keys_are_told_apart() {
    let text = seal(&ring(), "{}");
    let other = KeyRing::single(7, (1..33).collect::<Vec<u8>>()).unwrap();
    assert!(open(&other, &text).is_none(), "another key of the same name");
    let later = KeyRing::single(8, (1..33).collect::<Vec<u8>>()).unwrap();
    assert!(open(&later, &text).is_none());
    let both = later.verify_only(7, (0..32).collect::<Vec<u8>>()).unwrap();
    assert!(open(&both, &text).is_some());
    // What the key has signed for another purpose is no tag.
    let signed = text.rsplit_once('.').unwrap().0;
    let tag = ring().active_digest(Purpose::Session, signed.as_bytes());
    assert!(open(&ring(), &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag.as_bytes()))).is_none());
}

proptest! {
    #[test]
    fn one_changed_character_is_noticed(at in 0_usize..400, other in "[A-Za-z0-9_.=-]", payload in "[ -~]{0,200}") {
        let text = seal(&ring(), &payload);
        prop_assert_eq!(open(&ring(), &text).unwrap(), payload.as_bytes());
        let mut changed = text.as_bytes().to_vec();
        let at = at % changed.len();
        changed[at] = other.as_bytes()[0];
        let changed = String::from_utf8(changed).unwrap();
        prop_assert_eq!(open(&ring(), &changed).is_some(), changed == *text);
    }

    #[test]
    fn opening_never_panics(text in "\\PC*|([A-Za-z0-9_-]{0,60}\\.){0,4}") {
        prop_assert!(open(&ring(), &text).is_none());
    }
}
