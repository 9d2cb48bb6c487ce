//! How many messages a key may seal.

use std::sync::Arc;
use std::time::Duration;
use stockade_field_crypto::{ErrorKind, KeyStore as _, ManualClock, MemoryKeyStore, TenantId, TenantKeys, Vault};
use uuid::Uuid;

use crate::support::{DriverSsn, key_id, keyring, new_tenant, provisioned, secret};

fn seal(keys: &TenantKeys, times: usize) {
    let value = secret("078-05-1120");
    for _ in 0..times {
        keys.seal::<DriverSsn>(&Uuid::nil(), &value).unwrap();
    }
}

async fn recorded(store: &MemoryKeyStore, tenant: TenantId) -> u64 {
    store.load(tenant).await.unwrap()[0].messages
}

#[tokio::test]
async fn messages_are_counted_and_limited() {
    let store = MemoryKeyStore::default();
    let vault = Vault::new(keyring(), store.clone());
    let tenant = new_tenant();
    vault.provision(tenant).await.unwrap();

    store.add_messages(tenant, key_id(1), (1 << 31) - 1).await.unwrap();
    let keys = vault.tenant(tenant).await.unwrap();
    assert!(!keys.needs_rotation());
    seal(&keys, 1);
    assert!(keys.needs_rotation());

    store.add_messages(tenant, key_id(1), (1 << 31) - 1).await.unwrap();
    vault.evict(tenant);
    let keys = vault.tenant(tenant).await.unwrap();
    assert_eq!(recorded(&store, tenant).await, (1 << 32) - 1);
    seal(&keys, 1);
    for _ in 0..3 {
        let refused = keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::KeyExhausted);
        assert!(!refused.is_retryable());
    }
    vault.record_messages().await.unwrap();
    assert_eq!(recorded(&store, tenant).await, 1 << 32);
    // Another process learns of it.
    vault.evict(tenant);
    let keys = vault.tenant(tenant).await.unwrap();
    assert_eq!(
        keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap_err().kind(),
        ErrorKind::KeyExhausted
    );
}

#[tokio::test]
async fn an_exhausted_key_still_opens() {
    let store = MemoryKeyStore::default();
    let vault = Vault::new(keyring(), store.clone());
    let keys = provisioned(&vault).await;
    let sealed = keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap();
    store.add_messages(keys.tenant(), key_id(1), 1 << 40).await.unwrap();
    vault.evict(keys.tenant());
    let keys = vault.tenant(keys.tenant()).await.unwrap();
    assert!(keys.needs_rotation());
    assert_eq!(keys.open(&Uuid::nil(), &sealed).unwrap().expose(), "078-05-1120");
}

#[tokio::test]
async fn counts_are_recorded_in_the_store() {
    let store = MemoryKeyStore::default();
    let kms = Arc::new(keyring());
    let clock = ManualClock::new();
    let vaults: [_; 2] = std::array::from_fn(|_| Vault::new(Arc::clone(&kms), store.clone()).with_clock(clock.clone()));
    let tenant = new_tenant();
    vaults[0].provision(tenant).await.unwrap();

    // Two processes, by request.
    for vault in &vaults {
        seal(&vault.tenant(tenant).await.unwrap(), 5);
        vault.record_messages().await.unwrap();
        vault.record_messages().await.unwrap();
    }
    assert_eq!(recorded(&store, tenant).await, 10);

    // When the keys expire. A handle from before goes on counting on the same count.
    let old = vaults[0].tenant(tenant).await.unwrap();
    seal(&old, 3);
    clock.advance(Duration::from_secs(301));
    let new = vaults[0].tenant(tenant).await.unwrap();
    assert_eq!(recorded(&store, tenant).await, 13);
    seal(&old, 2);
    seal(&new, 2);
    vaults[0].record_messages().await.unwrap();
    assert_eq!(recorded(&store, tenant).await, 17);

    // By itself after 65,536 messages.
    seal(&new, 65_535);
    vaults[0].tenant(tenant).await.unwrap();
    assert_eq!(recorded(&store, tenant).await, 17);
    seal(&new, 1);
    vaults[0].tenant(tenant).await.unwrap();
    assert_eq!(recorded(&store, tenant).await, 17 + 65_536);
}

/// Opening, indexing and refused seals are not messages.
#[tokio::test]
async fn only_sealing_counts() {
    let store = MemoryKeyStore::default();
    let vault = Vault::new(keyring(), store.clone());
    let keys = provisioned(&vault).await;
    let sealed = keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap();
    for _ in 0..10 {
        keys.open(&Uuid::nil(), &sealed).unwrap();
        keys.index::<crate::support::DriverSsnIndex>(&secret("078-05-1120")).unwrap();
        keys.seal::<DriverSsn>(&Uuid::nil(), &secret(&sealed.to_text())).unwrap_err();
    }
    vault.record_messages().await.unwrap();
    let records = store.load(keys.tenant()).await.unwrap();
    assert_eq!(records.iter().map(|record| record.messages).collect::<Vec<_>>(), [1, 0]);
}
