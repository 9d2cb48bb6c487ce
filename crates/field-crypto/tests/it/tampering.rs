//! Attacks on stored values.

use std::error::Error as _;

use proptest::collection::vec;
use proptest::prelude::*;
use stockade_field_crypto::{
    Column, DataKey, MemoryKeyStore, OpenError, RowId as _, Sealed, Secret, TenantKeys, Unbound, Vault,
};
use uuid::Uuid;

use crate::support::rebound::{ByInteger, ByNothing, ByUuid};
use crate::support::{BankAccount, DriverSsn, OneKeyForAll, SpouseSsn, new_tenant, plant, secret, tenant_keys};

const SSN: &str = "078-05-1120";

fn seal(keys: &TenantKeys, row: &Uuid) -> Sealed<DriverSsn> {
    keys.seal(row, &secret(SSN)).unwrap()
}

/// Opens bytes as a value of a column.
fn open<C: Column>(keys: &TenantKeys, row: &C::Row, bytes: &[u8]) -> Result<Secret<C::Plain>, OpenError> {
    keys.open(row, &Sealed::<C>::from_bytes(bytes.to_vec())?)
}

/// Two tenants and a second key number, one bit from the first, all with one and the same key.
async fn keys_of_two_tenants() -> (TenantKeys, TenantKeys) {
    let store = MemoryKeyStore::default();
    let key = DataKey::generate().unwrap();
    let tenants = [new_tenant(), new_tenant()];
    for tenant in tenants {
        plant(&store, tenant, &key, &[1, 3]).await;
    }
    let vault = Vault::new(OneKeyForAll, store);
    let [ours, theirs] = tenants.map(|tenant| vault.tenant(tenant));
    (ours.await.unwrap(), theirs.await.unwrap())
}

#[tokio::test]
async fn every_single_bit_flip_fails() {
    let (keys, _) = keys_of_two_tenants().await;
    let row = Uuid::now_v7();
    let sealed = seal(&keys, &row);
    let bytes = sealed.as_bytes();
    assert_eq!(bytes.len(), 44);
    assert_eq!(open::<DriverSsn>(&keys, &row, bytes).unwrap().expose(), SSN);
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open::<DriverSsn>(&keys, &row, &flipped).unwrap_err(), OpenError::Failed, "bit {bit}");
    }
}

#[tokio::test]
async fn every_truncation_fails() {
    let keys = tenant_keys().await;
    let row = Uuid::now_v7();
    let sealed = seal(&keys, &row);
    let bytes = sealed.as_bytes();
    for length in 0..bytes.len() {
        assert_eq!(open::<DriverSsn>(&keys, &row, &bytes[..length]).unwrap_err(), OpenError::Failed);
        assert_eq!(open::<DriverSsn>(&keys, &row, &bytes[bytes.len() - length..]).unwrap_err(), OpenError::Failed);
    }
    let extended = [bytes, &[0]].concat();
    assert_eq!(open::<DriverSsn>(&keys, &row, &extended).unwrap_err(), OpenError::Failed);
}

/// Each thing that a value is bound to is exchanged alone. All keys are the same bytes, so that nothing but the
/// derivation and the additional data can make it fail.
#[tokio::test]
async fn every_swap_fails() {
    let (ours, theirs) = keys_of_two_tenants().await;
    let row = Uuid::now_v7();
    let sealed = seal(&ours, &row);
    let bytes = sealed.as_bytes();
    assert!(open::<DriverSsn>(&ours, &row, bytes).is_ok());

    let tenant = open::<DriverSsn>(&theirs, &row, bytes);
    let table = open::<SpouseSsn>(&ours, &row, bytes);
    let column = open::<BankAccount>(&ours, &row, bytes);
    let other_row = open::<DriverSsn>(&ours, &Uuid::now_v7(), bytes);
    let mut under_key_3 = bytes.to_vec();
    under_key_3[4] = 3;
    let key = open::<DriverSsn>(&ours, &row, &under_key_3);
    for swapped in [tenant, table, column, other_row, key] {
        assert_eq!(swapped.unwrap_err(), OpenError::Failed);
    }
}

/// The same number as another kind of row, and no row at all.
#[tokio::test]
async fn the_kind_of_row_is_bound() {
    let keys = tenant_keys().await;
    for number in [0, 5] {
        let uuid = Uuid::from_u128(number);
        let integer = i64::try_from(number).unwrap();
        let by_uuid = keys.seal::<ByUuid>(&uuid, &secret(SSN)).unwrap();
        let by_integer = keys.seal::<ByInteger>(&integer, &secret(SSN)).unwrap();
        let by_nothing = keys.seal::<ByNothing>(&Unbound, &secret(SSN)).unwrap();
        for (bytes, opens) in [
            (by_uuid.as_bytes(), [true, false, false]),
            (by_integer.as_bytes(), [false, true, false]),
            (by_nothing.as_bytes(), [false, false, true]),
        ] {
            let opened = [
                open::<ByUuid>(&keys, &uuid, bytes).is_ok(),
                open::<ByInteger>(&keys, &integer, bytes).is_ok(),
                open::<ByNothing>(&keys, &Unbound, bytes).is_ok(),
            ];
            assert_eq!(opened, opens);
        }
    }
    assert_ne!((-1_i64).binding(), 1_i64.binding());
}

