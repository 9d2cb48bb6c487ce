//! Keys of single persons.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use stockade_field_crypto::{
    CachePolicy, DataKey, Error, ErrorKind, Insertion, KekRecord, KeyId, KeyRecord, KeyStore, ManualClock,
    MemoryKeyStore, OpenError, Sealed, SubjectId, SubjectKeyRecord, SubjectKeyState, SubjectKeyStore, SubjectRewrap,
    TenantId, Vault,
};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use uuid::Uuid;

use crate::support::{
    Diagnosis, PatientName, PatientNameIndex, TestKms, VisitNote, key_id, keyring, new_subject, new_tenant,
    provisioned, secret,
};

const NAME: &str = "Ada Lovelace";

/// Counts how often it is asked for subjects, edits what it answers, and waits at a gate if there is one.
struct Watched {
    inner: MemoryKeyStore,
    loads: AtomicUsize,
    gate: Option<Semaphore>,
    edit: fn(&mut SubjectKeyRecord),
}

impl Watched {
    fn new(inner: MemoryKeyStore) -> Self {
        Self { inner, loads: AtomicUsize::new(0), gate: None, edit: |_| {} }
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }
}

impl KeyStore for Watched {
    async fn load(&self, tenant: TenantId) -> Result<Vec<KeyRecord>, Error> {
        self.inner.load(tenant).await
    }
    async fn insert(&self, record: &KeyRecord) -> Result<Insertion, Error> {
        self.inner.insert(record).await
    }
    async fn add_messages(&self, tenant: TenantId, key: KeyId, messages: u64) -> Result<u64, Error> {
        self.inner.add_messages(tenant, key, messages).await
    }
    async fn keks(&self) -> Result<Vec<KekRecord>, Error> {
        self.inner.keks().await
    }
    async fn insert_kek(&self, record: &KekRecord) -> Result<Insertion, Error> {
        self.inner.insert_kek(record).await
    }
}

impl SubjectKeyStore for Watched {
    async fn load_subjects(&self, tenant: TenantId, subjects: &[SubjectId]) -> Result<Vec<SubjectKeyRecord>, Error> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            let _permit = gate.acquire().await.unwrap();
        }
        let mut records = self.inner.load_subjects(tenant, subjects).await?;
        records.iter_mut().for_each(self.edit);
        Ok(records)
    }
    async fn insert_subject(&self, record: &SubjectKeyRecord) -> Result<Insertion, Error> {
        self.inner.insert_subject(record).await
    }
    async fn subjects_to_rewrap(
        &self,
        tenant: TenantId,
        active: KeyId,
        after: Option<SubjectId>,
    ) -> Result<Vec<SubjectKeyRecord>, Error> {
        self.inner.subjects_to_rewrap(tenant, active, after).await
    }
    async fn rewrap_subjects(&self, tenant: TenantId, changes: &[SubjectRewrap]) -> Result<u64, Error> {
        self.inner.rewrap_subjects(tenant, changes).await
    }
}

#[tokio::test]
async fn a_subject_seals_and_opens_without_a_call_to_the_service() {
    let kms = TestKms::new(keyring());
    let vault = Vault::new(Arc::clone(&kms), MemoryKeyStore::default());
    let tenant = provisioned(&vault).await.tenant();
    let subject = new_subject();
    let error = vault.subject(tenant, subject).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotProvisioned);
    assert!(!error.to_string().contains(&subject.to_string()));

    let before = kms.unwraps();
    let made = vault.provision_subject(tenant, subject).await.unwrap().unwrap();
    assert_eq!((made.tenant, made.subject, made.wrapped_by), (tenant, subject, key_id(1)));
    assert!(made.key.as_u32() >= 1 << 31, "the upper half of the numbers");
    assert_eq!(vault.provision_subject(tenant, subject).await.unwrap(), None);
    let keys = vault.subject(tenant, subject).await.unwrap();
    assert_eq!((keys.tenant(), keys.subject(), keys.key_id()), (tenant, subject, Some(made.key)));
    let row = Uuid::now_v7();
    let sealed: Sealed<PatientName> = keys.seal(&row, &secret(NAME)).unwrap();
    assert_eq!((sealed.key_id(), sealed.as_bytes().len()), (made.key, NAME.len() + 33));
    assert_eq!(keys.open(&row, &sealed).unwrap().expose(), NAME);
    let note: Sealed<VisitNote> = keys.seal(&7, &secret("ok")).unwrap();
    assert_eq!(keys.open(&7, &note).unwrap().expose(), "ok");
    assert_eq!(keys.open(&8, &note).unwrap_err(), OpenError::Failed);
    assert_eq!(kms.unwraps(), before);
    // Finding a person is the tenant's business.
    let index = vault.tenant(tenant).await.unwrap();
    let tag = index.index::<PatientNameIndex>(&secret(NAME)).unwrap();
    assert_eq!(index.probe::<PatientNameIndex>(&secret(" ada LOVELACE ")).unwrap(), [tag]);
    // Double encryption is noticed as elsewhere.
    let again = keys.seal::<PatientName>(&row, &secret(&sealed.to_text())).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadySealed);
}

