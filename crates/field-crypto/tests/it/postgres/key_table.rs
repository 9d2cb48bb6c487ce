//! Who sees which key rows.

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};
use stockade_field_crypto::postgres::PgKeyStore;
use stockade_field_crypto::{Error, ErrorKind, KeyStore as _, TenantId, Vault};

use super::{migrated, pool_as};
use crate::contract;
use crate::support::{keyring, new_tenant};

async fn provision(options: PgConnectOptions) -> [TenantId; 2] {
    let vault = Vault::new(keyring(), PgKeyStore::new(pool_as(options, "stockade_keyring").await));
    let tenants = [new_tenant(), new_tenant()];
    for tenant in tenants {
        vault.provision(tenant).await.unwrap();
    }
    tenants
}

/// A transaction as the application's role, in a tenant's context.
async fn in_tenant(pool: &PgPool, tenant: &str) -> Transaction<'static, Postgres> {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)")
        .bind(tenant)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction
}

fn code(error: &sqlx::Error) -> String {
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

#[sqlx::test(migrations = false)]
async fn pg_key_store_keeps_the_contract(pool: PgPoolOptions, options: PgConnectOptions) {
    migrated(pool, &options).await;
    contract::holds(&PgKeyStore::new(pool_as(options.clone(), "stockade_keyring").await)).await;
    contract::rotation_holds(&PgKeyStore::new(pool_as(options, "stockade_rotator").await)).await;
}

#[sqlx::test(migrations = false)]
async fn a_tenant_sees_its_own_key_metadata_only(pool: PgPoolOptions, options: PgConnectOptions) {
    migrated(pool, &options).await;
    let tenants = provision(options.clone()).await;
    let app = pool_as(options, "stockade_app").await;
    let metadata = "SELECT tenant_id, key_id, purpose, state, kek_id, messages FROM stockade.field_keys";
    for tenant in tenants {
        let mut transaction = in_tenant(&app, &tenant.to_string()).await;
        let rows: Vec<(uuid::Uuid, i64, String, String, String, i64)> =
            sqlx::query_as(metadata).fetch_all(&mut *transaction).await.unwrap();
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.0 == *tenant.as_uuid()));
    }
    // No context, no rows; a malformed context is an error.
    let rows = sqlx::query(metadata).fetch_all(&app).await.unwrap();
    assert!(rows.is_empty());
    let rows = sqlx::query(metadata).fetch_all(&mut *in_tenant(&app, "").await).await.unwrap();
    assert!(rows.is_empty());
    let error = sqlx::query(metadata).fetch_all(&mut *in_tenant(&app, "x' OR true").await).await.unwrap_err();
    assert_eq!(code(&error), "22P02");
}

#[sqlx::test(migrations = false)]
async fn only_the_keyring_role_reads_wrapped_keys(pool: PgPoolOptions, options: PgConnectOptions) {
    let owner = migrated(pool, &options).await;
    let [tenant, _] = provision(options.clone()).await;
    let app = pool_as(options.clone(), "stockade_app").await;
    for statement in [
        "SELECT wrapped FROM stockade.field_keys",
        "SELECT * FROM stockade.field_keys",
        "SELECT canary FROM stockade.field_keks",
        "INSERT INTO stockade.field_keys (tenant_id) VALUES (gen_random_uuid())",
        "UPDATE stockade.field_keys SET messages = 0",
        "DELETE FROM stockade.field_keys",
        "DELETE FROM stockade.field_keks",
    ] {
        let error = sqlx::query(statement).execute(&mut *in_tenant(&app, &tenant.to_string()).await).await.unwrap_err();
        assert_eq!(code(&error), "42501", "{statement}");
    }
    // The application's role cannot be the key store's by mistake, and says so instead of finding nothing.
    let error: Error = PgKeyStore::new(app).load(tenant).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
    assert_eq!(error.to_string(), "the key store failed");

    // The keyring's role can count, but not destroy, exchange or forget.
    let keyring = pool_as(options.clone(), "stockade_keyring").await;
    for statement in [
        "UPDATE stockade.field_keys SET wrapped = NULL, state = 'destroyed'",
        "UPDATE stockade.field_keys SET kcv = kcv",
        "UPDATE stockade.field_keks SET canary = canary",
        "DELETE FROM stockade.field_keys",
        "DELETE FROM stockade.field_keks",
        "TRUNCATE stockade.field_keys",
    ] {
        let error = sqlx::query(statement).execute(&keyring).await.unwrap_err();
        assert_eq!(code(&error), "42501", "{statement}");
    }
    // The owner of the table is bound by its policies too.
    let owned = pool_as(options, "stockade_owner").await;
    let rows = sqlx::query("SELECT key_id FROM stockade.field_keys").fetch_all(&owned).await.unwrap();
    assert!(rows.is_empty());
    let all: i64 = sqlx::query_scalar("SELECT count(*) FROM stockade.field_keys").fetch_one(&owner).await.unwrap();
    assert_eq!(all, 4);
}

#[sqlx::test(migrations = false)]
async fn concurrent_processes_provision_once(pool: PgPoolOptions, options: PgConnectOptions) {
    migrated(pool, &options).await;
    let pool = pool_as(options, "stockade_keyring").await;
    let kms = std::sync::Arc::new(keyring());
    let tenant = new_tenant();
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let vault = Vault::new(std::sync::Arc::clone(&kms), PgKeyStore::new(pool.clone()));
            tokio::spawn(async move {
                vault.self_check().await.unwrap();
                let created = vault.provision(tenant).await.unwrap().len();
                vault.tenant(tenant).await.unwrap();
                created
            })
        })
        .collect();
    let mut created = 0;
    for task in tasks {
        created += task.await.unwrap();
    }
    assert_eq!(created, 2);
    let keks: i64 = sqlx::query_scalar("SELECT count(*) FROM stockade.field_keks").fetch_one(&pool).await.unwrap();
    assert_eq!(keks, 1);
}

/// One connection is enough, as in an embedded engine.
#[sqlx::test(migrations = false)]
async fn one_connection_is_enough(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = migrated(pool.max_connections(1), &options).await;
    let vault = Vault::new(keyring(), PgKeyStore::new(pool));
    vault.self_check().await.unwrap();
    let tenant = new_tenant();
    vault.provision(tenant).await.unwrap();
    vault.tenant(tenant).await.unwrap();
    vault.record_messages().await.unwrap();
}

#[sqlx::test(migrations = false)]
async fn a_lost_server_is_retryable(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = migrated(pool, &options).await;
    let store = PgKeyStore::new(pool.clone());
    // A socket that nobody listens on.
    let nowhere = PgPoolOptions::new().acquire_timeout(std::time::Duration::from_millis(200));
    let nowhere = PgKeyStore::new(nowhere.connect_lazy_with(PgConnectOptions::new().host("/nonexistent")));
    let error = nowhere.load(new_tenant()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true));
    sqlx::raw_sql("ALTER TABLE stockade.field_keys RENAME TO elsewhere").execute(&pool).await.unwrap();
    let error = store.load(new_tenant()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, false));
}
