//! Loading once, and not keeping for ever.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use stockade_field_crypto::{
    CachePolicy, Error, ErrorKind, KeyState, KeyStore as _, ManualClock, MemoryKeyStore, OpenError, Retry, TenantId,
    TenantKeys, Vault,
};
use tokio::task::{JoinHandle, yield_now};
use uuid::Uuid;

use crate::support::{DriverSsn, EditedStore, TestKms, keyring, new_tenant, provisioned, secret};

type TestVault = Arc<Vault<Arc<TestKms>, MemoryKeyStore>>;

fn ask(vault: &TestVault, tenant: TenantId) -> JoinHandle<Result<TenantKeys, Error>> {
    let vault = Arc::clone(vault);
    tokio::spawn(async move { vault.tenant(tenant).await })
}

/// A provisioned tenant behind a service that waits for its gate.
async fn gated() -> (Arc<TestKms>, TestVault, TenantId) {
    let kms = TestKms::gated(keyring());
    let vault = Arc::new(Vault::new(Arc::clone(&kms), MemoryKeyStore::default()));
    let tenant = new_tenant();
    vault.provision(tenant).await.unwrap();
    (kms, vault, tenant)
}

/// Lets every task of a current-thread runtime run as far as it can.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_cold_loads_unwrap_once() {
    let (kms, vault, tenant) = gated().await;
    let tasks: Vec<_> = (0..10_000).map(|_| ask(&vault, tenant)).collect();
    while kms.unwraps() == 0 {
        yield_now().await;
    }
    kms.open_gate();
    for task in tasks {
        let keys = task.await.unwrap().unwrap();
        keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap();
    }
    assert_eq!(kms.unwraps(), 2, "one for each key");
}

#[tokio::test]
async fn a_failed_load_is_shared_and_not_kept() {
    let (kms, vault, tenant) = gated().await;
    kms.fail(Some(Retry::Later));
    let tasks: Vec<_> = (0..1000).map(|_| ask(&vault, tenant)).collect();
    settle().await;
    kms.open_gate();
    for task in tasks {
        let error = task.await.unwrap().unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Kms, true));
    }
    assert_eq!(kms.unwraps(), 1);
    // Who comes later tries for itself.
    kms.fail(None);
    ask(&vault, tenant).await.unwrap().unwrap();
    assert_eq!(kms.unwraps(), 3);
}

#[tokio::test]
async fn a_cancelled_load_is_taken_over() {
    let (kms, vault, tenant) = gated().await;
    let first = ask(&vault, tenant);
    settle().await;
    let second = ask(&vault, tenant);
    settle().await;
    assert_eq!(kms.unwraps(), 1);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    kms.open_gate();
    second.await.unwrap().unwrap();
    assert_eq!(kms.unwraps(), 3);
}

/// A load that began before the eviction may have read what was evicted.
#[tokio::test]
async fn an_eviction_overtakes_a_load_under_way() {
    let (kms, vault, tenant) = gated().await;
    let load = ask(&vault, tenant);
    settle().await;
    vault.evict(tenant);
    kms.open_gate();
    load.await.unwrap().unwrap();
    assert_eq!(kms.unwraps(), 2);
    ask(&vault, tenant).await.unwrap().unwrap();
    assert_eq!(kms.unwraps(), 4);
    ask(&vault, tenant).await.unwrap().unwrap();
    assert_eq!(kms.unwraps(), 4);
}

