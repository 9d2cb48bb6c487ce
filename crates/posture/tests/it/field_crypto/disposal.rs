//! Keys that were destroyed, and what brings them back.

use sqlx::{PgPool, postgres::PgPoolOptions};
use stockade_field_crypto::{
    Error, Insertion, KekRecord, KeyId, KeyRecord, KeyStore, SubjectId, SubjectKeyRecord, SubjectKeyStore,
    SubjectRewrap, TenantId, Vault,
    postgres::{PgKeyStore, PgShreds},
};
use stockade_posture::{
    Observation,
    field_crypto::{Shredding, disposal, shreds},
};
use uuid::Uuid;

use super::{store, vault};
use crate::support::{acting_as, assert_lost, change, lost, measured, told};

/// A tenant that nobody has.
fn scratch() -> TenantId {
    Uuid::from_u128(0x5c_2a7c).into()
}

async fn acting(pool: &PgPool, role: &str) -> PgPool {
    let options = pool.connect_options().as_ref().clone().options([("role", role)]);
    PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap()
}

async fn shredded(pool: &PgPool) -> Vec<Observation> {
    let [keyring, shredder] = [acting(pool, "stockade_keyring").await, acting(pool, "stockade_shredder").await];
    let vault = vault(&keyring);
    let [planner, shredder] = [keyring.clone(), shredder].map(PgShreds::new);
    measured(disposal(&vault, Shredding { planner: &planner, shredder: &shredder }, scratch())).await
}

async fn record(pool: &PgPool) -> Vec<String> {
    told(&measured(shreds(&mut acting_as(pool, "stockade_keyring").await)).await)
}

#[sqlx::test]
async fn a_shredded_value_that_stays_shut_passes(pool: PgPool) {
    store(&pool).await;
    for _ in 0..2 {
        let seen = shredded(&pool).await;
        assert_eq!(told(&seen), ["crypto.disposal disposal test pass"]);
        assert_eq!(seen[0].facts()["destroyed_keys"], 1.into());
    }
    assert_eq!(record(&pool).await, ["crypto.disposal executed shreds pass"]);
    let left = "SELECT count(*) FROM stockade.field_subject_keys WHERE state = 'destroyed' AND wrapped IS NULL";
    let left: i64 = sqlx::query_scalar(left).fetch_one(&pool).await.unwrap();
    assert_eq!(left, 2, "nothing but tombstones is left");
}

/// A store that remembers what it was told to forget, as a cache or a restored backup does.
struct Remembers(PgKeyStore, std::sync::Mutex<Vec<SubjectKeyRecord>>);

impl KeyStore for Remembers {
    async fn load(&self, tenant: TenantId) -> Result<Vec<KeyRecord>, Error> {
        self.0.load(tenant).await
    }

    async fn insert(&self, record: &KeyRecord) -> Result<Insertion, Error> {
        self.0.insert(record).await
    }

    async fn add_messages(&self, tenant: TenantId, key: KeyId, messages: u64) -> Result<u64, Error> {
        self.0.add_messages(tenant, key, messages).await
    }

    async fn keks(&self) -> Result<Vec<KekRecord>, Error> {
        self.0.keks().await
    }

    async fn insert_kek(&self, record: &KekRecord) -> Result<Insertion, Error> {
        self.0.insert_kek(record).await
    }
}

impl SubjectKeyStore for Remembers {
    async fn load_subjects(&self, _: TenantId, subjects: &[SubjectId]) -> Result<Vec<SubjectKeyRecord>, Error> {
        let known = self.1.lock().unwrap();
        Ok(known.iter().filter(|record| subjects.contains(&record.subject)).cloned().collect())
    }

    async fn insert_subject(&self, record: &SubjectKeyRecord) -> Result<Insertion, Error> {
        self.1.lock().unwrap().push(record.clone());
        self.0.insert_subject(record).await
    }

    async fn subjects_to_rewrap(
        &self,
        tenant: TenantId,
        active: KeyId,
        after: Option<SubjectId>,
    ) -> Result<Vec<SubjectKeyRecord>, Error> {
        self.0.subjects_to_rewrap(tenant, active, after).await
    }

    async fn rewrap_subjects(&self, tenant: TenantId, changes: &[SubjectRewrap]) -> Result<u64, Error> {
        self.0.rewrap_subjects(tenant, changes).await
    }
}

#[sqlx::test]
async fn a_shredded_value_that_still_opens_fails(pool: PgPool) {
    store(&pool).await;
    let [keyring, shredder] = [acting(&pool, "stockade_keyring").await, acting(&pool, "stockade_shredder").await];
    let kms = stockade_field_crypto::LocalKeyring::parse("k1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap();
    let vault = Vault::new(kms, Remembers(PgKeyStore::new(keyring.clone()), std::sync::Mutex::default()));
    let [planner, shredder] = [keyring, shredder].map(PgShreds::new);
    let seen = measured(disposal(&vault, Shredding { planner: &planner, shredder: &shredder }, scratch())).await;
    let reason = "the value still opens after its key was shredded";
    assert_eq!(told(&seen), [format!("crypto.disposal disposal test fail: {reason}")]);
}

/// As after a restore whose tombstones were not replayed.
#[sqlx::test]
async fn a_key_that_rose_again_fails_by_its_shred(pool: PgPool) {
    store(&pool).await;
    shredded(&pool).await;
    let rise = "ALTER TABLE stockade.field_subject_keys DISABLE TRIGGER USER;
        UPDATE stockade.field_subject_keys SET state = 'active', wrapped = '\\x01'";
    change(&pool, rise).await;
    let shred: Uuid = sqlx::query_scalar("SELECT shred_id FROM stockade.field_shreds").fetch_one(&pool).await.unwrap();
    let reason = "keys that it destroyed are there again";
    assert_eq!(record(&pool).await, [format!("crypto.disposal shred {shred} fail: {reason}")]);
}

#[sqlx::test]
async fn a_disposal_that_could_not_be_tried_is_unknown(pool: PgPool) {
    store(&pool).await;
    let keyring = acting(&pool, "stockade_keyring").await;
    let planner = PgShreds::new(keyring.clone());
    // Who may schedule may not destroy.
    let seen =
        measured(disposal(&vault(&keyring), Shredding { planner: &planner, shredder: &planner }, scratch())).await;
    let reason = "the database refused this role what is to be read";
    assert_eq!(told(&seen), [format!("crypto.disposal field_crypto.disposal unknown: {reason}")]);
    keyring.close().await;
    let seen =
        measured(disposal(&vault(&keyring), Shredding { planner: &planner, shredder: &planner }, scratch())).await;
    assert_eq!(seen[0].outcome().word(), "unknown");
    let none = "the collector reported nothing for this control";
    assert_eq!(record(&pool).await, [format!("crypto.disposal field_crypto.shreds unknown: {none}")]);
    assert_lost(&measured(shreds(&mut lost(&pool).await)).await);
}
