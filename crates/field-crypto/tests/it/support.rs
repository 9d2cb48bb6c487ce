//! Columns, and keyrings and stores that misbehave.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use stockade_field_crypto::{
    Approx, DataKey, DigitsOnly, Error, Global, Insertion, KekId, KekRecord, KeyId, KeyRecord, KeyStore, Kms, LastN,
    LocalKeyring, LowerTrim, MemoryKeyStore, Nfkc, Purpose, Retry, Secret, SubjectId, TenantId, TenantKeys, Unbound,
    Vault, WrapContext, WrappedKey, columns,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

columns! {
    /// A driver's social security number.
    pub DriverSsn = "drivers"."ssn": String, row = Uuid,
        index DriverSsnIndex = "ssn_index": DigitsOnly,
        index DriverSsnLast4 = "ssn_last4": LastN<4> => Approx<8>;
    /// Another column of the same table.
    pub BankAccount = "drivers"."bank_account": String;
    /// A column of the same name in another table.
    pub SpouseSsn = "spouses"."ssn": String,
        index SpouseSsnIndex = "ssn_index": DigitsOnly;
    pub Email = "users"."email": String, row = Uuid,
        index EmailIndex = "email_index": LowerTrim,
        index EmailDigits = "email_index": DigitsOnly,
        index EmailSecond = "email_index_2": LowerTrim,
        index EmailApprox = "email_index": LowerTrim => Approx<64>,
        index EmailApproxLess = "email_index": LowerTrim => Approx<57>,
        index EmailNfkc = "email_index": Nfkc<LowerTrim>,
        index EmailAnywhere = "email_index": LowerTrim => Global,
        index EmailRoughly = "email_index": LowerTrim => Global<Approx<12>>;
    pub TotpSeed = "users"."totp_seed": Vec<u8>, row = Uuid;
    pub LedgerMemo = "ledger"."memo": String, row = i64;
    pub SmtpPassword = "settings"."smtp_password": String, row = Unbound;
    pub PatientName = "patients"."name": String, row = Uuid, subject,
        index PatientNameIndex = "name_index": LowerTrim;
    pub Diagnosis = "patients"."diagnosis": String, row = Uuid, subject;
    pub VisitNote = "visits"."note": String, row = i64, subject;
}

/// The same column three times, bound to its row in three ways.
pub(crate) mod rebound {
    use stockade_field_crypto::{Unbound, columns};
    use uuid::Uuid;

    columns! {
        pub(crate) ByUuid = "t"."c": String, row = Uuid;
        pub(crate) ByInteger = "t"."c": String, row = i64;
        pub(crate) ByNothing = "t"."c": String, row = Unbound;
    }
}

pub(crate) type MemoryVault = Vault<LocalKeyring, MemoryKeyStore>;

pub(crate) fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

pub(crate) fn key_id(number: u32) -> KeyId {
    KeyId::new(number).unwrap()
}

pub(crate) fn new_tenant() -> TenantId {
    TenantId::from(Uuid::now_v7())
}

pub(crate) fn new_subject() -> SubjectId {
    SubjectId::from(Uuid::now_v7())
}

pub(crate) fn keyring() -> LocalKeyring {
    LocalKeyring::generate("k1").unwrap()
}

/// A provisioned tenant of a vault in memory.
pub(crate) async fn tenant_keys() -> TenantKeys {
    let vault = Vault::new(keyring(), MemoryKeyStore::default());
    provisioned(&vault).await
}

pub(crate) async fn provisioned<K: Kms, S: KeyStore>(vault: &Vault<K, S>) -> TenantKeys {
    let tenant = new_tenant();
    vault.provision(tenant).await.unwrap();
    vault.tenant(tenant).await.unwrap()
}

/// Gives every tenant and every purpose the same key: what stays apart then, is apart by derivation and additional
/// data alone.
pub(crate) struct OneKeyForAll;

