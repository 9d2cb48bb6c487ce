//! What is sealed opens again.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use proptest::collection::vec;
use proptest::prelude::*;
use stockade_field_crypto::{Column, ErrorKind, OpenError, Plain, RowId, Sealed, Secret, TenantKeys, Unbound};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use crate::support::{DriverSsn, LedgerMemo, SmtpPassword, TotpSeed, secret, tenant_keys};

fn round_trip<C: Column>(keys: &TenantKeys, row: &C::Row, plain: &C::Plain)
where
    C::Plain: Clone + PartialEq + std::fmt::Debug,
{
    let sealed: Sealed<C> = keys.seal(row, &Secret::new(plain.clone())).unwrap();
    assert_eq!(sealed.as_bytes().len(), plain.as_plain_bytes().len() + 33);
    let stored = Sealed::<C>::from_bytes(sealed.as_bytes().to_vec()).unwrap();
    assert_eq!(keys.open(row, &stored).unwrap().expose(), plain);
    let text = Sealed::<C>::from_text(&sealed.to_text()).unwrap();
    assert_eq!(keys.open(row, &text).unwrap().expose(), plain);
}

#[test]
fn values_round_trip() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let keys = runtime.block_on(tenant_keys());
    proptest!(|(
        text in any::<String>(),
        bytes in vec(any::<u8>(), 0..2000),
        uuid in any::<u128>(),
        integer in any::<i64>(),
    )| {
        round_trip::<DriverSsn>(&keys, &Uuid::from_u128(uuid), &text);
        round_trip::<LedgerMemo>(&keys, &integer, &text);
        round_trip::<SmtpPassword>(&keys, &Unbound, &text);
        round_trip::<TotpSeed>(&keys, &Uuid::from_u128(uuid), &bytes);
    });
}

#[tokio::test]
async fn large_values_round_trip() {
    let keys = tenant_keys().await;
    round_trip::<TotpSeed>(&keys, &Uuid::nil(), &vec![7; 100_000]);
}

#[tokio::test]
async fn equal_values_seal_differently() {
    let keys = tenant_keys().await;
    let value = secret("078-05-1120");
    let sealed: HashSet<Sealed<DriverSsn>> = (0..1000).map(|_| keys.seal(&Uuid::nil(), &value).unwrap()).collect();
    let nonces: HashSet<_> = sealed.iter().map(|sealed| sealed.as_bytes()[5..17].to_vec()).collect();
    assert_eq!(nonces.len(), 1000);
    // A set of sealed values is one of buckets, too.
    let state = RandomState::new();
    assert_eq!(sealed.iter().map(|sealed| state.hash_one(sealed)).collect::<HashSet<_>>().len(), 1000);
}

/// An application's own types, forwarded as the documentation shows it.
#[tokio::test]
async fn own_types_round_trip() {
    #[derive(Debug)]
    struct Ssn(String);
    struct DriverId(Uuid);

    impl Zeroize for Ssn {
        fn zeroize(&mut self) {
            self.0.zeroize();
        }
    }
    impl Plain for Ssn {
        fn as_plain_bytes(&self) -> &[u8] {
            self.0.as_bytes()
        }
        fn from_plain_bytes(bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
            String::from_plain_bytes(bytes).filter(|text| text.len() == 11).map(Self)
        }
    }
    impl RowId for DriverId {
        fn binding(&self) -> stockade_field_crypto::RowBinding {
            self.0.binding()
        }
    }
    stockade_field_crypto::columns! { OwnSsn = "drivers"."ssn": Ssn, row = DriverId; }

    let keys = tenant_keys().await;
    let id = DriverId(Uuid::now_v7());
    let sealed: Sealed<OwnSsn> = keys.seal(&id, &Secret::new(Ssn("078-05-1120".to_owned()))).unwrap();
    assert_eq!(keys.open(&id, &sealed).unwrap().expose().0, "078-05-1120");
    // The type checks what was stored before it was checked.
    let short = keys.seal::<DriverSsn>(&id.0, &secret("078")).unwrap();
    let short = Sealed::<OwnSsn>::from_bytes(short.as_bytes().to_vec()).unwrap();
    assert_eq!(keys.open(&id, &short).unwrap_err(), OpenError::Failed);
}

#[tokio::test]
async fn sealed_input_is_refused() {
    let keys = tenant_keys().await;
    let row = Uuid::now_v7();
    let sealed: Sealed<TotpSeed> = keys.seal(&row, &Secret::new(vec![9; 20])).unwrap();
    let refused = |kind| assert_eq!(kind, ErrorKind::AlreadySealed);

    refused(keys.seal::<TotpSeed>(&row, &Secret::new(sealed.as_bytes().to_vec())).unwrap_err().kind());
    refused(keys.seal::<TotpSeed>(&row, &Secret::new(sealed.to_text().into_bytes())).unwrap_err().kind());
    refused(keys.seal::<DriverSsn>(&row, &secret(&sealed.to_text())).unwrap_err().kind());
    // A value of another tenant as well.
    let foreign = tenant_keys().await.seal::<DriverSsn>(&row, &secret("078-05-1120")).unwrap();
    refused(keys.seal::<DriverSsn>(&row, &secret(&foreign.to_text())).unwrap_err().kind());

    // What merely begins like one is not refused: one in 256 random seeds begins with the version byte.
    let mut seed = vec![0xa5; 64];
    seed[0] = 1;
    round_trip::<TotpSeed>(&keys, &row, &seed);
    round_trip::<DriverSsn>(&keys, &row, &"fc1.".to_owned());
    round_trip::<DriverSsn>(&keys, &row, &"fc1.is how sealed text begins".to_owned());
    round_trip::<TotpSeed>(&keys, &row, &sealed.as_bytes()[..32].to_vec());
}
