//! Reading while a column is on its way to being sealed.

use std::time::{Duration, SystemTime};

use stockade_field_crypto::{DualRead, DualValue, OpenError, Sealed};
use uuid::Uuid;

use crate::support::{DriverSsn, secret, tenant_keys};

#[tokio::test]
async fn plain_reads_are_counted_and_end() {
    let keys = tenant_keys().await;
    let id = Uuid::now_v7();
    let sealed: Sealed<DriverSsn> = keys.seal(&id, &secret("1")).unwrap();
    let plain = || Some("2".to_owned());

    let open = DualRead::until(SystemTime::now() + Duration::from_secs(3600));
    let read = |reader: &DualRead, sealed, plain| reader.read::<DriverSsn>(&keys, &id, sealed, plain);
    assert!(
        matches!(read(&open, Some(&sealed), plain()).unwrap(), DualValue::FromSealed(value) if value.expose() == "1")
    );
    assert!(matches!(read(&open, None, None).unwrap(), DualValue::Absent));
    assert_eq!(open.plain_reads(), 0);
    assert!(matches!(read(&open, None, plain()).unwrap(), DualValue::FromPlain(value) if value.expose() == "2"));
    assert_eq!(open.plain_reads(), 1);

    let closed = DualRead::until(SystemTime::now());
    assert!(matches!(read(&closed, None, plain()).unwrap(), DualValue::Expired));
    assert!(matches!(read(&closed, Some(&sealed), plain()).unwrap(), DualValue::FromSealed(_)));
    assert_eq!(closed.plain_reads(), 0);
}

/// Whoever can write to the plain column must not choose what is read.
#[tokio::test]
async fn a_sealed_value_that_does_not_open_is_not_replaced() {
    let keys = tenant_keys().await;
    let moved: Sealed<DriverSsn> = keys.seal(&Uuid::now_v7(), &secret("1")).unwrap();
    let reader = DualRead::until(SystemTime::now() + Duration::from_secs(3600));
    let error = reader.read(&keys, &Uuid::now_v7(), Some(&moved), Some("2".to_owned())).unwrap_err();
    assert_eq!(error, OpenError::Failed);
}
