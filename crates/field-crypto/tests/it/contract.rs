//! What every key store must do.

use stockade_field_crypto::{
    DataKey, Insertion, KekId, KekRecord, KeyRecord, KeyState, KeyStore, MemoryKeyStore, Purpose, WrappedKey,
};

use crate::support::{key_id, new_tenant};

fn wrapped(kek: &str) -> WrappedKey {
    WrappedKey { kek: KekId::new(kek).unwrap(), bytes: DataKey::generate().unwrap().expose().to_vec() }
}

fn content(state: &KeyState) -> (&'static str, Option<&WrappedKey>) {
    match state {
        KeyState::Active(wrapped) => ("active", Some(wrapped)),
        KeyState::DecryptOnly(wrapped) => ("decrypt_only", Some(wrapped)),
        KeyState::Destroyed => ("destroyed", None),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn holds(store: &impl KeyStore) {
    keys_come_back_as_they_were(store).await;
    inserts_do_not_replace(store).await;
    messages_add_up(store).await;
    keks_are_kept(store).await;
}

async fn keys_come_back_as_they_were(store: &impl KeyStore) {
    let (tenant, other) = (new_tenant(), new_tenant());
    assert!(store.load(tenant).await.unwrap().is_empty());
    let records: Vec<_> = [
        (1, Purpose::Aead, KeyState::DecryptOnly(wrapped("k1"))),
        (2, Purpose::Index, KeyState::Active(wrapped("k1"))),
        (u32::MAX, Purpose::Aead, KeyState::Active(wrapped("arn:aws:kms:x:1:key/2"))),
    ]
    .into_iter()
    .map(|(number, purpose, state)| {
        let mut record = KeyRecord::new(tenant, key_id(number), purpose, state, DataKey::generate().unwrap().kcv());
        record.messages = u64::from(number) * 3;
        record
    })
    .collect();
    for record in &records {
        assert_eq!(store.insert(record).await.unwrap(), Insertion::Inserted);
    }
    let mut loaded = store.load(tenant).await.unwrap();
    loaded.sort_by_key(|record| record.key);
    assert_eq!(loaded.len(), records.len());
    for (loaded, record) in loaded.iter().zip(&records) {
        assert_eq!((loaded.tenant, loaded.key, loaded.purpose), (tenant, record.key, record.purpose));
        assert_eq!(content(&loaded.state), content(&record.state));
        assert_eq!((loaded.kcv, loaded.messages), (record.kcv, record.messages));
    }
    assert!(store.load(other).await.unwrap().is_empty());
}

async fn inserts_do_not_replace(store: &impl KeyStore) {
    let (tenant, other) = (new_tenant(), new_tenant());
    let kcv = DataKey::generate().unwrap().kcv();
    let active =
        |tenant, number, purpose| KeyRecord::new(tenant, key_id(number), purpose, KeyState::Active(wrapped("k1")), kcv);
    let first = active(tenant, 1, Purpose::Aead);
    assert_eq!(store.insert(&first).await.unwrap(), Insertion::Inserted);
    // The same number, a second active key, and a number that another purpose has.
    for blocked in
        [active(tenant, 1, Purpose::Aead), active(tenant, 2, Purpose::Aead), active(tenant, 1, Purpose::Index)]
    {
        assert_eq!(store.insert(&blocked).await.unwrap(), Insertion::AlreadyPresent);
    }
    let destroyed = KeyRecord::new(tenant, key_id(9), Purpose::Aead, KeyState::Destroyed, kcv);
    assert!(store.insert(&destroyed).await.is_err());
    let loaded = store.load(tenant).await.unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(content(&loaded[0].state), content(&first.state));
    // Another purpose, another state and another tenant are free.
    let older = KeyRecord::new(tenant, key_id(3), Purpose::Aead, KeyState::DecryptOnly(wrapped("k1")), kcv);
    for free in [active(tenant, 2, Purpose::Index), older, active(other, 1, Purpose::Aead)] {
        assert_eq!(store.insert(&free).await.unwrap(), Insertion::Inserted);
    }
}

async fn messages_add_up(store: &impl KeyStore) {
    let tenant = new_tenant();
    let kcv = DataKey::generate().unwrap().kcv();
    let record = KeyRecord::new(tenant, key_id(1), Purpose::Aead, KeyState::Active(wrapped("k1")), kcv);
    assert_eq!(store.insert(&record).await.unwrap(), Insertion::Inserted);
    assert_eq!(store.add_messages(tenant, key_id(1), 5).await.unwrap(), 5);
    assert_eq!(store.add_messages(tenant, key_id(1), 1 << 33).await.unwrap(), 5 + (1 << 33));
    assert_eq!(store.load(tenant).await.unwrap()[0].messages, 5 + (1 << 33));
    assert!(store.add_messages(tenant, key_id(2), 1).await.is_err());
    assert!(store.add_messages(new_tenant(), key_id(1), 1).await.is_err());
}

async fn keks_are_kept(store: &impl KeyStore) {
    assert!(store.keks().await.unwrap().is_empty());
    let kcv = DataKey::generate().unwrap().kcv();
    let first = KekRecord::new(wrapped("k1"), kcv);
    assert_eq!(store.insert_kek(&first).await.unwrap(), Insertion::Inserted);
    assert_eq!(store.insert_kek(&KekRecord::new(wrapped("k1"), kcv)).await.unwrap(), Insertion::AlreadyPresent);
    assert_eq!(store.insert_kek(&KekRecord::new(wrapped("k2"), kcv)).await.unwrap(), Insertion::Inserted);
    let keks = store.keks().await.unwrap();
    assert_eq!(keks.len(), 2);
    let kept = keks.iter().find(|record| record.canary.kek.as_str() == "k1").unwrap();
    assert_eq!((&kept.canary, kept.kcv), (&first.canary, kcv));
}

#[tokio::test]
async fn memory_key_store_keeps_the_contract() {
    holds(&MemoryKeyStore::default()).await;
}
