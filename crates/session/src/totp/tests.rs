use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn rfc_seed() -> TotpSeed {
    TotpSeed::from_bytes(*b"12345678901234567890").unwrap()
}

/// RFC 6238, appendix B, SHA-1. The RFC prints 8 digits; 6 digits are the last 6 of them.
#[test]
fn rfc_6238_vectors() {
    for (time, code) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        let code = code.get(2..).unwrap();
        assert_eq!(matching_step(&rfc_seed(), code, at(time)).unwrap(), Some(time / 30));
    }
}

/// RFC 4226, appendix D: the counter is the step.
#[test]
fn rfc_4226_vectors() {
    let codes = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
    for (step, code) in (0..).zip(codes) {
        assert_eq!(matching_step(&rfc_seed(), code, at(step * 30)).unwrap(), Some(step));
    }
}

#[test]
fn window_is_one_step() {
    let now = 1_111_111_111;
    let step = now / 30;
    for offset in -3..=3 {
        let code = code_at(&generator(&rfc_seed()).unwrap(), step + offset);
        let expected = (offset.abs() <= 1).then_some(step + offset);
        assert_eq!(matching_step(&rfc_seed(), &code, at(now)).unwrap(), expected, "{offset}");
    }
}

#[test]
fn gaps_are_ignored_and_nothing_else_is() {
    let matches = |code: &str| matching_step(&rfc_seed(), code, at(59)).unwrap().is_some();
    assert!(matches("287 082"));
    assert!(matches(" 287082\n"));
    for code in ["", "28708", "2870820", "02870 82", "+87082", "-287082", "287082a", "28708٢"] {
        assert!(!matches(code), "{code}");
    }
}

#[test]
fn seeds_have_a_length() {
    assert!(TotpSeed::from_bytes([1; 15]).is_err());
    assert!(TotpSeed::from_bytes([1; 16]).is_ok());
    assert!(TotpSeed::from_bytes([1; 65]).is_err());
    assert_ne!(TotpSeed::generate().unwrap().bytes(), TotpSeed::generate().unwrap().bytes());
}

#[test]
fn enrolment_uri() {
    let enrolment = Enrolment::new(&rfc_seed(), "Acme Desk", "urn:ana@acme.test").unwrap();
    assert_eq!(
        enrolment.otpauth_uri(),
        "otpauth://totp/Acme%20Desk:urn.ana%40acme.test?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme%20Desk"
    );
    assert_eq!(enrolment.secret_base32(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_eq!(format!("{enrolment:?} {:?}", rfc_seed()), "Enrolment(..) TotpSeed(..)");
}

proptest! {
    /// The answer is the newest step of the window that has this code, for every seed, time and code.
    #[test]
    fn agrees_with_the_definition(seed in proptest::collection::vec(any::<u8>(), 16..=64), time in 0_i64..4_000_000_000, code in "[0-9]{6}", offset in -3_i64..=3) {
        let seed = TotpSeed::from_bytes(seed).unwrap();
        let totp = generator(&seed).unwrap();
        let step = time / 30;
        for code in [code, code_at(&totp, (step + offset).max(0)).to_string()] {
            let expected = (step - 1..=step + 1).rev().find(|&s| *code_at(&totp, s) == code);
            prop_assert_eq!(matching_step(&seed, &code, at(time)).unwrap(), expected);
        }
    }

    #[test]
    fn never_panics(code in "\\PC*", time in any::<i32>()) {
        let _ = matching_step(&rfc_seed(), &code, at(time.into()));
    }
}
