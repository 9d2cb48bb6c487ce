//! A model of a key's life: whatever the order of steps, no value is ever without a key that opens it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use stockade_field_crypto::{
    Error, IndexTag, KeyChange, KeyId, KeyRotation, KeyState, KeyUses, LocalKeyring, MemoryKeyStore, Purpose,
    RotationPolicy, Sealed, TenantId, TenantKeys, Vault,
};
use uuid::Uuid;

use crate::support::{DriverSsn, DriverSsnIndex, keyring, new_tenant, secret};

pub(crate) type Row = (Uuid, Sealed<DriverSsn>, IndexTag<DriverSsnIndex>);

/// A table of drivers, and how its rows are sealed anew.
pub(crate) trait Table: KeyUses {
    async fn write(&self, row: Row);
    async fn rows(&self) -> Vec<Row>;
    async fn seal_anew(&self, tenant: TenantId);
}

/// A step. Two processes write, each with the keys that it has loaded last.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Write {
        process: usize,
        row: u128,
    },
    Reload {
        process: usize,
    },
    Add(Purpose),
    /// After all processes have learnt of the key, which is what the policy waits for.
    Promote {
        key: u32,
    },
    SealAnew,
    /// While a process may have an older cache.
    Retire {
        key: u32,
    },
    /// After the quarantine, in which every cache has expired.
    Destroy {
        key: u32,
    },
}

const AT_ONCE: RotationPolicy = RotationPolicy::without_waiting();

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 1..9_u32;
    let purpose = prop_oneof![Just(Purpose::Aead), Just(Purpose::Index)];
    let step = prop_oneof![
        5 => (0..2_usize, 0..6_u128).prop_map(|(process, row)| Step::Write { process, row }),
        2 => (0..2_usize).prop_map(|process| Step::Reload { process }),
        2 => purpose.prop_map(Step::Add),
        3 => key.clone().prop_map(|key| Step::Promote { key }),
        2 => Just(Step::SealAnew),
        4 => key.clone().prop_map(|key| Step::Retire { key }),
        4 => key.prop_map(|key| Step::Destroy { key }),
    ];
    proptest::collection::vec(step, 1..60)
}

pub(crate) struct Life<'a, S, T> {
    pub(crate) vault: &'a Vault<Arc<LocalKeyring>, S>,
    pub(crate) store: S,
    pub(crate) table: T,
    pub(crate) tenant: TenantId,
}

