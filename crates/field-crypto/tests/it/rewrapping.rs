//! Exchanging key encryption keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use stockade_field_crypto::{
    DataKey, Error, ErrorKind, KekId, KekRemoval, KeyRotation as _, KeyState, KeyStore as _, Kms, LocalKeyring,
    MemoryKeyStore, Purpose, Retry, Sealed, TenantId, Vault, WrapContext, WrappedKey,
};
use uuid::Uuid;

use crate::support::{DriverSsn, key_id, new_tenant, secret};

/// A keyring of named keys, each made of its number: the first is the primary.
fn keyring(keys: &[u8]) -> LocalKeyring {
    let entry = |number: &u8| {
        let key: Vec<u8> = (0..32).map(|at| at ^ number).collect();
        format!("k{number}:{}", STANDARD.encode(key))
    };
    LocalKeyring::parse(&keys.iter().map(entry).collect::<Vec<_>>().join(",")).unwrap()
}

/// Before the exchange, and while it is under way.
fn keyrings() -> (LocalKeyring, LocalKeyring) {
    (keyring(&[1]), keyring(&[2, 1]))
}

fn kek(name: &str) -> KekId {
    KekId::new(name).unwrap()
}

async fn tenants<K: Kms>(vault: &Vault<K, MemoryKeyStore>, many: usize) -> Vec<TenantId> {
    let mut tenants = Vec::new();
    for _ in 0..many {
        let tenant = new_tenant();
        vault.provision(tenant).await.unwrap();
        tenants.push(tenant);
    }
    tenants
}

/// More keys than a page, by a keyring that fails now and then: it is called until it is through.
#[tokio::test]
async fn all_keys_are_wrapped_anew_and_the_old_kek_can_go() {
    struct Failing(LocalKeyring, AtomicUsize);
    impl Kms for Failing {
        fn primary_kek(&self) -> KekId {
            self.0.primary_kek()
        }
        async fn wrap(&self, context: WrapContext, key: &DataKey) -> Result<WrappedKey, Error> {
            if self.1.fetch_add(1, Ordering::Relaxed) % 100 == 99 {
                return Err(Error::kms("throttled", Retry::Later));
            }
            self.0.wrap(context, key).await
        }
        async fn unwrap(&self, context: WrapContext, wrapped: &WrappedKey) -> Result<DataKey, Error> {
            self.0.unwrap(context, wrapped).await
        }
    }
    let store = MemoryKeyStore::default();
    let (old, new) = keyrings();
    let before = Vault::new(old, store.clone());
    let tenants = tenants(&before, 130).await;
    let sealed: Sealed<DriverSsn> =
        before.tenant(tenants[7]).await.unwrap().seal(&Uuid::nil(), &secret("078-05-1120")).unwrap();

    let vault = Vault::new(Failing(new, AtomicUsize::new(0)), store.clone());
    vault.self_check().await.unwrap();
    assert_eq!(vault.forget_kek(&kek("k1")).await.unwrap(), KekRemoval::InUse { keys: 260 });
    assert_eq!(vault.forget_kek(&kek("k2")).await.unwrap(), KekRemoval::Primary);
    assert_eq!(vault.forget_kek(&kek("k9")).await.unwrap(), KekRemoval::Unknown);
    let mut interruptions = 0;
    let last = loop {
        match vault.rewrap().await {
            Ok(report) => break report,
            Err(error) => {
                assert!(error.is_retryable());
                interruptions += 1;
            }
        }
    };
    assert!(interruptions > 0);
    assert!(last.rewrapped < 260);
    assert_eq!((last.overtaken, last.failed), (0, 0));
    assert_eq!(vault.rewrap().await.unwrap().rewrapped, 0);
    assert_eq!(vault.forget_kek(&kek("k1")).await.unwrap(), KekRemoval::Forgotten);
    assert_eq!(vault.forget_kek(&kek("k1")).await.unwrap(), KekRemoval::Unknown);

    // A process without the old key opens what was sealed before; one that has only the old one is of no use.
    let after = Vault::new(keyring(&[2]), store.clone());
    after.self_check().await.unwrap();
    let keys = after.tenant(tenants[7]).await.unwrap();
    assert_eq!(keys.open(&Uuid::nil(), &sealed).unwrap().expose(), "078-05-1120");
    assert_eq!(before.self_check().await.unwrap_err().kind(), ErrorKind::UnknownKek);
}