/// Another subject, tenant, column or row: each alone, with keys of their own.
#[tokio::test]
async fn a_value_of_one_subject_does_not_open_for_another() {
    let vault = Vault::new(keyring(), MemoryKeyStore::default());
    let (tenant, other) = (provisioned(&vault).await.tenant(), provisioned(&vault).await.tenant());
    let (a, b) = (new_subject(), new_subject());
    for (tenant, subject) in [(tenant, a), (tenant, b), (other, a)] {
        vault.provision_subject(tenant, subject).await.unwrap().unwrap();
    }
    let row = Uuid::now_v7();
    let keys = vault.subject(tenant, a).await.unwrap();
    let sealed: Sealed<PatientName> = keys.seal(&row, &secret(NAME)).unwrap();
    for stranger in [vault.subject(tenant, b).await.unwrap(), vault.subject(other, a).await.unwrap()] {
        assert_eq!(stranger.open(&row, &sealed).unwrap_err(), OpenError::Failed);
    }
    let moved = Sealed::<Diagnosis>::from_bytes(sealed.as_bytes().to_vec()).unwrap();
    assert_eq!(keys.open(&row, &moved).unwrap_err(), OpenError::Failed);
    assert_eq!(keys.open(&Uuid::now_v7(), &sealed).unwrap_err(), OpenError::Failed);
    assert_eq!(keys.open(&row, &sealed).unwrap().expose(), NAME);
}

/// Who writes the key table gives one person's wrapped key, number and check value to another.
#[tokio::test]
async fn exchanged_keys_of_subjects_do_not_unwrap() {
    let (kms, store) = (Arc::new(keyring()), MemoryKeyStore::default());
    let vault = Vault::new(Arc::clone(&kms), store.clone());
    let (tenant, other) = (provisioned(&vault).await.tenant(), provisioned(&vault).await.tenant());
    let (a, b) = (new_subject(), new_subject());
    vault.provision_subject(tenant, a).await.unwrap().unwrap();
    let row = Uuid::now_v7();
    let sealed: Sealed<PatientName> = vault.subject(tenant, a).await.unwrap().seal(&row, &secret(NAME)).unwrap();
    let stolen = store.load_subjects(tenant, &[a]).await.unwrap().remove(0);
    for (thief_tenant, thief) in [(tenant, b), (other, a)] {
        let copy = MemoryKeyStore::default();
        for record in store.load(thief_tenant).await.unwrap() {
            assert_eq!(copy.insert(&record).await.unwrap(), Insertion::Inserted);
        }
        let forged = SubjectKeyRecord::new(thief_tenant, thief, stolen.key, stolen.state.clone(), stolen.kcv);
        assert_eq!(copy.insert_subject(&forged).await.unwrap(), Insertion::Inserted);
        let vault = Vault::new(Arc::clone(&kms), copy);
        let keys = vault.subject(thief_tenant, thief).await.unwrap();
        assert_eq!(keys.open(&row, &sealed).unwrap_err(), OpenError::KeyUnavailable { retryable: false });
        let error = keys.seal::<PatientName>(&row, &secret(NAME)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeyRejected);
    }
    // The control: the record in its place.
    assert_eq!(Vault::new(kms, store).subject(tenant, a).await.unwrap().open(&row, &sealed).unwrap().expose(), NAME);
}

