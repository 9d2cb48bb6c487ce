//! What is allocated.

use std::hint::black_box;

use allocation_counter::measure;
use stockade_field_crypto::Secret;
use uuid::Uuid;

use crate::support::{DriverSsn, DriverSsnIndex, TotpSeed, secret, tenant_keys};

#[tokio::test]
async fn a_seal_and_an_open_allocate_once() {
    assert_eq!(measure(|| drop(black_box(vec![0_u8; 8]))).count_total, 1, "the counter counts");
    let keys = tenant_keys().await;
    let row = Uuid::now_v7();
    let values = [secret(""), secret("078-05-1120"), secret(&"x".repeat(64 << 10))];
    // Deriving the column's subkey is once for all.
    keys.seal::<DriverSsn>(&row, &values[0]).unwrap();
    for value in &values {
        let mut sealed = None;
        let sealing = measure(|| sealed = Some(keys.seal::<DriverSsn>(&row, value).unwrap()));
        let sealed = sealed.unwrap();
        assert_eq!(sealing.count_total, 1);
        assert_eq!(sealing.bytes_total, sealed.as_bytes().len() as u64, "exactly what is stored");
        let opening = measure(|| drop(keys.open(&row, &sealed).unwrap()));
        // An empty plain text needs no memory.
        assert_eq!(opening.count_total, u64::from(!value.expose().is_empty()));
        assert_eq!(opening.bytes_total, value.expose().len() as u64);
    }

    // A batch: the list of values, the nonces, the list of results, and one for each value.
    let seeds: Vec<_> = (0..100).map(|_| Secret::new(vec![7; 20])).collect();
    keys.seal::<TotpSeed>(&row, &seeds[0]).unwrap();
    let batch = measure(|| {
        black_box(keys.seal_many::<TotpSeed>(seeds.iter().map(|seed| (&row, seed))).unwrap());
    });
    assert_eq!(batch.count_total, 103);

    // A tag: the normalised value.
    keys.index::<DriverSsnIndex>(&values[1]).unwrap();
    let indexing = measure(|| {
        black_box(keys.index::<DriverSsnIndex>(&values[1]).unwrap());
    });
    assert_eq!(indexing.count_total, 1);
}
