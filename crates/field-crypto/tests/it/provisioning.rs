//! Setting tenants up, and recognising key encryption keys.

use std::sync::{Arc, Mutex};

use stockade_field_crypto::{
    DataKey, Error, ErrorKind, Insertion, KekId, KekRecord, KeyId, KeyRecord, KeyState, KeyStore, Kms, LocalKeyring,
    MemoryKeyStore, Purpose, TenantId, Vault, WrapContext, WrappedKey,
};
use uuid::Uuid;

use crate::support::{DriverSsn, EditedStore, key_id, keyring, new_tenant, provisioned, secret};

#[tokio::test]
async fn provisioning_makes_one_key_for_each_purpose() {
    let store = MemoryKeyStore::default();
    let vault = Vault::new(keyring(), store.clone());
    let tenant = new_tenant();
    let created = vault.provision(tenant).await.unwrap();
    assert_eq!(created.iter().map(|info| info.purpose).collect::<Vec<_>>(), [Purpose::Aead, Purpose::Index]);
    assert_ne!(created[0].kcv, created[1].kcv);
    for (info, record) in created.iter().zip(store.load(tenant).await.unwrap()) {
        assert_eq!((info.tenant, info.key, info.kcv), (tenant, record.key, record.kcv));
        assert_eq!(info.kek.as_str(), "k1");
        let KeyState::Active(wrapped) = record.state else { panic!("{record:?}") };
        assert_eq!(wrapped.bytes.len(), 61);
    }
    assert_eq!(vault.provision(tenant).await.unwrap(), []);
}

#[tokio::test]
async fn an_unprovisioned_tenant_is_an_error_and_not_a_new_key() {
    let store = MemoryKeyStore::default();
    let vault = Vault::new(keyring(), store.clone());
    let tenant = new_tenant();
    let error = vault.tenant(tenant).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotProvisioned);
    assert_eq!(error.to_string(), format!("tenant {tenant} has no keys"));
    assert!(store.load(tenant).await.unwrap().is_empty());
    // The failure is not remembered.
    vault.provision(tenant).await.unwrap();
    vault.tenant(tenant).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_provisioning_makes_the_keys_once() {
    let store = MemoryKeyStore::default();
    let kms = Arc::new(keyring());
    let tenant = new_tenant();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let vault = Vault::new(Arc::clone(&kms), store.clone());
            tokio::spawn(async move { vault.provision(tenant).await.unwrap().len() })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += task.await.unwrap();
    }
    assert_eq!(created, 2);
    assert_eq!(store.load(tenant).await.unwrap().len(), 2);
}

/// A process that died between the two keys is repaired by the next call.
#[tokio::test]
async fn half_a_provisioning_is_completed() {
    let store = MemoryKeyStore::default();
    let kms = Arc::new(keyring());
    let whole = Vault::new(Arc::clone(&kms), store.clone());
    let tenant = new_tenant();
    whole.provision(tenant).await.unwrap();
    let half = MemoryKeyStore::default();
    let _ = half.insert(&store.load(tenant).await.unwrap()[0]).await.unwrap();
    let vault = Vault::new(kms, half);
    let keys = vault.tenant(tenant).await.unwrap();
    let missing = keys.index::<crate::support::DriverSsnIndex>(&secret("1")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotProvisioned);
    let created = vault.provision(tenant).await.unwrap();
    assert_eq!(created.iter().map(|info| (info.key, info.purpose)).collect::<Vec<_>>(), [(key_id(2), Purpose::Index)]);
    vault.tenant(tenant).await.unwrap().index::<crate::support::DriverSsnIndex>(&secret("1")).unwrap();
}

/// A tenant whose keys were destroyed does not come back by accident.
#[tokio::test]
async fn destroyed_keys_are_not_made_again() {
    let edit = |tenant, _| {
        let kcv = DataKey::generate().unwrap().kcv();
        let destroyed = |key, purpose| KeyRecord::new(tenant, key_id(key), purpose, KeyState::Destroyed, kcv);
        vec![destroyed(1, Purpose::Aead), destroyed(2, Purpose::Index)]
    };
    let inner = MemoryKeyStore::default();
    let vault = Vault::new(keyring(), EditedStore { inner: inner.clone(), edit });
    let tenant = new_tenant();
    assert_eq!(vault.provision(tenant).await.unwrap(), []);
    assert!(inner.load(tenant).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_kek_fails_the_self_check() {
    let store = MemoryKeyStore::default();
    let right = Arc::new(keyring());
    Vault::new(Arc::clone(&right), store.clone()).self_check().await.unwrap();
    // Another key of the same name.
    let wrong = Vault::new(keyring(), store.clone());
    let error = wrong.self_check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KekMismatch);
    assert!(!error.is_retryable());
    assert_eq!(error.to_string(), "`k1` is not the key encryption key that this key store was set up with");
    // A keyring that has lost a key.
    let renamed = Vault::new(LocalKeyring::generate("k2").unwrap(), store.clone());
    let error = renamed.self_check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownKek);
    assert_eq!(error.to_string(), "no key encryption key `k1`");
    // The wrong ones have left nothing behind.
    let right = Vault::new(right, store.clone());
    right.self_check().await.unwrap();
    right.provision(new_tenant()).await.unwrap();
    assert_eq!(store.keks().await.unwrap().len(), 1);
}

