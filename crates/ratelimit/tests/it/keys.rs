//! Which keys share a limit.

use std::net::IpAddr;

use proptest::prelude::*;
use stockade_ratelimit::Key;

fn ip(text: &str) -> Key {
    Key::ip(text.parse::<IpAddr>().unwrap())
}

#[test]
fn an_ipv4_address_is_a_key_and_an_ipv6_prefix_is_one() {
    assert_ne!(ip("192.0.2.1"), ip("192.0.2.2"));
    assert_eq!(ip("2001:db8:1:2::1"), ip("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_ne!(ip("2001:db8:1:2::1"), ip("2001:db8:1:3::1"));
}

#[test]
fn a_mapped_address_is_the_ipv4_address() {
    assert_eq!(ip("::ffff:192.0.2.1"), ip("192.0.2.1"));
    assert_ne!(ip("::ffff:192.0.2.1"), ip("::ffff:192.0.2.2"));
}

#[test]
fn spellings_of_an_account_share_a_limit() {
    assert_eq!(Key::account(" Ana@ACME.test\t"), Key::account("ana@acme.test"));
    assert_ne!(Key::text("Ana"), Key::text("ana"));
}

#[test]
fn kinds_are_apart() {
    let kinds = [
        Key::account("7"),
        Key::user("7"),
        Key::tenant("7"),
        Key::text("7"),
        Key::bytes("7"),
        ip("55.0.0.0"),
        ip("::7"),
    ];
    for (index, one) in kinds.iter().enumerate() {
        assert!(kinds[index + 1..].iter().all(|other| one != other));
    }
    assert_ne!(Key::bytes([192, 0, 2, 1]), ip("192.0.2.1"));
}

#[test]
fn nothing_of_a_key_is_printed() {
    let key = Key::account("ana@acme.test").and(&ip("192.0.2.1"));
    assert_eq!(format!("{key:?}"), "Key(..)");
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![prop::collection::vec(0_u8..9, 0..12), prop::collection::vec(any::<u8>(), 0..4)]
}

/// The parts of a compound key.
fn parts() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    prop::collection::vec((any::<bool>(), bytes()), 1..4)
}

fn compound(parts: &[(bool, Vec<u8>)]) -> Key {
    let keys = parts.iter().map(|(user, bytes)| if *user { Key::user(bytes) } else { Key::bytes(bytes) });
    keys.reduce(|all, part| all.and(&part)).unwrap()
}

proptest! {
    /// Neither bytes that look like another part nor a shifted border make two subjects one.
    #[test]
    fn different_parts_are_different_keys(one in parts(), other in parts()) {
        prop_assert_eq!(compound(&one) == compound(&other), one == other);
    }

    /// Bytes that end with what could be the header of a next part, with and without a length.
    #[test]
    fn a_part_cannot_contain_another(prefix in parts(), first in bytes(), second in bytes()) {
        let length = u64::try_from(second.len()).unwrap();
        for header in [vec![7], [&[7][..], &length.to_le_bytes()].concat(), [&[7][..], &length.to_be_bytes()].concat()] {
            let forged = [&first[..], &header, &second].concat();
            let joined = compound(&prefix).and(&Key::bytes(forged));
            let split = compound(&prefix).and(&Key::bytes(&first)).and(&Key::bytes(&second));
            prop_assert_ne!(split, joined);
        }
    }
}
