//! Batches, copies from row to row, and values as text.

use std::collections::HashSet;

use stockade_field_crypto::{
    ErrorKind, KeyStore as _, MemoryKeyStore, NonceSource, OpenError, Sealed, SealedText, Secret, Vault,
};
use uuid::Uuid;

use crate::support::{DriverSsn, LedgerMemo, TotpSeed, key_id, keyring, new_tenant, provisioned, secret, tenant_keys};

const SSN: &str = "078-05-1120";

/// More than one read of the system's generator, so that a nonce that is used twice would show.
#[tokio::test]
async fn a_batch_has_fresh_nonces_and_keeps_its_order() {
    let keys = tenant_keys().await;
    let rows: Vec<_> = (0..3000).map(|number| (Uuid::now_v7(), secret(&format!("{number}")))).collect();
    let sealed: Vec<Sealed<DriverSsn>> = keys.seal_many(rows.iter().map(|(id, ssn)| (id, ssn))).unwrap();
    let nonces: HashSet<_> = sealed.iter().map(|sealed| sealed.as_bytes()[5..17].to_vec()).collect();
    assert_eq!((sealed.len(), nonces.len()), (3000, 3000));
    for ((id, ssn), sealed) in rows.iter().zip(&sealed) {
        assert_eq!(keys.open(id, sealed).unwrap().expose(), ssn.expose());
    }
    // Each is bound to its own row.
    assert_eq!(keys.open(&rows[0].0, &sealed[1]).unwrap_err(), OpenError::Failed);
    let none: [(&Uuid, &Secret<String>); 0] = [];
    assert!(keys.seal_many::<DriverSsn>(none).unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_is_counted_and_refused_as_a_whole() {
    let store = MemoryKeyStore::default();
    let vault = Vault::new(keyring(), store.clone());
    let keys = provisioned(&vault).await;
    let row = Uuid::nil();
    let counted = async || {
        vault.record_messages().await.unwrap();
        store.load(keys.tenant()).await.unwrap()[0].messages
    };
    let values: Vec<_> = (0..5).map(|_| secret(SSN)).collect();
    let sealed: Vec<Sealed<DriverSsn>> = keys.seal_many(values.iter().map(|value| (&row, value))).unwrap();
    assert_eq!(counted().await, 5);

    let twice = [secret(SSN), secret(&sealed[0].to_text())];
    let refused = keys.seal_many::<DriverSsn>(twice.iter().map(|value| (&row, value))).unwrap_err();
    assert_eq!((refused.kind(), counted().await), (ErrorKind::AlreadySealed, 5));

    // Room for four, not for five.
    store.add_messages(keys.tenant(), key_id(1), (1 << 32) - 9).await.unwrap();
    vault.evict(keys.tenant());
    let last = vault.tenant(keys.tenant()).await.unwrap();
    let refused = last.seal_many::<DriverSsn>(values.iter().map(|value| (&row, value))).unwrap_err();
    assert_eq!((refused.kind(), counted().await), (ErrorKind::KeyExhausted, (1 << 32) - 4));
    assert_eq!(last.seal_many::<DriverSsn>(values[..4].iter().map(|value| (&row, value))).unwrap().len(), 4);
    assert_eq!(last.seal::<DriverSsn>(&row, &values[0]).unwrap_err().kind(), ErrorKind::KeyExhausted);
}

#[tokio::test]
async fn a_copy_is_bound_to_its_new_row() {
    let keys = tenant_keys().await;
    let (old, new) = (Uuid::now_v7(), Uuid::now_v7());
    let sealed: Sealed<DriverSsn> = keys.seal(&old, &secret(SSN)).unwrap();
    let copy = keys.rebind(&old, &new, &sealed).unwrap();
    assert_eq!(keys.open(&new, &copy).unwrap().expose(), SSN);
    assert_eq!(keys.open(&old, &copy).unwrap_err(), OpenError::Failed);
    assert_eq!(keys.open(&old, &sealed).unwrap().expose(), SSN);
    assert_ne!(copy.as_bytes()[5..17], sealed.as_bytes()[5..17]);

    // It is no way around the binding: whoever cannot open the value cannot copy it.
    let refused = keys.rebind(&new, &old, &sealed).unwrap_err();
    assert_eq!((refused.kind(), refused.is_retryable()), (ErrorKind::NotOpened, false));
    assert_eq!(refused.to_string(), "the value could not be opened");
}

#[tokio::test]
async fn text_is_the_same_value() {
    let keys = tenant_keys().await;
    let row = Uuid::now_v7();
    let sealed: Sealed<DriverSsn> = keys.seal(&row, &secret(SSN)).unwrap();
    let text = SealedText::from(sealed.clone());
    assert_eq!(text.to_string(), sealed.to_text());
    assert_eq!(text.to_string().parse::<SealedText<DriverSsn>>().unwrap(), text);
    assert_eq!(keys.open(&row, text.sealed()).unwrap().expose(), SSN);
    assert_eq!(format!("{text:?}"), format!("{sealed:?}"));
    assert_eq!(text.into_sealed(), sealed);
    assert_eq!(SSN.parse::<SealedText<DriverSsn>>().unwrap_err(), OpenError::Failed);
}

#[cfg(feature = "userspace-nonces")]
#[tokio::test]
async fn nonces_of_userspace_do_not_repeat_either() {
    let vault = Vault::new(keyring(), MemoryKeyStore::default()).with_nonces(NonceSource::Userspace);
    let keys = provisioned(&vault).await;
    let value = secret(SSN);
    // From several threads, as each has a generator of its own.
    let nonces: HashSet<_> = std::thread::scope(|scope| {
        let seal = || (0..2000).map(|_| keys.seal::<DriverSsn>(&Uuid::nil(), &value).unwrap()).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(seal)).collect();
        let sealed = threads.into_iter().flat_map(|thread| thread.join().unwrap());
        sealed.map(|sealed| sealed.as_bytes()[5..17].to_vec()).collect()
    });
    assert_eq!(nonces.len(), 8000);
}

#[tokio::test]
async fn nonces_come_from_the_kernel_unless_somebody_says_otherwise() {
    assert_eq!(NonceSource::default(), NonceSource::Kernel);
    let vault = Vault::new(keyring(), MemoryKeyStore::default()).with_nonces(NonceSource::default());
    let tenant = new_tenant();
    vault.provision(tenant).await.unwrap();
    let keys = vault.tenant(tenant).await.unwrap();
    keys.seal::<LedgerMemo>(&1, &secret("memo")).unwrap();
    keys.seal::<TotpSeed>(&Uuid::nil(), &Secret::new(vec![1; 20])).unwrap();
}

#[cfg(feature = "serde")]
mod serde {
    use ::serde::{Deserialize, Serialize};
    use stockade_field_crypto::{Sealed, SealedText, Secret};
    use uuid::Uuid;

    use super::SSN;
    use crate::support::{DriverSsn, secret, tenant_keys};

    #[derive(Debug, Serialize, Deserialize)]
    struct Stored {
        ssn: Sealed<DriverSsn>,
        previous: Option<SealedText<DriverSsn>>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "read by Debug")]
    struct Form {
        ssn: Secret<String>,
    }

    #[tokio::test]
    async fn sealed_values_are_strings_in_json() {
        let keys = tenant_keys().await;
        let sealed: Sealed<DriverSsn> = keys.seal(&Uuid::nil(), &secret(SSN)).unwrap();
        let stored = Stored { ssn: sealed.clone(), previous: Some(sealed.clone().into()) };
        let json = serde_json::to_value(&stored).unwrap();
        assert_eq!(json, serde_json::json!({ "ssn": sealed.to_text(), "previous": sealed.to_text() }));
        let back: Stored = serde_json::from_value(json).unwrap();
        assert_eq!((back.ssn, back.previous.unwrap().into_sealed()), (sealed.clone(), sealed.clone()));
        // From a reader, which cannot lend its text.
        let text = serde_json::to_string(&sealed).unwrap();
        assert_eq!(serde_json::from_reader::<_, Sealed<DriverSsn>>(text.as_bytes()).unwrap(), sealed);
    }

    #[test]
    fn errors_of_a_format_do_not_repeat_what_was_there() {
        for json in [r#"{"ssn":"078-05-1120"}"#, r#"{"ssn":78051120}"#, r#"{"ssn":["078-05-1120"]}"#] {
            let error = serde_json::from_str::<Stored>(json).unwrap_err().to_string();
            assert!(error.starts_with("not a sealed value of `drivers.ssn`"), "{error}");
            assert!(!error.contains("078") && !error.contains("7805"), "{error}");
        }
        let form: Form = serde_json::from_str(r#"{"ssn":"078-05-1120"}"#).unwrap();
        assert_eq!(format!("{form:?}"), "Form { ssn: [redacted] }");
        let error = serde_json::from_str::<Form>(r#"{"ssn":78051120}"#).unwrap_err().to_string();
        assert!(error.starts_with("not a secret of the expected type") && !error.contains("7805"), "{error}");
    }
}
