//! Vectors, and the bits of a tag.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;

use super::IndexTag;
use crate::id::KeyId;
use crate::index::{Approx, BlindIndex, DigitsOnly};

crate::columns! {
    Number = "t"."number": String, row = uuid::Uuid,
        index Whole = "whole": DigitsOnly,
        index OneBit = "one": DigitsOnly => Approx<1>,
        index TwelveBits = "twelve": DigitsOnly => Approx<12>,
        index SixteenBits = "sixteen": DigitsOnly => Approx<16>,
        index MostBits = "most": DigitsOnly => Approx<64>;
}

/// RFC 4231, the cases with a text as data, through the function that computes tags.
#[test]
fn rfc_4231_hmac_sha256() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../../tests/data/rfc4231.json")).unwrap();
    assert_eq!(cases.len(), 4);
    for case in &cases {
        let bytes = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
        let mac = Hmac::<Sha256>::new_from_slice(&bytes("key")).unwrap();
        let term = String::from_utf8(bytes("data")).unwrap();
        let expected = bytes("tag");
        let key = KeyId::new(0x0102_0304).unwrap();
        let tag = IndexTag::<Whole>::compute(mac.clone(), key, &term);
        assert_eq!(*tag.as_bytes(), *[&[1, 1, 2, 3, 4], &expected[..16]].concat(), "{}", case["name"]);
        let twelve = IndexTag::<TwelveBits>::compute(mac, key, &term);
        assert_eq!(*twelve.as_bytes(), [1, 1, 2, 3, 4, expected[0], expected[1] & 0xf0]);
    }
}

fn stored<I: BlindIndex>(hash: &[u8]) -> Option<IndexTag<I>> {
    IndexTag::from_bytes(&[&[1, 0, 0, 0, 1], hash].concat())
}

#[test]
fn a_tag_has_the_bits_of_its_kind_and_no_others() {
    assert!(stored::<OneBit>(&[0x80]).is_some() && stored::<OneBit>(&[0]).is_some());
    assert!(stored::<OneBit>(&[0x40]).is_none() && stored::<OneBit>(&[]).is_none());
    assert!(stored::<OneBit>(&[0x80, 0]).is_none());
    assert!(stored::<TwelveBits>(&[0xff, 0xf0]).is_some());
    assert!(stored::<TwelveBits>(&[0xff, 0xf8]).is_none());
    assert!(stored::<SixteenBits>(&[0xff, 0xff]).is_some());
    assert!(stored::<MostBits>(&[0xff; 8]).is_some());
    assert!(stored::<MostBits>(&[0xff; 16]).is_none());
    assert!(stored::<Whole>(&[0xff; 16]).is_some());
    assert!(stored::<Whole>(&[0xff; 17]).is_none());
}

#[test]
fn wycheproof_hmac_sha256() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../tests/data/wycheproof_hmac_sha256.json")).unwrap();
    assert_eq!(cases.len(), 174);
    for case in &cases {
        let bytes = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&bytes("key")).unwrap();
        mac.update(&bytes("msg"));
        let tag = bytes("tag");
        let computed = mac.finalize().into_bytes();
        assert_eq!(computed.starts_with(&tag), case["valid"], "{}", case["id"]);
    }
}
