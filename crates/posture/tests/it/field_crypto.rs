//! Sealed columns and their keys, sound and broken on purpose.

mod disposal;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use stockade_field_crypto::{
    LocalKeyring, Purpose, RotationPolicy, Secret, TenantId, Vault, columns,
    postgres::{PgKeyStore, SealedColumns, Site, migrator},
};
use stockade_posture::{
    Observation,
    field_crypto::{fields, rotation},
    run,
};
use uuid::Uuid;

use crate::support::{acting_as, assert_lost, change, lost, measured, shortfalls, told};

columns! {
    /// A driver's social security number.
    DriverSsn = "drivers"."ssn": String, row = Uuid;
    /// A memo with a column of before.
    Memo = "ledger"."memo": String, row = i64;
}

const ACME: Uuid = Uuid::from_u128(0xac);

const TABLES: &str = "
    CREATE TABLE drivers (id uuid PRIMARY KEY, tenant_id uuid NOT NULL, ssn bytea);
    CREATE TABLE ledger (id bigint PRIMARY KEY, tenant_id uuid NOT NULL, memo bytea, memo_plain text);
    GRANT SELECT ON drivers, ledger TO stockade_keyring;";

type PgVault = Vault<Arc<LocalKeyring>, PgKeyStore>;

fn sealed() -> SealedColumns {
    SealedColumns::new()
        .column::<DriverSsn>(Site::table("public.drivers"))
        .column::<Memo>(Site::table("public.ledger").plain("memo_plain"))
}

fn tenant() -> TenantId {
    ACME.into()
}

fn vault(pool: &PgPool) -> PgVault {
    let keyring = LocalKeyring::parse("k1:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=").unwrap();
    Vault::new(Arc::new(keyring), PgKeyStore::new(pool.clone()))
}

/// A driver and a memo of one tenant, both sealed.
async fn store(pool: &PgPool) -> PgVault {
    migrator().run(pool).await.unwrap();
    change(pool, TABLES).await;
    let vault = vault(pool);
    vault.provision(tenant()).await.unwrap();
    driver(pool, &vault, 1).await;
    let keys = vault.tenant(tenant()).await.unwrap();
    let memo = keys.seal::<Memo>(&1, &Secret::new("paid twice".to_owned())).unwrap();
    let insert = sqlx::query("INSERT INTO ledger (id, tenant_id, memo) VALUES (1, $1, $2)");
    insert.bind(ACME).bind(memo).execute(pool).await.unwrap();
    vault
}

async fn driver(pool: &PgPool, vault: &PgVault, number: u128) {
    let (keys, row) = (vault.tenant(tenant()).await.unwrap(), Uuid::from_u128(number));
    let ssn = keys.seal::<DriverSsn>(&row, &Secret::new("078-05-1120".to_owned())).unwrap();
    let insert = sqlx::query("INSERT INTO drivers (id, tenant_id, ssn) VALUES ($1, $2, $3)");
    insert.bind(row).bind(ACME).bind(ssn).execute(pool).await.unwrap();
}

async fn columns_now(pool: &PgPool) -> Vec<String> {
    told(&measured(fields(&mut acting_as(pool, "stockade_keyring").await, &sealed())).await)
}

async fn keys_at(pool: &PgPool, at: DateTime<Utc>) -> Vec<Observation> {
    let mut keyring = acting_as(pool, "stockade_keyring").await;
    run(rotation(&mut keyring, &sealed(), TimeDelta::days(365)), at, std::future::pending()).await
}

const SSN: &str = "crypto.fields public.drivers.ssn";
const MEMO: &str = "crypto.fields public.ledger.memo";

#[sqlx::test]
async fn sealed_columns_pass(pool: PgPool) {
    store(&pool).await;
    assert_eq!(columns_now(&pool).await, [format!("{SSN} pass"), format!("{MEMO} pass")]);
}

#[sqlx::test]
async fn a_value_that_is_not_sealed_fails_its_column(pool: PgPool) {
    store(&pool).await;
    change(&pool, "INSERT INTO ledger (id, tenant_id, memo_plain) VALUES (2, '00000000-0000-0000-0000-0000000000ac', 'in the clear')").await;
    let failing = [format!("{SSN} pass"), format!("{MEMO} fail: values are in the clear")];
    assert_eq!(columns_now(&pool).await, failing);
    change(&pool, "UPDATE drivers SET ssn = '078-05-1120'").await;
    let reason = "something else than sealed values is in the column";
    assert_eq!(columns_now(&pool).await[0], format!("{SSN} fail: {reason}"));
}

