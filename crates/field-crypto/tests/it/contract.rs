//! What every key store must do.

use std::time::Duration;

use stockade_field_crypto::{
    DataKey, Insertion, KekId, KekRecord, KekRemoval, KeyChange, KeyRecord, KeyRotation, KeyState, KeyStore,
    MemoryKeyStore, Purpose, TenantId, WrappedKey,
};

use crate::support::{key_id, new_tenant};

fn wrapped(kek: &str) -> WrappedKey {
    WrappedKey { kek: KekId::new(kek).unwrap(), bytes: DataKey::generate().unwrap().expose().to_vec() }
}

fn content(state: &KeyState) -> (&'static str, Option<&WrappedKey>) {
    match state {
        KeyState::Active(wrapped) => ("active", Some(wrapped)),
        KeyState::DecryptOnly(wrapped) => ("decrypt_only", Some(wrapped)),
        KeyState::Retired(wrapped) => ("retired", Some(wrapped)),
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

/// What a store must do for keys to be exchanged, on an empty store.
pub(crate) async fn rotation_holds(store: &impl KeyRotation) {
    keys_go_through_their_states(store).await;
    wrapped_keys_are_exchanged(store).await;
}

async fn add(store: &impl KeyStore, tenant: TenantId, number: u32, purpose: Purpose, state: KeyState) -> KeyRecord {
    let kcv = DataKey::generate().unwrap().kcv();
    let record = KeyRecord::new(tenant, key_id(number), purpose, state, kcv);
    assert_eq!(store.insert(&record).await.unwrap(), Insertion::Inserted);
    record
}

async fn states(store: &impl KeyStore, tenant: TenantId) -> Vec<&'static str> {
    let mut records = store.load(tenant).await.unwrap();
    records.sort_by_key(|record| record.key);
    records.iter().map(|record| content(&record.state).0).collect()
}

async fn keys_go_through_their_states(store: &impl KeyRotation) {
    const NOW: Duration = Duration::ZERO;
    const HOUR: Duration = Duration::from_secs(3600);
    use KeyChange::{Made, TooSoon, WrongState};
    let tenant = new_tenant();
    add(store, tenant, 1, Purpose::Aead, KeyState::Active(wrapped("k1"))).await;
    add(store, tenant, 2, Purpose::Index, KeyState::Active(wrapped("k1"))).await;
    add(store, tenant, 3, Purpose::Aead, KeyState::DecryptOnly(wrapped("k1"))).await;
    let [one, two, three, none] = [1, 2, 3, 4].map(key_id);
    assert!(store.state_age(tenant, three).await.unwrap().unwrap() < HOUR);
    assert_eq!(store.state_age(tenant, none).await.unwrap(), None);

    // What is not in the right state does not move, whatever is asked.
    for key in [one, two, none] {
        assert_eq!(store.promote(tenant, key, NOW).await.unwrap(), WrongState);
        assert_eq!(store.retire(tenant, key, NOW).await.unwrap(), WrongState);
        assert_eq!(store.destroy_retired(tenant, key, NOW).await.unwrap(), WrongState);
    }
    assert_eq!(store.promote(new_tenant(), three, NOW).await.unwrap(), WrongState);
    assert_eq!(store.destroy_retired(tenant, three, NOW).await.unwrap(), WrongState);
    assert_eq!(store.promote(tenant, three, HOUR).await.unwrap(), TooSoon);
    assert_eq!(store.retire(tenant, three, HOUR).await.unwrap(), TooSoon);
    assert_eq!(states(store, tenant).await, ["active", "active", "decrypt_only"]);

    // One is promoted and the other demoted, the key of the other purpose stays; and back.
    assert_eq!(store.promote(tenant, three, NOW).await.unwrap(), Made);
    assert_eq!(states(store, tenant).await, ["decrypt_only", "active", "active"]);
    assert_eq!(store.promote(tenant, one, NOW).await.unwrap(), Made);
    assert_eq!(store.promote(tenant, three, NOW).await.unwrap(), Made);
    assert_eq!(store.retire(tenant, one, HOUR).await.unwrap(), TooSoon);
    assert_eq!(store.retire(tenant, one, NOW).await.unwrap(), Made);
    assert_eq!(states(store, tenant).await, ["retired", "active", "active"]);
    assert_eq!(store.promote(tenant, one, NOW).await.unwrap(), WrongState);
    assert_eq!(store.retire(tenant, one, NOW).await.unwrap(), WrongState);
    assert_eq!(store.destroy_retired(tenant, one, HOUR).await.unwrap(), TooSoon);
    assert_eq!(store.destroy_retired(tenant, one, NOW).await.unwrap(), Made);
    for _ in 0..2 {
        assert_eq!(states(store, tenant).await, ["destroyed", "active", "active"]);
        assert_eq!(store.promote(tenant, one, NOW).await.unwrap(), WrongState);
        assert_eq!(store.destroy_retired(tenant, one, NOW).await.unwrap(), WrongState);
    }
    // Its number stays taken.
    let again = KeyRecord::new(
        tenant,
        one,
        Purpose::Aead,
        KeyState::DecryptOnly(wrapped("k1")),
        DataKey::generate().unwrap().kcv(),
    );
    assert_eq!(store.insert(&again).await.unwrap(), Insertion::AlreadyPresent);
}

async fn wrapped_keys_are_exchanged(store: &impl KeyRotation) {
    let [first, second] = ["old-1", "old-2"].map(|name| KekId::new(name).unwrap());
    for name in ["old-1", "old-2"] {
        let record = KekRecord::new(wrapped(name), DataKey::generate().unwrap().kcv());
        assert_eq!(store.insert_kek(&record).await.unwrap(), Insertion::Inserted);
    }
    let tenant = TenantId::from(uuid::Uuid::max());
    let record = add(store, tenant, 1, Purpose::Aead, KeyState::Active(wrapped("old-1"))).await;
    add(store, tenant, 2, Purpose::Aead, KeyState::DecryptOnly(wrapped("old-1"))).await;
    add(store, tenant, 3, Purpose::Aead, KeyState::DecryptOnly(wrapped("old-2"))).await;

    // By pages, in order, each once, and neither the destroyed nor those of the key that is asked for.
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.wrapped_otherwise(&second, after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.tenant, last.key));
        found.extend(page.iter().map(|record| (record.tenant, record.key)));
    }
    assert!(found.is_sorted());
    assert_eq!(found[found.len() - 2..], [(tenant, key_id(1)), (tenant, key_id(2))]);

    let before = record.state.wrapped().unwrap();
    let after = wrapped("old-2");
    assert_eq!(store.rewrap(tenant, key_id(1), &after, &after).await.unwrap(), KeyChange::WrongState);
    assert_eq!(store.forget_kek(&first).await.unwrap(), KekRemoval::InUse { keys: 2 });
    for number in [1, 2] {
        let records = store.load(tenant).await.unwrap();
        let record = records.iter().find(|record| record.key == key_id(number)).unwrap();
        let before = record.state.wrapped().unwrap();
        assert_eq!(store.rewrap(tenant, key_id(number), before, &after).await.unwrap(), KeyChange::Made);
    }
    assert_eq!(store.rewrap(tenant, key_id(1), before, &after).await.unwrap(), KeyChange::WrongState);
    assert_eq!(states(store, tenant).await, ["active", "decrypt_only", "decrypt_only"]);
    assert_eq!(store.load(tenant).await.unwrap()[0].state.wrapped(), Some(&after));

    // A key encryption key that is forgotten is gone for good.
    assert_eq!(store.forget_kek(&first).await.unwrap(), KekRemoval::Forgotten);
    assert_eq!(store.forget_kek(&first).await.unwrap(), KekRemoval::Unknown);
    assert!(store.keks().await.unwrap().iter().all(|record| record.canary.kek != first));
    let again = KekRecord::new(wrapped("old-1"), DataKey::generate().unwrap().kcv());
    assert_eq!(store.insert_kek(&again).await.unwrap(), Insertion::AlreadyPresent);
    let state = KeyState::DecryptOnly(wrapped("old-1"));
    let late = KeyRecord::new(tenant, key_id(9), Purpose::Aead, state, DataKey::generate().unwrap().kcv());
    assert!(store.insert(&late).await.is_err());
    assert!(store.rewrap(tenant, key_id(1), &after, &wrapped("old-1")).await.is_err());
}

#[tokio::test]
async fn memory_key_store_keeps_the_contract() {
    holds(&MemoryKeyStore::default()).await;
    rotation_holds(&MemoryKeyStore::default()).await;
}
