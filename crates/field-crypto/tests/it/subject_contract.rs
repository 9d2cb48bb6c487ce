//! What every store of subjects' keys must do.

use stockade_field_crypto::{
    DataKey, Insertion, KekId, KeyId, KeyRecord, KeyState, MemoryKeyStore, Purpose, SubjectId, SubjectKeyRecord,
    SubjectKeyState, SubjectKeyStore, SubjectRewrap, SubjectWrappedKey, TenantId, WrappedKey,
};

use crate::support::{key_id, new_subject, new_tenant};

const FIRST: u32 = 1 << 31;

/// A tenant whose keys are 1 (older), 2 (index) and 3 (active).
async fn tenant(store: &impl SubjectKeyStore) -> TenantId {
    let tenant = new_tenant();
    let wrapped = || WrappedKey { kek: KekId::new("k1").unwrap(), bytes: vec![0; 61] };
    for (number, purpose, state) in [
        (1, Purpose::Aead, KeyState::DecryptOnly(wrapped())),
        (2, Purpose::Index, KeyState::Active(wrapped())),
        (3, Purpose::Aead, KeyState::Active(wrapped())),
    ] {
        let record = KeyRecord::new(tenant, key_id(number), purpose, state, DataKey::generate().unwrap().kcv());
        assert_eq!(store.insert(&record).await.unwrap(), Insertion::Inserted);
    }
    tenant
}

fn wrapped(by: u32) -> SubjectWrappedKey {
    SubjectWrappedKey { by: key_id(by), bytes: DataKey::generate().unwrap().expose().to_vec() }
}

fn record(tenant: TenantId, subject: SubjectId, key: u32, by: u32) -> SubjectKeyRecord {
    let kcv = DataKey::generate().unwrap().kcv();
    SubjectKeyRecord::new(tenant, subject, key_id(key), SubjectKeyState::Active(wrapped(by)), kcv)
}

fn content(record: &SubjectKeyRecord) -> (SubjectId, KeyId, Option<SubjectWrappedKey>) {
    match &record.state {
        SubjectKeyState::Active(wrapped) => (record.subject, record.key, Some(wrapped.clone())),
        _ => (record.subject, record.key, None),
    }
}

pub(crate) async fn holds(store: &impl SubjectKeyStore) {
    subjects_come_back_as_they_were(store).await;
    subjects_are_not_replaced(store).await;
    subjects_are_wrapped_by_keys_in_use(store).await;
    rewraps_are_compared_first(store).await;
}

async fn subjects_come_back_as_they_were(store: &impl SubjectKeyStore) {
    let (owner, other) = (tenant(store).await, tenant(store).await);
    let subjects: Vec<_> = (0..4).map(|_| new_subject()).collect();
    let records: Vec<_> = (FIRST..).zip(&subjects).map(|(key, &subject)| record(owner, subject, key, 3)).collect();
    for record in &records {
        assert_eq!(store.insert_subject(record).await.unwrap(), Insertion::Inserted);
    }
    // The same person may be known to another tenant, under another key.
    assert_eq!(store.insert_subject(&record(other, subjects[0], FIRST, 3)).await.unwrap(), Insertion::Inserted);
    let asked = [subjects[2], new_subject(), subjects[0]];
    let mut loaded = store.load_subjects(owner, &asked).await.unwrap();
    loaded.sort_by_key(|record| record.key);
    assert_eq!(loaded.iter().map(content).collect::<Vec<_>>(), [content(&records[0]), content(&records[2])]);
    assert!(loaded.iter().all(|record| record.tenant == owner));
    assert_eq!(loaded[0].kcv, records[0].kcv);
    assert!(store.load_subjects(owner, &[]).await.unwrap().is_empty());
}

async fn subjects_are_not_replaced(store: &impl SubjectKeyStore) {
    let owner = tenant(store).await;
    let first = record(owner, new_subject(), FIRST, 3);
    assert_eq!(store.insert_subject(&first).await.unwrap(), Insertion::Inserted);
    // A second key of the subject, and a number that another subject has.
    for blocked in [record(owner, first.subject, FIRST + 1, 3), record(owner, new_subject(), FIRST, 3)] {
        assert_eq!(store.insert_subject(&blocked).await.unwrap(), Insertion::AlreadyPresent);
    }
    let mut destroyed = record(owner, new_subject(), FIRST + 2, 3);
    destroyed.state = SubjectKeyState::Destroyed;
    assert!(!store.insert_subject(&destroyed).await.unwrap_err().is_retryable());
    let loaded = store.load_subjects(owner, &[first.subject, destroyed.subject]).await.unwrap();
    assert_eq!(loaded.iter().map(content).collect::<Vec<_>>(), [content(&first)]);
}

async fn subjects_are_wrapped_by_keys_in_use(store: &impl SubjectKeyStore) {
    let owner = tenant(store).await;
    // None of that number, an index key, and a key of another tenant.
    for (owner, by) in [(owner, 9), (owner, 2), (new_tenant(), 3)] {
        let error = store.insert_subject(&record(owner, new_subject(), FIRST, by)).await.unwrap_err();
        assert!(error.is_retryable(), "the cache may be out of date: {error:?}");
    }
    for (key, by) in [(FIRST, 1), (FIRST + 1, 3)] {
        let inserted = store.insert_subject(&record(owner, new_subject(), key, by)).await.unwrap();
        assert_eq!(inserted, Insertion::Inserted);
    }
}

async fn rewraps_are_compared_first(store: &impl SubjectKeyStore) {
    let owner = tenant(store).await;
    let mut records = Vec::new();
    for key in FIRST..FIRST + 3 {
        records.push(record(owner, new_subject(), key, 1));
    }
    records.push(record(owner, new_subject(), FIRST + 3, 3));
    for record in &records {
        assert_eq!(store.insert_subject(record).await.unwrap(), Insertion::Inserted);
    }
    let due = store.subjects_to_rewrap(owner, key_id(3), None).await.unwrap();
    assert_eq!(due.iter().map(content).collect::<Vec<_>>(), records[..3].iter().map(content).collect::<Vec<_>>());
    let rest = store.subjects_to_rewrap(owner, key_id(3), Some(records[0].subject)).await.unwrap();
    assert_eq!(rest.iter().map(content).collect::<Vec<_>>(), records[1..3].iter().map(content).collect::<Vec<_>>());

    let change = |record: &SubjectKeyRecord| {
        let SubjectKeyState::Active(was) = record.state.clone() else { panic!("{record:?}") };
        SubjectRewrap { subject: record.subject, was, becomes: wrapped(3) }
    };
    let mut outdated = change(&records[1]);
    outdated.was = wrapped(1);
    let changes = [change(&records[0]), outdated, change(&records[2])];
    assert_eq!(store.rewrap_subjects(owner, &changes).await.unwrap(), 2);
    assert_eq!(store.rewrap_subjects(owner, &changes).await.unwrap(), 0);
    assert_eq!(store.rewrap_subjects(owner, &[]).await.unwrap(), 0);
    let left = store.subjects_to_rewrap(owner, key_id(3), None).await.unwrap();
    assert_eq!(left.iter().map(content).collect::<Vec<_>>(), [content(&records[1])]);
    let loaded = store.load_subjects(owner, &[records[0].subject]).await.unwrap();
    assert_eq!(content(&loaded[0]).2.unwrap(), changes[0].becomes);
}

#[tokio::test]
async fn memory_key_store_keeps_the_contract_of_subjects() {
    holds(&MemoryKeyStore::default()).await;
}
