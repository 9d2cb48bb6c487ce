//! Key rows that are not as they should be.

use std::mem;
use std::sync::Arc;
use stockade_field_crypto::{
    ErrorKind, Kcv, KekId, KeyRecord, KeyState, KeyStore, Kms, MemoryKeyStore, OpenError, Purpose, Retry, Sealed,
    TenantId, Vault, WrappedKey,
};
use uuid::Uuid;

use crate::support::{
    DriverSsn, DriverSsnIndex, EditedStore, TestKms, key_id, keyring, new_tenant, provisioned, secret,
};

fn wrapped(record: &mut KeyRecord) -> &mut WrappedKey {
    match &mut record.state {
        KeyState::Active(wrapped) | KeyState::DecryptOnly(wrapped) => wrapped,
        other => panic!("{other:?}"),
    }
}

fn edited<F>(inner: &MemoryKeyStore, edit: F) -> EditedStore<F>
where
    F: Fn(TenantId, Vec<KeyRecord>) -> Vec<KeyRecord> + Send + Sync,
{
    EditedStore { inner: inner.clone(), edit }
}

/// Somebody who can write to the key table exchanges rows, with their check values.
#[tokio::test]
async fn exchanged_key_rows_do_not_unwrap() {
    let store = MemoryKeyStore::default();
    let kms = Arc::new(keyring());
    let vault = Vault::new(Arc::clone(&kms), store.clone());
    let (ours, theirs) = (provisioned(&vault).await.tenant(), provisioned(&vault).await.tenant());
    let their_rows = store.load(theirs).await.unwrap();

    // Another tenant's keys under our name.
    let swap = edited(&store, |_, _| their_rows.clone());
    let error = Vault::new(Arc::clone(&kms), swap).tenant(ours).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyRejected);
    assert_eq!(error.to_string(), "the wrapped key was rejected");

    // The index key in place of the sealing key.
    let swap = edited(&store, |_, mut rows| {
        let (a, b) = rows.split_at_mut(1);
        mem::swap(&mut a[0].state, &mut b[0].state);
        mem::swap(&mut a[0].kcv, &mut b[0].kcv);
        rows
    });
    let error = Vault::new(Arc::clone(&kms), swap).tenant(ours).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyRejected);

    // The same keys under other numbers, and under other purposes.
    for edit in [
        |rows: &mut [KeyRecord]| rows.iter_mut().for_each(|row| row.key = key_id(row.key.as_u32() + 1)),
        |rows: &mut [KeyRecord]| rows[0].purpose = Purpose::Index,
        |rows: &mut [KeyRecord]| wrapped(&mut rows[0]).bytes[60] ^= 1,
        |rows: &mut [KeyRecord]| wrapped(&mut rows[0]).bytes[0] ^= 1,
        |rows: &mut [KeyRecord]| wrapped(&mut rows[0]).bytes.truncate(60),
        |rows: &mut [KeyRecord]| wrapped(&mut rows[0]).bytes.clear(),
    ] {
        let swap = edited(&store, move |_, mut rows| {
            edit(&mut rows);
            rows
        });
        let error = Vault::new(Arc::clone(&kms), swap).tenant(ours).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeyRejected);
    }
    Vault::new(kms, store).tenant(ours).await.unwrap();
}

/// A key that unwraps, but is not the one that was stored under this number when it was made.
#[tokio::test]
async fn a_key_with_another_check_value_is_not_used() {
    let store = MemoryKeyStore::default();
    let kms = Arc::new(keyring());
    let vault = Vault::new(Arc::clone(&kms), store.clone());
    let tenant = provisioned(&vault).await.tenant();
    for bit in [0, 63, 127] {
        let swap = edited(&store, |_, mut rows| {
            let mut kcv = *rows[0].kcv.as_bytes();
            kcv[bit / 8] ^= 1 << (bit % 8);
            rows[0].kcv = Kcv::from(kcv);
            rows
        });
        let error = Vault::new(Arc::clone(&kms), swap).tenant(tenant).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeyRejected);
    }
}

/// A tenant whose first key was followed by another, as rotation will do.
struct Rotated {
    store: MemoryKeyStore,
    tenant: TenantId,
    sealed: Sealed<DriverSsn>,
}

impl Rotated {
    async fn new(kms: &impl Kms) -> Self {
        let first = MemoryKeyStore::default();
        let tenant = new_tenant();
        let store = MemoryKeyStore::default();
        let vault = Vault::new(Arc::new(Delegate(kms)), first.clone());
        vault.provision(tenant).await.unwrap();
        let sealed = vault.tenant(tenant).await.unwrap().seal(&Uuid::nil(), &secret("078-05-1120")).unwrap();
        for mut record in first.load(tenant).await.unwrap() {
            if let KeyState::Active(wrapped) = record.state {
                record.state = KeyState::DecryptOnly(wrapped);
            }
            let _ = store.insert(&record).await.unwrap();
        }
        for (number, purpose) in [(3, Purpose::Aead), (4, Purpose::Index)] {
            let key = stockade_field_crypto::DataKey::generate().unwrap();
            let context = stockade_field_crypto::WrapContext::TenantKey { tenant, key: key_id(number), purpose };
            let state = KeyState::Active(kms.wrap(context, &key).await.unwrap());
            let record = KeyRecord::new(tenant, key_id(number), purpose, state, key.kcv());
            let _ = store.insert(&record).await.unwrap();
        }
        Self { store, tenant, sealed }
    }
}

