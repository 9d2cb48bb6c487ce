use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn scratch() -> Scratch {
    Scratch::new(Argon2Params::dangerously_weak(), &Arc::default()).unwrap()
}

fn hasher(hashing: Hashing) -> Hasher {
    Hasher::new(Argon2Params::dangerously_weak(), hashing)
}

fn bcrypt() -> Hasher {
    hasher(Hashing::bcrypt(BcryptCost::dangerously_weak()))
}

fn peppers(id: u8) -> Peppers {
    Peppers::single(id, (id..id + 32).collect::<Vec<u8>>()).unwrap()
}

fn matches(hasher: &Hasher, password: &str, stored: &str) -> bool {
    hasher.verify(password.as_bytes(), &hasher.parse(stored).unwrap(), &mut scratch())
}

/// John the Ripper's and jBCrypt's vectors, through Openwall's crypt_blowfish `wrapper.c`.
#[test]
fn bcrypt_vectors() {
    for (hash, password) in [
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"),
        ("$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a", "U*U*U"),
        ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy", ""),
        (
            "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
        ),
    ] {
        assert!(matches(&hasher(Hashing::default()), password, hash), "{password}");
        assert!(!matches(&hasher(Hashing::default()), "other", hash), "{password}");
        for variant in ["$2b$", "$2y$"] {
            assert!(matches(&hasher(Hashing::default()), password, &hash.replace("$2a$", variant)));
        }
    }
}

#[test]
fn bcrypt_ceilings_hold() {
    let hash =
        |version: &str, cost: &str| format!("${version}${cost}$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW");
    let known = |text: String| hasher(Hashing::default()).parse(&text).is_some();
    assert!(known(hash("2a", "14")) && known(hash("2b", "04")));
    for (version, cost) in
        [("2a", "15"), ("2a", "31"), ("2a", "99"), ("2a", "03"), ("2x", "10"), ("2", "10"), ("2c", "10")]
    {
        assert!(!known(hash(version, cost)), "{version} {cost}");
    }
    assert!(!known("$2a$05$short".to_owned()));
    assert!(BcryptCost::new(9).is_err() && BcryptCost::new(10).is_ok() && BcryptCost::new(15).is_err());
}

/// A long password with a hash of another system: only where it can be replaced by one of the whole password.
#[test]
fn bcrypt_never_truncates_its_own() {
    let (long, other) = (format!("{}X", "a".repeat(72)), format!("{}Y", "a".repeat(72)));
    let imported = bcrypt::hash(&long, 4).unwrap();
    assert!(matches(&hasher(Hashing::default()), &other, &imported), "the control: bcrypt sees no difference");
    assert!(!matches(&bcrypt(), &long, &imported) && !matches(&bcrypt(), &other, &imported));
    assert!(bcrypt().hash("a".repeat(72).as_bytes(), &mut scratch()).is_err());
    let longest = bcrypt().hash("a".repeat(71).as_bytes(), &mut scratch()).unwrap();
    assert!(longest.starts_with(&bcrypt().prefix()));
    assert!(matches(&bcrypt(), &"a".repeat(71), &longest) && !matches(&bcrypt(), &"a".repeat(70), &longest));

    let peppered = hasher(Hashing::bcrypt(BcryptCost::dangerously_weak()).peppers(peppers(1)));
    let hash = peppered.hash(long.as_bytes(), &mut scratch()).unwrap();
    assert!(matches(&peppered, &long, &hash) && !matches(&peppered, &other, &hash), "all bytes count under a pepper");
    assert_eq!((bcrypt().max_bytes(), peppered.max_bytes()), (71, 1024));
}

#[test]
fn pepper_is_needed_and_named() {
    let plain = hasher(Hashing::default());
    let one = hasher(Hashing::default().peppers(peppers(1)));
    let two = hasher(Hashing::default().peppers(peppers(2).verify_only(1, (1..33).collect::<Vec<u8>>()).unwrap()));
    let hash = one.hash(b"password", &mut scratch()).unwrap();
    assert!(hash.starts_with("$pepper$1$argon2id$v=19$") && hash.starts_with(&one.prefix()), "{hash}");
    assert!(matches(&one, "password", &hash) && !matches(&one, "Password", &hash));
    assert!(matches(&two, "password", &hash) && !hash.starts_with(&two.prefix()), "still verifies, and is outdated");
    assert!(plain.parse(&hash).is_none(), "without the ring");
    assert!(hasher(Hashing::default().peppers(peppers(3))).parse(&hash).is_none(), "without this pepper");
    let same_id = Peppers::single(1, (2..34).collect::<Vec<u8>>()).unwrap();
    assert!(!matches(&hasher(Hashing::default().peppers(same_id)), "password", &hash), "with another key");
    // The hash inside is not that of the password.
    assert!(!matches(&plain, "password", hash.strip_prefix("$pepper$1").unwrap()));
    let bare = plain.hash(b"password", &mut scratch()).unwrap();
    assert!(matches(&one, "password", &bare) && !bare.starts_with(&one.prefix()));
    assert_eq!(format!("{:?}", peppers(1)), "Peppers { active: 1, ids: [1] }");
    assert!(Peppers::single(1, [1; 32]).is_err() && Peppers::single(1, [1, 2]).is_err());
    assert!(peppers(1).verify_only(1, (1..33).collect::<Vec<u8>>()).is_err());
}

proptest! {
    #[test]
    fn parsing_never_panics(text in "\\PC*|\\$(pepper\\$[0-9]{0,4}|2[abxy]\\$[0-9]{0,3}|argon2id)\\$[A-Za-z0-9./$=,]{0,60}") {
        let _ = hasher(Hashing::default().peppers(peppers(1))).parse(&text);
    }
}