/// Another number, another check value, cut, longer, another version, a flipped bit.
#[tokio::test]
async fn a_changed_key_of_a_subject_is_not_used() {
    fn bytes(record: &mut SubjectKeyRecord) -> &mut Vec<u8> {
        match &mut record.state {
            SubjectKeyState::Active(wrapped) => &mut wrapped.bytes,
            other => panic!("{other:?}"),
        }
    }
    let (kms, store) = (Arc::new(keyring()), MemoryKeyStore::default());
    let vault = Vault::new(Arc::clone(&kms), store.clone());
    let tenant = provisioned(&vault).await.tenant();
    let subject = new_subject();
    vault.provision_subject(tenant, subject).await.unwrap().unwrap();
    let edits: [fn(&mut SubjectKeyRecord); 8] = [
        |record| record.key = key_id(record.key.as_u32() ^ 1),
        |record| record.kcv = DataKey::generate().unwrap().kcv(),
        |record| bytes(record).truncate(60),
        |record| bytes(record).push(0),
        |record| bytes(record).clear(),
        |record| bytes(record)[0] = 2,
        |record| bytes(record)[1] ^= 1,
        |record| bytes(record)[20] ^= 0x80,
    ];
    for (at, edit) in edits.into_iter().enumerate() {
        let mut watched = Watched::new(store.clone());
        watched.edit = edit;
        let keys = Vault::new(Arc::clone(&kms), watched).subject(tenant, subject).await.unwrap();
        let error = keys.seal::<PatientName>(&Uuid::nil(), &secret(NAME)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::KeyRejected, "edit {at}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_page_of_1000_subjects_is_one_query() {
    let (kms, store) = (Arc::new(keyring()), MemoryKeyStore::default());
    let writer = Vault::new(Arc::clone(&kms), store.clone());
    let tenant = provisioned(&writer).await.tenant();
    let subjects: Vec<_> = (0..1000).map(|_| new_subject()).collect();
    for subject in &subjects {
        writer.provision_subject(tenant, *subject).await.unwrap().unwrap();
    }
    let mut watched = Watched::new(store);
    watched.gate = Some(Semaphore::new(0));
    let watched = Arc::new(watched);
    let vault = Arc::new(Vault::new(kms, Arc::clone(&watched)));
    // Fifty pages at once, some of people without a key, in all orders.
    let pages: Vec<_> = (0..50)
        .map(|page| {
            let (vault, mut subjects) = (Arc::clone(&vault), subjects.clone());
            subjects.rotate_left(page * 17);
            subjects.extend([new_subject(), subjects[0]]);
            tokio::spawn(async move { vault.subjects(tenant, &subjects).await.unwrap() })
        })
        .collect();
    while watched.loads() == 0 {
        yield_now().await;
    }
    watched.gate.as_ref().unwrap().add_permits(Semaphore::MAX_PERMITS / 2);
    for page in pages {
        let keys: HashMap<_, _> = page.await.unwrap();
        assert_eq!(keys.len(), 1000);
        assert!(subjects.iter().all(|subject| keys[subject].subject() == *subject));
    }
    // One for the thousand, and one for each page's stranger.
    assert!(watched.loads() <= 51, "{}", watched.loads());
    let before = watched.loads();
    assert_eq!(vault.subjects(tenant, &subjects).await.unwrap().len(), 1000);
    assert_eq!(watched.loads(), before);
    vault.evict_subject(tenant, subjects[3]);
    assert_eq!(vault.subjects(tenant, &subjects).await.unwrap().len(), 1000);
    assert_eq!(watched.loads(), before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_first_uses_of_a_subject_load_once() {
    let (kms, store) = (TestKms::new(keyring()), MemoryKeyStore::default());
    let writer = Vault::new(Arc::clone(&kms), store.clone());
    let tenant = provisioned(&writer).await.tenant();
    let subject = new_subject();
    writer.provision_subject(tenant, subject).await.unwrap().unwrap();
    let mut watched = Watched::new(store);
    watched.gate = Some(Semaphore::new(0));
    let watched = Arc::new(watched);
    let before = kms.unwraps();
    let vault = Arc::new(Vault::new(Arc::clone(&kms), Arc::clone(&watched)));
    let tasks: Vec<_> = (0..10_000)
        .map(|_| {
            let vault = Arc::clone(&vault);
            tokio::spawn(async move { vault.subject(tenant, subject).await.unwrap() })
        })
        .collect();
    while watched.loads() == 0 {
        yield_now().await;
    }
    watched.gate.as_ref().unwrap().add_permits(Semaphore::MAX_PERMITS / 2);
    for task in tasks {
        task.await.unwrap().seal::<PatientName>(&Uuid::nil(), &secret(NAME)).unwrap();
    }
    assert_eq!((watched.loads(), kms.unwraps() - before), (1, 2));
}

#[tokio::test]
async fn keys_of_subjects_expire_are_bounded_and_evicted() {
    let (kms, clock) = (Arc::new(keyring()), ManualClock::new());
    let watched = Arc::new(Watched::new(MemoryKeyStore::default()));
    let lifetime = Duration::from_secs(100);
    let vault = Vault::new(kms, Arc::clone(&watched))
        .with_clock(clock.clone())
        .with_cache(CachePolicy::new(NonZeroUsize::new(3).unwrap(), lifetime));
    let (tenant, other) = (provisioned(&vault).await.tenant(), provisioned(&vault).await.tenant());
    let subjects: Vec<_> = (0..4).map(|_| new_subject()).collect();
    for subject in &subjects {
        vault.provision_subject(tenant, *subject).await.unwrap().unwrap();
    }
    vault.provision_subject(other, subjects[0]).await.unwrap().unwrap();
    let loads = async |tenant, subject| {
        let before = watched.loads();
        vault.subject(tenant, subject).await.unwrap();
        watched.loads() - before
    };
    assert_eq!(loads(tenant, subjects[0]).await, 1);
    assert_eq!(loads(tenant, subjects[0]).await, 0);
    clock.advance(lifetime);
    assert_eq!(loads(tenant, subjects[0]).await, 1);
    // The fourth pushes the first out.
    for subject in &subjects[1..] {
        assert_eq!(loads(tenant, *subject).await, 1);
    }
    assert_eq!(loads(tenant, subjects[3]).await, 0);
    assert_eq!(loads(tenant, subjects[0]).await, 1);
    // A tenant's eviction is that of its subjects, and of nobody else's.
    assert_eq!(loads(other, subjects[0]).await, 1);
    vault.evict(tenant);
    assert_eq!((loads(other, subjects[0]).await, loads(tenant, subjects[0]).await), (0, 1));
    vault.evict_all();
    assert_eq!((loads(other, subjects[0]).await, loads(tenant, subjects[0]).await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_provisioning_of_a_subject_makes_one_key() {
    let (kms, store) = (Arc::new(keyring()), MemoryKeyStore::default());
    let tenant = provisioned(&Vault::new(Arc::clone(&kms), store.clone())).await.tenant();
    let subject = new_subject();
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let vault = Vault::new(Arc::clone(&kms), store.clone());
            tokio::spawn(async move { vault.provision_subject(tenant, subject).await.unwrap() })
        })
        .collect();
    let mut made = 0;
    for task in tasks {
        made += usize::from(task.await.unwrap().is_some());
    }
    assert_eq!(made, 1);
    let error = Vault::new(kms, store).provision_subject(new_tenant(), subject).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotProvisioned);
}

#[tokio::test]
async fn a_destroyed_subject_opens_and_seals_nothing() {
    let (kms, store) = (Arc::new(keyring()), MemoryKeyStore::default());
    let vault = Vault::new(Arc::clone(&kms), store.clone());
    let tenant = provisioned(&vault).await.tenant();
    let subject = new_subject();
    vault.provision_subject(tenant, subject).await.unwrap().unwrap();
    let held = vault.subject(tenant, subject).await.unwrap();
    let sealed: Sealed<PatientName> = held.seal(&Uuid::nil(), &secret(NAME)).unwrap();
    let mut watched = Watched::new(store);
    watched.edit = |record| record.state = SubjectKeyState::Destroyed;
    let vault = Vault::new(kms, watched);
    let keys = vault.subject(tenant, subject).await.unwrap();
    assert_eq!(keys.open(&Uuid::nil(), &sealed).unwrap_err(), OpenError::Destroyed);
    assert_eq!(keys.seal::<PatientName>(&Uuid::nil(), &secret(NAME)).unwrap_err().kind(), ErrorKind::KeyDestroyed);
    assert_eq!(vault.provision_subject(tenant, subject).await.unwrap(), None);
    // A handle from before works until it is dropped.
    assert_eq!(held.open(&Uuid::nil(), &sealed).unwrap().expose(), NAME);
}