/// A borrowed service.
struct Delegate<'a, K>(&'a K);

impl<K: Kms> Kms for Delegate<'_, K> {
    fn primary_kek(&self) -> KekId {
        self.0.primary_kek()
    }
    fn wrap(
        &self,
        context: stockade_field_crypto::WrapContext,
        key: &stockade_field_crypto::DataKey,
    ) -> impl Future<Output = Result<WrappedKey, stockade_field_crypto::Error>> + Send {
        self.0.wrap(context, key)
    }
    fn unwrap(
        &self,
        context: stockade_field_crypto::WrapContext,
        wrapped: &WrappedKey,
    ) -> impl Future<Output = Result<stockade_field_crypto::DataKey, stockade_field_crypto::Error>> + Send {
        self.0.unwrap(context, wrapped)
    }
}

#[tokio::test]
async fn an_older_key_opens_and_the_active_one_seals() {
    let kms = Arc::new(keyring());
    let rotated = Rotated::new(&kms).await;
    let keys = Vault::new(kms, rotated.store).tenant(rotated.tenant).await.unwrap();
    assert_eq!(keys.open(&Uuid::nil(), &rotated.sealed).unwrap().expose(), "078-05-1120");
    let new = keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap();
    assert_eq!((rotated.sealed.key_id(), new.key_id()), (key_id(1), key_id(3)));
    assert_eq!(keys.open(&Uuid::nil(), &new).unwrap().expose(), "078-05-1120");
    // A search covers both index keys.
    let tags = keys.probe::<DriverSsnIndex>(&secret("078-05-1120")).unwrap();
    assert_eq!(tags.len(), 2);
    assert!(tags.contains(&keys.index::<DriverSsnIndex>(&secret("078051120")).unwrap()));
}

#[tokio::test]
async fn an_older_key_whose_kek_is_gone_is_unavailable() {
    let kms = Arc::new(keyring());
    let rotated = Rotated::new(&kms).await;
    let store = edited(&rotated.store, |_, mut rows| {
        rows.iter_mut().filter(|row| row.key.as_u32() <= 2).for_each(|row| {
            wrapped(row).kek = KekId::new("k0").unwrap();
        });
        rows
    });
    let keys = Vault::new(kms, store).tenant(rotated.tenant).await.unwrap();
    let error = keys.open(&Uuid::nil(), &rotated.sealed).unwrap_err();
    assert_eq!(error, OpenError::KeyUnavailable { retryable: false });
    keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap();
    // A search that could miss rows is refused.
    let error = keys.probe::<DriverSsnIndex>(&secret("078-05-1120")).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Kms, false));
}

#[tokio::test]
async fn an_active_key_that_does_not_unwrap_is_an_error() {
    let kms = TestKms::new(keyring());
    let vault = Vault::new(Arc::clone(&kms), MemoryKeyStore::default());
    let tenant = provisioned(&vault).await.tenant();
    vault.evict(tenant);
    for retry in [Retry::Later, Retry::Never] {
        kms.fail(Some(retry));
        let error = vault.tenant(tenant).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Kms, retry == Retry::Later));
    }
    kms.fail(None);
    vault.tenant(tenant).await.unwrap();
}

#[tokio::test]
async fn destroyed_keys_open_and_seal_nothing() {
    let kms = Arc::new(keyring());
    let rotated = Rotated::new(&kms).await;
    // First the older keys, then all.
    for last in [2, 4] {
        let store = edited(&rotated.store, move |_, mut rows| {
            rows.iter_mut().filter(|row| row.key.as_u32() <= last).for_each(|row| row.state = KeyState::Destroyed);
            rows
        });
        let keys = Vault::new(Arc::clone(&kms), store).tenant(rotated.tenant).await.unwrap();
        assert_eq!(keys.open(&Uuid::nil(), &rotated.sealed).unwrap_err(), OpenError::Destroyed);
        let sealed = keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120"));
        let tags = keys.probe::<DriverSsnIndex>(&secret("078-05-1120"));
        if last == 2 {
            sealed.unwrap();
            assert_eq!(tags.unwrap().len(), 1);
        } else {
            assert_eq!(sealed.unwrap_err().kind(), ErrorKind::KeyDestroyed);
            assert_eq!(tags.unwrap_err().kind(), ErrorKind::KeyDestroyed);
        }
    }
}