/// A process that still has the old key encryption key as its primary one must not wrap a key under it.
#[tokio::test]
async fn a_forgotten_kek_wraps_nothing_any_more() {
    let store = MemoryKeyStore::default();
    let (old, new) = keyrings();
    let before = Vault::new(old, store.clone());
    before.self_check().await.unwrap();
    let vault = Vault::new(new, store.clone());
    vault.self_check().await.unwrap();
    vault.rewrap().await.unwrap();
    assert_eq!(vault.forget_kek(&kek("k1")).await.unwrap(), KekRemoval::Forgotten);
    let stale = Vault::new(keyring(&[1, 2]), store.clone());
    assert_eq!(stale.self_check().await.unwrap_err().kind(), ErrorKind::KekMismatch);
    assert_eq!(stale.provision(new_tenant()).await.unwrap_err().kind(), ErrorKind::KekMismatch);
}

/// A service that gives something else back than it was given: the old wrapping stays.
#[tokio::test]
async fn a_wrapping_that_does_not_unwrap_is_not_stored() {
    struct Lossy(LocalKeyring);
    impl Kms for Lossy {
        fn primary_kek(&self) -> KekId {
            self.0.primary_kek()
        }
        async fn wrap(&self, context: WrapContext, key: &DataKey) -> Result<WrappedKey, Error> {
            let other = DataKey::generate()?;
            self.0.wrap(context, if context == WrapContext::Canary { key } else { &other }).await
        }
        async fn unwrap(&self, context: WrapContext, wrapped: &WrappedKey) -> Result<DataKey, Error> {
            self.0.unwrap(context, wrapped).await
        }
    }
    let store = MemoryKeyStore::default();
    let (old, new) = keyrings();
    let before = Vault::new(old, store.clone());
    let tenants = tenants(&before, 2).await;
    let report = Vault::new(Lossy(new), store.clone()).rewrap().await.unwrap();
    assert_eq!((report.rewrapped, report.failed), (0, 4));
    assert_eq!(report.failures[0].error.kind(), ErrorKind::KeyRejected);
    for tenant in tenants {
        for record in store.load(tenant).await.unwrap() {
            assert_eq!(record.state.wrapped().unwrap().kek, kek("k1"));
        }
    }
}

/// Two that wrap anew at once, and one that destroys a key meanwhile.
#[tokio::test]
async fn a_key_that_changed_meanwhile_is_left() {
    let store = MemoryKeyStore::default();
    let (old, new) = keyrings();
    let before = Vault::new(old, store.clone());
    let tenant = tenants(&before, 1).await[0];
    let records = store.load(tenant).await.unwrap();
    let wrapped = records[0].state.wrapped().unwrap();
    let kms = Arc::new(new);
    let context = WrapContext::TenantKey { tenant, key: key_id(1), purpose: Purpose::Aead };
    let first = kms.wrap(context, &kms.unwrap(context, wrapped).await.unwrap()).await.unwrap();
    let second = kms.wrap(context, &kms.unwrap(context, wrapped).await.unwrap()).await.unwrap();
    use stockade_field_crypto::KeyChange::{Made, WrongState};
    assert_eq!(store.rewrap(tenant, key_id(1), wrapped, &first).await.unwrap(), Made);
    assert_eq!(store.rewrap(tenant, key_id(1), wrapped, &second).await.unwrap(), WrongState);
    let KeyState::Active(kept) = &store.load(tenant).await.unwrap()[0].state else { panic!() };
    assert_eq!(*kept, first);

    let run = async || Vault::new(Arc::clone(&kms), store.clone()).rewrap().await.unwrap().rewrapped;
    let (one, other) = tokio::join!(run(), run());
    assert_eq!(one + other, 1);
    Vault::new(keyring(&[2]), store).tenant(tenant).await.unwrap();
}