#[sqlx::test]
async fn a_value_under_another_key_fails_its_column(pool: PgPool) {
    let vault = store(&pool).await;
    let key = vault.add_key(tenant(), Purpose::Aead).await.unwrap().key;
    let _ = vault.promote(tenant(), key, RotationPolicy::without_waiting()).await.unwrap();
    assert_eq!(columns_now(&pool).await[0], format!("{SSN} fail: values are under older keys"));
    change(&pool, "UPDATE drivers SET ssn = overlay(ssn PLACING '\\x00000099' FROM 2 FOR 4)").await;
    let reason = "values are under keys that are not in the key store";
    assert_eq!(columns_now(&pool).await[0], format!("{SSN} fail: {reason}"));
}

/// Row-level security hides rows as an empty table would.
#[sqlx::test]
async fn a_column_that_nobody_sees_is_unknown(pool: PgPool) {
    store(&pool).await;
    change(&pool, "ALTER TABLE drivers ENABLE ROW LEVEL SECURITY").await;
    let reason = "no row of the table is visible to this connection";
    assert_eq!(columns_now(&pool).await, [format!("{SSN} unknown: {reason}"), format!("{MEMO} pass")]);
    change(&pool, "DROP TABLE ledger").await;
    let reason = "the database answered with error 42P01";
    assert_eq!(columns_now(&pool).await, [format!("crypto.fields field_crypto.fields unknown: {reason}")]);
    assert_lost(&measured(fields(&mut lost(&pool).await, &sealed())).await);
}

const KEK: &str = "crypto.rotation key-encryption key k1";

#[sqlx::test]
async fn young_keys_pass(pool: PgPool) {
    store(&pool).await;
    let seen = keys_at(&pool, Utc::now()).await;
    assert_eq!(told(&seen), [format!("{KEK} pass")]);
    assert_eq!((&seen[0].facts()["keys"], &seen[0].facts()["age_days"]), (&2.into(), &0.into()));
}

#[sqlx::test]
async fn an_old_key_fails_by_its_name(pool: PgPool) {
    store(&pool).await;
    let seen = keys_at(&pool, Utc::now() + TimeDelta::days(366)).await;
    assert_eq!(told(&seen), [format!("{KEK} fail: it is older than its limit and still wraps keys")]);
    change(&pool, "UPDATE stockade.field_keks SET forgotten_at = now()").await;
    let seen = keys_at(&pool, Utc::now()).await;
    assert_eq!(told(&seen), [format!("{KEK} fail: it wraps keys, although it was forgotten")]);
    change(&pool, "DELETE FROM stockade.field_keks").await;
    let seen = keys_at(&pool, Utc::now()).await;
    assert_eq!(told(&seen), [format!("{KEK} fail: it wraps keys, and the key store does not know it")]);
}

#[sqlx::test]
async fn a_retired_key_in_use_fails_by_its_number(pool: PgPool) {
    let vault = store(&pool).await;
    let key = vault.add_key(tenant(), Purpose::Aead).await.unwrap().key;
    let _ = vault.promote(tenant(), key, RotationPolicy::without_waiting()).await.unwrap();
    // The library refuses to retire a key that is in use; somebody else did it.
    change(&pool, "UPDATE stockade.field_keys SET state = 'retired' WHERE key_id = 1 AND purpose = 'aead'").await;
    let seen = keys_at(&pool, Utc::now()).await;
    let subject = format!("crypto.rotation retired key 1 of tenant {ACME}");
    assert_eq!(shortfalls(&seen), [format!("{subject} fail: values are still under it")]);
    change(&pool, "DELETE FROM drivers; DELETE FROM ledger").await;
    driver(&pool, &self::vault(&pool), 2).await;
    assert_eq!(told(&keys_at(&pool, Utc::now()).await), [format!("{KEK} pass"), format!("{subject} pass")]);
}

#[sqlx::test]
async fn keys_that_cannot_be_read_are_unknown(pool: PgPool) {
    migrator().run(&pool).await.unwrap();
    let seen = keys_at(&pool, Utc::now()).await;
    assert_eq!(seen[0].outcome().word(), "unknown", "there is no key");
    let mut app = acting_as(&pool, "stockade_app").await;
    let seen = measured(rotation(&mut app, &sealed(), TimeDelta::days(365))).await;
    let reason = "the database refused this role what is to be read";
    assert_eq!(told(&seen), [format!("crypto.rotation field_crypto.rotation unknown: {reason}")]);
    assert_lost(&measured(rotation(&mut lost(&pool).await, &sealed(), TimeDelta::days(365))).await);
}