#[tokio::test]
async fn entries_expire() {
    let kms = TestKms::new(keyring());
    let clock = ManualClock::new();
    let lifetime = Duration::from_secs(100);
    let vault = Vault::new(Arc::clone(&kms), MemoryKeyStore::default())
        .with_clock(clock.clone())
        .with_cache(CachePolicy::new(NonZeroUsize::MAX, lifetime));
    // The last byte of a tenant's identifier decides how early, up to a tenth.
    for (last, lives) in [(0, lifetime), (255, lifetime * 9 / 10)] {
        let tenant = TenantId::from(Uuid::from_u128((7 << 64) | last));
        vault.provision(tenant).await.unwrap();
        let before = kms.unwraps();
        let after = |unwraps| assert_eq!(kms.unwraps() - before, unwraps);
        vault.tenant(tenant).await.unwrap();
        clock.advance(lives - Duration::from_millis(1));
        vault.tenant(tenant).await.unwrap();
        after(2);
        clock.advance(Duration::from_millis(1));
        vault.tenant(tenant).await.unwrap();
        after(4);
        vault.tenant(tenant).await.unwrap();
        after(4);
        vault.evict(tenant);
        vault.tenant(tenant).await.unwrap();
        after(6);
    }
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let kms = TestKms::new(keyring());
    let policy = CachePolicy::new(NonZeroUsize::new(3).unwrap(), Duration::from_secs(100));
    let vault = Vault::new(Arc::clone(&kms), MemoryKeyStore::default()).with_cache(policy);
    let mut tenants = Vec::new();
    for _ in 0..4 {
        let tenant = new_tenant();
        vault.provision(tenant).await.unwrap();
        tenants.push(tenant);
    }
    let loads = async |tenant: TenantId| {
        let before = kms.unwraps();
        vault.tenant(tenant).await.unwrap();
        (kms.unwraps() - before) / 2
    };
    for &tenant in &tenants[..3] {
        assert_eq!(loads(tenant).await, 1);
    }
    // The first is used again, so the second is the one that has to leave.
    assert_eq!(loads(tenants[0]).await, 0);
    assert_eq!(loads(tenants[3]).await, 1);
    assert_eq!(loads(tenants[0]).await, 0);
    assert_eq!(loads(tenants[2]).await, 0);
    assert_eq!(loads(tenants[1]).await, 1);
}

/// What an evicted tenant has sealed is in the store.
#[tokio::test]
async fn eviction_records_the_count() {
    let store = MemoryKeyStore::default();
    let policy = CachePolicy::new(NonZeroUsize::MIN, Duration::from_secs(100));
    let vault = Vault::new(keyring(), store.clone()).with_cache(policy);
    let keys = provisioned(&vault).await;
    keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap();
    provisioned(&vault).await;
    assert_eq!(store.load(keys.tenant()).await.unwrap()[0].messages, 1);
}

/// Keys that nobody asks for any more do not stay in memory, and what they have sealed is counted.
#[tokio::test]
async fn expired_keys_are_removed_when_others_are_loaded() {
    let store = MemoryKeyStore::default();
    let clock = ManualClock::new();
    let vault = Vault::new(keyring(), store.clone()).with_clock(clock.clone());
    let keys = provisioned(&vault).await;
    keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap();
    provisioned(&vault).await;
    assert_eq!(store.load(keys.tenant()).await.unwrap()[0].messages, 0);
    clock.advance(Duration::from_secs(300));
    provisioned(&vault).await;
    assert_eq!(store.load(keys.tenant()).await.unwrap()[0].messages, 1);
}

/// An older key that could not be unwrapped for now is tried again after a second, not after the whole lifetime.
#[tokio::test]
async fn a_key_that_is_unavailable_for_now_is_tried_again() {
    let kms = TestKms::new(keyring());
    let clock = ManualClock::new();
    let inner = MemoryKeyStore::default();
    let vault = Vault::new(Arc::clone(&kms), inner.clone());
    let keys = provisioned(&vault).await;
    let sealed = keys.seal::<DriverSsn>(&Uuid::nil(), &secret("078-05-1120")).unwrap();
    // The sealing key becomes an older one, whose service is out of order.
    let edit = |_, mut rows: Vec<stockade_field_crypto::KeyRecord>| {
        if let KeyState::Active(wrapped) = rows[0].state.clone() {
            rows[0].state = KeyState::DecryptOnly(wrapped);
        }
        rows.truncate(1);
        rows
    };
    let vault = Vault::new(Arc::clone(&kms), EditedStore { inner, edit }).with_clock(clock.clone());
    kms.fail(Some(Retry::Later));
    let open = async || vault.tenant(keys.tenant()).await.unwrap().open(&Uuid::nil(), &sealed).map(|_| ());
    assert_eq!(open().await, Err(OpenError::KeyUnavailable { retryable: true }));
    kms.fail(None);
    assert_eq!(open().await, Err(OpenError::KeyUnavailable { retryable: true }));
    clock.advance(Duration::from_secs(1));
    assert_eq!(open().await, Ok(()));
}