impl Kms for OneKeyForAll {
    fn primary_kek(&self) -> KekId {
        KekId::new("one").unwrap()
    }

    async fn wrap(&self, _: WrapContext, key: &DataKey) -> Result<WrappedKey, Error> {
        Ok(WrappedKey { kek: self.primary_kek(), bytes: key.expose().to_vec() })
    }

    async fn unwrap(&self, _: WrapContext, wrapped: &WrappedKey) -> Result<DataKey, Error> {
        DataKey::from_bytes(&wrapped.bytes)
    }
}

/// A store in which a test has put `key` for a tenant, under each of the numbers.
pub(crate) async fn plant(store: &impl KeyStore, tenant: TenantId, key: &DataKey, numbers: &[u32]) {
    use stockade_field_crypto::KeyState::{Active, DecryptOnly};
    for (at, &number) in numbers.iter().enumerate() {
        let context = WrapContext::TenantKey { tenant, key: key_id(number), purpose: Purpose::Aead };
        let wrapped = OneKeyForAll.wrap(context, key).await.unwrap();
        let state = if at == 0 { Active(wrapped) } else { DecryptOnly(wrapped) };
        let record = KeyRecord::new(tenant, key_id(number), Purpose::Aead, state, key.kcv());
        assert_eq!(store.insert(&record).await.unwrap(), Insertion::Inserted);
    }
}

/// Counts what it unwraps, waits at a gate if there is one, and fails on demand.
pub(crate) struct TestKms {
    inner: LocalKeyring,
    pub(crate) unwraps: AtomicUsize,
    pub(crate) gate: Option<Semaphore>,
    pub(crate) failure: Mutex<Option<Retry>>,
}

impl TestKms {
    pub(crate) fn new(inner: LocalKeyring) -> Arc<Self> {
        Arc::new(Self { inner, unwraps: AtomicUsize::new(0), gate: None, failure: Mutex::new(None) })
    }

    /// Unwraps nothing before permits are added.
    pub(crate) fn gated(inner: LocalKeyring) -> Arc<Self> {
        let gate = Some(Semaphore::new(0));
        Arc::new(Self { inner, unwraps: AtomicUsize::new(0), gate, failure: Mutex::new(None) })
    }

    pub(crate) fn unwraps(&self) -> usize {
        self.unwraps.load(Ordering::SeqCst)
    }

    pub(crate) fn open_gate(&self) {
        self.gate.as_ref().unwrap().add_permits(Semaphore::MAX_PERMITS / 2);
    }

    pub(crate) fn fail(&self, failure: Option<Retry>) {
        *self.failure.lock().unwrap() = failure;
    }
}

impl Kms for TestKms {
    fn primary_kek(&self) -> KekId {
        self.inner.primary_kek()
    }

    async fn wrap(&self, context: WrapContext, key: &DataKey) -> Result<WrappedKey, Error> {
        self.inner.wrap(context, key).await
    }

    async fn unwrap(&self, context: WrapContext, wrapped: &WrappedKey) -> Result<DataKey, Error> {
        if context == WrapContext::Canary {
            return self.inner.unwrap(context, wrapped).await;
        }
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            let _permit = gate.acquire().await.unwrap();
        }
        let failure = *self.failure.lock().unwrap();
        match failure {
            Some(retry) => Err(Error::kms("out of order", retry)),
            None => self.inner.unwrap(context, wrapped).await,
        }
    }
}

/// A store whose answers are edited on the way.
pub(crate) struct EditedStore<F> {
    pub(crate) inner: MemoryKeyStore,
    pub(crate) edit: F,
}

impl<F: Fn(TenantId, Vec<KeyRecord>) -> Vec<KeyRecord> + Send + Sync> KeyStore for EditedStore<F> {
    async fn load(&self, tenant: TenantId) -> Result<Vec<KeyRecord>, Error> {
        Ok((self.edit)(tenant, self.inner.load(tenant).await?))
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
