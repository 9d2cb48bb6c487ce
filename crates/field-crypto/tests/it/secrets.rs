//! What is shown of a secret, and what is left of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use stockade_field_crypto::{ErrorKind, MemoryKeyStore, Secret, Vault};
use uuid::Uuid;
use zeroize::Zeroize;

use crate::support::{DriverSsn, DriverSsnIndex, keyring, secret, tenant_keys};

const SSN: &str = "078-05-1120";

#[tokio::test]
async fn secrets_are_redacted() {
    #[derive(Debug)]
    #[expect(dead_code, reason = "read by Debug")]
    struct Driver {
        name: &'static str,
        ssn: Secret<String>,
        previous: Option<Secret<Vec<u8>>>,
    }
    let driver = Driver { name: "Ada", ssn: secret(SSN), previous: Some(Secret::new(SSN.as_bytes().to_vec())) };
    let expected = r#"Driver { name: "Ada", ssn: [redacted], previous: Some([redacted]) }"#;
    assert_eq!(format!("{driver:?}"), expected);

    let keys = tenant_keys().await;
    let sealed = keys.seal::<DriverSsn>(&Uuid::nil(), &driver.ssn).unwrap();
    assert_eq!(format!("{sealed:?}"), "Sealed(drivers.ssn, key 1, 44 bytes)");
    let tag = keys.index::<DriverSsnIndex>(&driver.ssn).unwrap();
    assert_eq!(format!("{tag:?}"), "IndexTag(drivers.ssn_index)");
    assert_eq!(format!("{keys:?}"), format!("TenantKeys {{ tenant: TenantId({}), keys: [1, 2] }}", keys.tenant()));
    let refused = keys.seal::<DriverSsn>(&Uuid::nil(), &secret(&sealed.to_text())).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadySealed);
    assert!(!format!("{refused} {refused:?}").contains("fc1."));
    let vault = Vault::new(keyring(), MemoryKeyStore::default());
    assert!(format!("{vault:?}").starts_with("Vault { cache: CachePolicy {"));
}

#[test]
fn a_dropped_secret_is_overwritten() {
    struct Witness(Arc<AtomicBool>);
    impl Zeroize for Witness {
        fn zeroize(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let overwritten = Arc::new(AtomicBool::new(false));
    let secret = Secret::new(Witness(Arc::clone(&overwritten)));
    let _ = secret.expose();
    assert!(!overwritten.load(Ordering::Relaxed));
    drop(secret);
    assert!(overwritten.load(Ordering::Relaxed));
}

#[test]
fn masks_keep_the_last_four() {
    for (plain, masked) in [
        (SSN, "***-**-1120"),
        ("12-3456789", "**-***6789"),
        ("078051120", "*****1120"),
        ("DE89 3704 0044 0532 0130 00", "**** **** **** **** **30 00"),
        ("12345678", "****5678"),
        ("1234567", "*******"),
        ("1-2-3-4", "*-*-*-*"),
        ("", ""),
        ("p@ss:w_rd!", "******_rd!"),
        ("Grüße aus Köln", "***** *** Köln"),
    ] {
        assert_eq!(secret(plain).masked().as_str(), masked);
        assert_eq!(secret(plain).masked().to_string(), masked);
    }
}

proptest! {
    #[test]
    fn masks_never_show_more_than_half(plain in "\\PC{0,40}") {
        let masked = secret(&plain).masked().to_string();
        prop_assert_eq!(masked.chars().count(), plain.chars().count());
        let separator = |c: &char| matches!(c, '-' | ' ' | '.' | '/');
        let content = plain.chars().filter(|c| !separator(c)).count();
        let hidden = masked.chars().zip(plain.chars()).filter(|(m, p)| *m == '*' && !separator(p)).count();
        prop_assert!(content - hidden <= 4);
        prop_assert!(2 * (content - hidden) <= content);
    }
}
