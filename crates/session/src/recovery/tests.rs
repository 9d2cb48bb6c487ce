use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn ring() -> KeyRing {
    KeyRing::single(1, (0..32).collect::<Vec<u8>>()).unwrap()
}

fn user(id: u128) -> UserId {
    Uuid::from_u128(id).into()
}

#[test]
fn codes_are_ten_and_differ() {
    let codes = RecoveryCodes::generate().unwrap();
    let mut texts: Vec<String> = codes.expose().map(|text| text.to_string()).collect();
    assert_eq!(texts.len(), 10);
    for text in &texts {
        assert_eq!(text.len(), 29);
        assert!(
            text.split('-').all(|group| group.len() == 4 && group.bytes().all(|b| ALPHABET.contains(&b))),
            "{text}"
        );
    }
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 10);
    assert_eq!(format!("{codes:?}"), "RecoveryCodes(..)");
}

/// Computed with Python: each digit of `int.from_bytes(block)` in base 32.
#[test]
fn encoding_is_crockfords() {
    let bytes: [u8; BYTES] = std::array::from_fn(|index| u8::try_from(index).unwrap());
    assert_eq!(*Code::encode(&bytes).0, "000G40R40M30E209185GR38E");
    assert_eq!(*Code::encode(&[255; BYTES]).0, "Z".repeat(24));
}

#[test]
fn typing_is_forgiven() {
    let code = "0OO1-IlAB CDEF\u{2013}GHJK\nmnpq rstv";
    let parsed = Code::parse(code).unwrap();
    assert_eq!(*parsed.grouped(), "0001-11AB-CDEF-GHJK-MNPQ-RSTV");
    for bad in ["", "0001", &"0".repeat(25), &"U".repeat(24), &format!("{}\u{e9}", "0".repeat(23)), &"-".repeat(200)] {
        assert!(Code::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn digest_is_keyed_and_of_one_user() {
    let codes = RecoveryCodes::generate().unwrap();
    let stored = codes.digests(&ring(), user(1));
    let typed = codes.expose().next().unwrap().to_lowercase();
    assert_eq!(candidates(&ring(), user(1), &typed), stored[..1]);
    assert_ne!(candidates(&ring(), user(2), &typed), stored[..1]);
    let other = KeyRing::single(1, (1..33).collect::<Vec<u8>>()).unwrap();
    assert_ne!(candidates(&other, user(1), &typed), stored[..1]);
    let rotated = other.verify_only(2, (0..32).collect::<Vec<u8>>()).unwrap();
    assert!(candidates(&rotated, user(1), &typed).contains(&stored[0]), "a rotation keeps the codes");
}

proptest! {
    #[test]
    fn every_code_is_read_as_written(bytes in proptest::array::uniform15(any::<u8>())) {
        let code = Code::encode(&bytes);
        prop_assert_eq!(&*Code::parse(&code.grouped()).unwrap().0, &*code.0);
        prop_assert_eq!(&*Code::parse(&code.0.to_lowercase()).unwrap().0, &*code.0);
    }

    #[test]
    fn parsing_never_panics(text in "\\PC*") {
        if let Some(code) = Code::parse(&text) {
            prop_assert_eq!(code.0.len(), CHARS);
        }
    }
}
