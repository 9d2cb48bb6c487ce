use proptest::prelude::*;

use super::*;

fn scratch() -> Scratch {
    Scratch::new(Argon2Params::dangerously_weak(), &Arc::default()).unwrap()
}

/// Vectors of the reference implementation (phc-winner-argon2, `src/test.c`), argon2id v19.
#[test]
fn reference_vectors() {
    let vectors = [
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg",
    ];
    for vector in vectors {
        let stored = Stored::parse(vector).unwrap();
        assert!(stored.verify(b"password", &mut scratch()), "{vector}");
        assert!(!stored.verify(b"Password", &mut scratch()), "{vector}");
    }
}

#[test]
fn hash_is_reproducible_and_has_the_prefix() {
    let params = Argon2Params::default();
    let mut scratch = Scratch::new(params, &Arc::default()).unwrap();
    let first = hash_with_salt(params, b"password", b"0123456789abcdef", &mut scratch).unwrap();
    let again = hash_with_salt(params, b"password", b"0123456789abcdef", &mut scratch).unwrap();
    assert_eq!(first, again);
    assert!(first.starts_with(&params.prefix()), "{first}");
    assert!(Stored::parse(&first).unwrap().verify(b"password", &mut scratch));
}

#[test]
fn memory_is_wiped() {
    let mut scratch = scratch();
    hash(Argon2Params::dangerously_weak(), b"password", &mut scratch).unwrap();
    assert!(scratch.blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
}

#[test]
fn ceilings_hold() {
    let phc = |m: u32, t: u32, p: u32| {
        format!("$argon2id$v=19$m={m},t={t},p={p}$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")
    };
    assert!(Stored::parse(&phc(262_144, 10, 4)).is_some());
    for (m, t, p) in [(262_145, 1, 1), (4_194_304, 1, 1), (256, 11, 1), (256, 1, 5), (u32::MAX, u32::MAX, 1)] {
        assert!(Stored::parse(&phc(m, t, p)).is_none(), "m={m},t={t},p={p}");
    }
}

#[test]
fn other_algorithms_and_short_outputs_are_refused() {
    for text in [
        "",
        "plain",
        "$2b$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIP",
    ] {
        assert!(Stored::parse(text).is_none(), "{text}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC*|\\$argon2id\\$v=19\\$[mtp=,0-9]{0,30}\\$[A-Za-z0-9+/]{0,30}\\$[A-Za-z0-9+/]{0,50}") {
        let _ = Stored::parse(&text);
    }

    #[test]
    fn only_the_password_verifies(password in proptest::collection::vec(any::<u8>(), 0..80), other in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut scratch = scratch();
        let text = hash(Argon2Params::dangerously_weak(), &password, &mut scratch).unwrap();
        let stored = Stored::parse(&text).unwrap();
        prop_assert!(stored.verify(&password, &mut scratch));
        prop_assert_eq!(stored.verify(&other, &mut scratch), password == other);
    }
}