/// A service that does not authenticate gives another key instead of an error.
#[tokio::test]
async fn a_wrong_kek_is_found_by_its_check_value() {
    struct Masking(u8);
    impl Kms for Masking {
        fn primary_kek(&self) -> KekId {
            KekId::new("mask").unwrap()
        }
        async fn wrap(&self, _: WrapContext, key: &DataKey) -> Result<WrappedKey, Error> {
            let bytes = key.expose().iter().map(|byte| byte ^ self.0).collect();
            Ok(WrappedKey { kek: self.primary_kek(), bytes })
        }
        async fn unwrap(&self, _: WrapContext, wrapped: &WrappedKey) -> Result<DataKey, Error> {
            DataKey::from_bytes(&wrapped.bytes.iter().map(|byte| byte ^ self.0).collect::<Vec<_>>())
        }
    }
    let store = MemoryKeyStore::default();
    for _ in 0..2 {
        Vault::new(Masking(1), store.clone()).self_check().await.unwrap();
    }
    let error = Vault::new(Masking(2), store).self_check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KekMismatch);
}

#[tokio::test]
async fn a_wrong_kek_cannot_provision() {
    let store = MemoryKeyStore::default();
    // Nobody has called self_check: the first tenant is what sets the store up.
    Vault::new(keyring(), store.clone()).provision(new_tenant()).await.unwrap();
    let tenant = new_tenant();
    for (name, kind) in [("k1", ErrorKind::KekMismatch), ("k2", ErrorKind::UnknownKek)] {
        let wrong = Vault::new(LocalKeyring::generate(name).unwrap(), store.clone());
        assert_eq!(wrong.provision(tenant).await.unwrap_err().kind(), kind);
        assert!(store.load(tenant).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn older_keks_unwrap_and_the_first_wraps() {
    let key = |seed: u8| {
        use base64::Engine as _;
        let bytes: Vec<u8> = (0..32).map(|at| at ^ seed).collect();
        base64::engine::general_purpose::STANDARD.encode(bytes)
    };
    let store = MemoryKeyStore::default();
    let before = LocalKeyring::parse(&format!("k1:{}", key(1))).unwrap();
    let before = Vault::new(before, store.clone());
    before.self_check().await.unwrap();
    let old = provisioned(&before).await;
    let sealed = old.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap();

    let after = LocalKeyring::parse(&format!("k2:{},k1:{}", key(2), key(1))).unwrap();
    let after = Vault::new(after, store.clone());
    after.self_check().await.unwrap();
    let keys = after.tenant(old.tenant()).await.unwrap();
    assert_eq!(keys.open(&Uuid::nil(), &sealed).unwrap().expose(), "078-05-1120");
    assert_eq!(after.provision(new_tenant()).await.unwrap()[0].kek.as_str(), "k2");
}

/// Two processes set up one store at the same time, with different keys of the same name: one of them must lose.
#[tokio::test]
async fn only_one_of_two_first_keks_is_registered() {
    struct Late {
        store: MemoryKeyStore,
        rival: Mutex<Option<KekRecord>>,
    }
    impl KeyStore for Late {
        async fn load(&self, tenant: TenantId) -> Result<Vec<KeyRecord>, Error> {
            self.store.load(tenant).await
        }
        async fn insert(&self, record: &KeyRecord) -> Result<Insertion, Error> {
            self.store.insert(record).await
        }
        async fn add_messages(&self, tenant: TenantId, key: KeyId, messages: u64) -> Result<u64, Error> {
            self.store.add_messages(tenant, key, messages).await
        }
        async fn keks(&self) -> Result<Vec<KekRecord>, Error> {
            self.store.keks().await
        }
        async fn insert_kek(&self, record: &KekRecord) -> Result<Insertion, Error> {
            let rival = self.rival.lock().unwrap().take();
            if let Some(rival) = rival {
                let _ = self.store.insert_kek(&rival).await?;
            }
            self.store.insert_kek(record).await
        }
    }
    let rival = MemoryKeyStore::default();
    Vault::new(keyring(), rival.clone()).self_check().await.unwrap();
    let rival = Mutex::new(rival.keks().await.unwrap().pop());
    let vault = Vault::new(keyring(), Late { store: MemoryKeyStore::default(), rival });
    assert_eq!(vault.self_check().await.unwrap_err().kind(), ErrorKind::KekMismatch);
}