impl<S: KeyRotation, T: Table> Life<'_, S, T> {
    /// Does the steps and looks at everything after each. Returns how many keys were destroyed.
    pub(crate) async fn live(&self, steps: &[Step]) -> usize {
        let mut processes = [self.load().await, self.load().await];
        let mut expected = BTreeMap::new();
        for (turn, &step) in steps.iter().enumerate() {
            let key = |key| KeyId::new(key).unwrap();
            match step {
                Step::Write { process, row } => {
                    let id = Uuid::from_u128(row);
                    let ssn = format!("{row}{turn:08}");
                    let keys = &processes[process];
                    let row = (id, keys.seal(&id, &secret(&ssn)).unwrap(), keys.index(&secret(&ssn)).unwrap());
                    self.table.write(row).await;
                    expected.insert(id, ssn);
                }
                Step::Reload { process } => processes[process] = self.load().await,
                Step::Add(purpose) => drop(self.vault.add_key(self.tenant, purpose).await.unwrap()),
                Step::Promote { key: number } => {
                    processes = [self.load().await, self.load().await];
                    let change = self.vault.promote(self.tenant, key(number), AT_ONCE).await.unwrap();
                    assert!(matches!(change, KeyChange::Made | KeyChange::WrongState));
                }
                Step::SealAnew => self.table.seal_anew(self.tenant).await,
                Step::Retire { key: number } => {
                    let used = self.used(key(number)).await;
                    match self.vault.retire(self.tenant, key(number), &self.table, AT_ONCE).await.unwrap() {
                        KeyChange::Made => assert_eq!(used, 0, "retired in use"),
                        KeyChange::InUse { values } => assert_eq!(values, used),
                        change => assert_eq!(change, KeyChange::WrongState),
                    }
                }
                Step::Destroy { key: number } => {
                    processes = [self.load().await, self.load().await];
                    let used = self.used(key(number)).await;
                    match self.vault.destroy_retired(self.tenant, key(number), &self.table, AT_ONCE).await.unwrap() {
                        KeyChange::Made => assert_eq!(used, 0, "destroyed in use"),
                        KeyChange::InUse { values } => assert_eq!(values, used),
                        change => assert_eq!(change, KeyChange::WrongState),
                    }
                }
            }
            self.look(&expected).await;
        }
        let records = self.store.load(self.tenant).await.unwrap();
        records.iter().filter(|record| matches!(record.state, KeyState::Destroyed)).count()
    }

    async fn load(&self) -> TenantKeys {
        self.vault.evict(self.tenant);
        self.vault.tenant(self.tenant).await.unwrap()
    }

    /// How many values or tags are of a key, counted without the code that is tested.
    async fn used(&self, key: KeyId) -> u64 {
        let tagged = |tag: &IndexTag<DriverSsnIndex>| tag.as_bytes()[1..5] == key.as_u32().to_be_bytes();
        let rows = self.table.rows().await;
        rows.iter().map(|(_, sealed, tag)| u64::from(sealed.key_id() == key) + u64::from(tagged(tag))).sum()
    }

    async fn look(&self, expected: &BTreeMap<Uuid, String>) {
        let keys = self.load().await;
        let rows = self.table.rows().await;
        assert_eq!(rows.len(), expected.len());
        for (id, sealed, tag) in rows {
            assert_eq!(*keys.open(&id, &sealed).unwrap().expose(), expected[&id]);
            assert!(keys.probe::<DriverSsnIndex>(&secret(&expected[&id])).unwrap().contains(&tag), "not found");
        }
        let records = self.store.load(self.tenant).await.unwrap();
        for purpose in [Purpose::Aead, Purpose::Index] {
            let active = |state: &KeyState| matches!(state, KeyState::Active(_));
            let active = records.iter().filter(|record| record.purpose == purpose && active(&record.state));
            assert_eq!(active.count(), 1);
        }
    }
}

/// A table in memory.
#[derive(Clone)]
struct Rows {
    rows: Arc<Mutex<BTreeMap<Uuid, Row>>>,
    vault: Arc<Vault<Arc<LocalKeyring>, MemoryKeyStore>>,
}

impl KeyUses for Rows {
    async fn count(&self, _: TenantId, purpose: Purpose, key: KeyId) -> Result<u64, Error> {
        let of_key = |(_, sealed, tag): &&Row| match purpose {
            Purpose::Aead => sealed.key_id() == key,
            _ => tag.as_bytes()[1..5] == key.as_u32().to_be_bytes(),
        };
        Ok(self.rows.lock().unwrap().values().filter(of_key).count().try_into().unwrap())
    }
}

impl Table for Rows {
    async fn write(&self, row: Row) {
        self.rows.lock().unwrap().insert(row.0, row);
    }

    async fn rows(&self) -> Vec<Row> {
        self.rows.lock().unwrap().values().cloned().collect()
    }

    async fn seal_anew(&self, tenant: TenantId) {
        self.vault.evict(tenant);
        let keys = self.vault.tenant(tenant).await.unwrap();
        for (id, sealed, tag) in self.rows.lock().unwrap().values_mut() {
            let value = keys.open(id, sealed).unwrap();
            *sealed = keys.seal(id, &value).unwrap();
            *tag = keys.index(&value).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_value_is_ever_without_its_key(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let store = MemoryKeyStore::default();
            let vault = Arc::new(Vault::new(Arc::new(keyring()), store.clone()));
            let tenant = new_tenant();
            vault.provision(tenant).await.unwrap();
            let table = Rows { rows: Arc::default(), vault: Arc::clone(&vault) };
            Life { vault: &vault, store, table, tenant }.live(&steps).await;
        });
    }
}