/// A key of another tenant that is not just another name for ours.
#[tokio::test]
async fn tenants_have_different_keys() {
    let (ours, theirs) = (tenant_keys().await, tenant_keys().await);
    let row = Uuid::now_v7();
    assert_eq!(theirs.open(&row, &seal(&ours, &row)).unwrap_err(), OpenError::Failed);
}

#[tokio::test]
async fn every_failure_looks_the_same() {
    let keys = tenant_keys().await;
    let row = Uuid::now_v7();
    let sealed = seal(&keys, &row);
    let bytes = sealed.as_bytes();
    let edited = |at: usize, byte: u8| {
        let mut edited = bytes.to_vec();
        edited[at] = byte;
        edited
    };
    // Opened as text that is not text: 0xff is no UTF-8, and authentic.
    let not_text = {
        use crate::support::rebound::ByUuid as AsText;
        use stockade_field_crypto::columns;
        columns! { AsBytes = "t"."c": Vec<u8>; }
        let sealed = keys.seal::<AsBytes>(&row, &Secret::new(vec![0xff; 11])).unwrap();
        open::<AsText>(&keys, &row, sealed.as_bytes()).unwrap_err()
    };
    let failures = [
        open::<DriverSsn>(&keys, &row, b"").unwrap_err(),
        open::<DriverSsn>(&keys, &row, &edited(0, 2)).unwrap_err(),
        open::<DriverSsn>(&keys, &row, &edited(4, 0)).unwrap_err(),
        open::<DriverSsn>(&keys, &row, &edited(4, 2)).unwrap_err(),
        open::<DriverSsn>(&keys, &row, &edited(4, 9)).unwrap_err(),
        open::<DriverSsn>(&keys, &row, &edited(43, !bytes[43])).unwrap_err(),
        open::<DriverSsn>(&keys, &Uuid::nil(), bytes).unwrap_err(),
        open::<BankAccount>(&keys, &row, bytes).unwrap_err(),
        Sealed::<DriverSsn>::from_text("fc1.").unwrap_err(),
        not_text,
    ];
    for failure in failures {
        assert_eq!(failure.to_string(), "the value could not be opened");
        assert_eq!(format!("{failure:?}"), "Failed");
        assert!(failure.source().is_none());
    }
}

#[tokio::test]
async fn only_one_text_is_accepted() {
    let keys = tenant_keys().await;
    let row = Uuid::now_v7();
    // 44 bytes end in a base64 character with two unused bits, 46 bytes in one with four.
    for plain in [SSN, "078-05-11200", "078-05-112000"] {
        let text = keys.seal::<DriverSsn>(&row, &secret(plain)).unwrap().to_text();
        let last = text.chars().last().unwrap();
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let mut accepted = Vec::new();
        for c in alphabet.chars() {
            let spelling = format!("{}{c}", text.strip_suffix(last).unwrap());
            if let Ok(sealed) = Sealed::<DriverSsn>::from_text(&spelling) {
                assert_eq!(sealed.to_text(), spelling, "two spellings of the same bytes");
                accepted.push(c);
            }
        }
        assert!(accepted.contains(&last));
        for other in [
            format!("{text}="),
            format!("{text} "),
            format!(" {text}"),
            format!("{text}\n"),
            text.replace("fc1.", "FC1."),
            text.replace("fc1.", "fc2."),
            text.replace("fc1.", ""),
            text.replace("fc1.", "fc1.+"),
        ] {
            assert_eq!(Sealed::<DriverSsn>::from_text(&other).unwrap_err(), OpenError::Failed, "{other:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Noise, noise with a valid header, and a value with a part of it overwritten.
    #[test]
    fn opening_noise_never_panics(
        noise in vec(any::<u8>(), 0..200),
        key in prop_oneof![Just(1_u32), Just(2), any::<u32>()],
        text in "fc1\\.[A-Za-z0-9_-]{0,80}|.{0,40}",
        at in any::<prop::sample::Index>(),
    ) {
        thread_local! {
            static KEYS: TenantKeys = {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                runtime.block_on(tenant_keys())
            };
        }
        KEYS.with(|keys| {
            let row = Uuid::nil();
            let headed = [&[1][..], &key.to_be_bytes(), &noise].concat();
            let original = seal(keys, &row).as_bytes().to_vec();
            let mut overwritten = original.clone();
            for (slot, byte) in overwritten.iter_mut().skip(at.index(original.len())).zip(&noise) {
                *slot = *byte;
            }
            for bytes in [&noise, &headed, &overwritten] {
                let opened = open::<DriverSsn>(keys, &row, bytes);
                if *bytes == original {
                    prop_assert!(opened.is_ok());
                } else {
                    prop_assert_eq!(opened.unwrap_err(), OpenError::Failed);
                }
            }
            if let Ok(sealed) = Sealed::<DriverSsn>::from_text(&text) {
                prop_assert_eq!(sealed.to_text(), text);
                prop_assert_eq!(keys.open(&row, &sealed).unwrap_err(), OpenError::Failed);
            }
            Ok(())
        })?;
    }
}
