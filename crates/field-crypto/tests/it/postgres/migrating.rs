//! The migration.

use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{MIGRATION_0001, PgKeyStore, migrator};
use stockade_field_crypto::{KeyStore as _, Vault};
use uuid::Uuid;

use super::pool_as;
use crate::support::{keyring, new_tenant};

/// A released migration is never edited: add another.
#[test]
fn released_migrations_do_not_change() {
    assert_eq!(
        hex::encode(Sha256::digest(MIGRATION_0001)),
        "5721bee3c76078155b66d7dcbe1e8b21a0266522108d25ec7971f45599263abd"
    );
    assert_eq!(migrator().iter().count(), 3);
}

#[sqlx::test(migrations = false)]
async fn migrating_again_and_by_another_tool_changes_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = pool.connect_with(options).await.unwrap();
    let runs: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { migrator().run(&pool).await })
        })
        .collect();
    for run in runs {
        run.await.unwrap().unwrap();
    }
    let vault = Vault::new(keyring(), PgKeyStore::new(pool.clone()));
    let tenant = new_tenant();
    vault.provision(tenant).await.unwrap();
    sqlx::raw_sql(MIGRATION_0001).execute(&pool).await.unwrap();
    migrator().run(&pool).await.unwrap();
    assert_eq!(PgKeyStore::new(pool.clone()).load(tenant).await.unwrap().len(), 2);

    // Its ledger is its own, and everything belongs to the owner role.
    let ledger: i64 =
        sqlx::query_scalar("SELECT count(*) FROM stockade._field_crypto_migrations").fetch_one(&pool).await.unwrap();
    assert_eq!(ledger, 3);
    let application: Option<String> =
        sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations')::text").fetch_one(&pool).await.unwrap();
    assert_eq!(application, None);
    let owned: Vec<String> = sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'stockade'::regnamespace AND relkind IN ('r', 'v') \
         AND relowner = 'stockade_owner'::regrole ORDER BY 1",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert_eq!(
        owned,
        ["current_tenant", "field_jobs", "field_keks", "field_keys", "field_shreds", "field_subject_keys"]
    );
    let forced: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'stockade'::regnamespace \
         AND relname LIKE 'field%' AND relkind = 'r' AND relrowsecurity AND relforcerowsecurity",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(forced, 5);
}

/// A role that may create roles, but is no superuser.
#[sqlx::test(migrations = false)]
async fn an_ordinary_role_can_migrate(pool: PgPoolOptions, options: PgConnectOptions) {
    let superuser = pool.connect_with(options.clone()).await.unwrap();
    // Roles outlive the test's database, so this one gets a name of its own and is removed.
    let role = format!("field_crypto_migrator_{}", Uuid::now_v7().simple());
    let as_role = |statement: &'static str| {
        let (superuser, role) = (superuser.clone(), role.clone());
        async move {
            let mut connection = superuser.acquire().await.unwrap();
            sqlx::query("SELECT set_config('test.role', $1, false)")
                .bind(role)
                .execute(&mut *connection)
                .await
                .unwrap();
            sqlx::raw_sql(statement).execute(&mut *connection).await.unwrap();
        }
    };
    as_role(
        "DO $$ BEGIN
             EXECUTE format('CREATE ROLE %I NOLOGIN CREATEROLE', current_setting('test.role'));
             EXECUTE format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_setting('test.role'));
             -- From PostgreSQL 16 on, CREATEROLE reaches only the roles that it created itself.
             IF current_setting('server_version_num')::int >= 160000 AND to_regrole('stockade_owner') IS NOT NULL THEN
                 EXECUTE format('GRANT stockade_owner TO %I WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', current_setting('test.role'));
             END IF;
         END $$",
    )
    .await;
    let pool = pool_as(options, &role).await;
    let migrated = migrator().run(&pool).await;
    let again = migrator().run(&pool).await;
    pool.close().await;
    as_role(
        "DO $$ BEGIN
             EXECUTE format('REASSIGN OWNED BY %I TO stockade_owner', current_setting('test.role'));
             EXECUTE format('DROP OWNED BY %I', current_setting('test.role'));
             EXECUTE format('DROP ROLE %I', current_setting('test.role'));
         END $$",
    )
    .await;
    migrated.unwrap();
    again.unwrap();
    Vault::new(keyring(), PgKeyStore::new(superuser)).provision(new_tenant()).await.unwrap();
}

/// Another crate of Stockade may have been here first.
#[sqlx::test(migrations = false)]
async fn an_existing_schema_and_view_are_kept(pool: PgPoolOptions, options: PgConnectOptions) {
    let pool = pool.connect_with(options).await.unwrap();
    sqlx::raw_sql(
        "CREATE SCHEMA stockade;
         CREATE VIEW stockade.current_tenant AS SELECT NULL::uuid AS tenant_id;",
    )
    .execute(&pool)
    .await
    .unwrap();
    migrator().run(&pool).await.unwrap();
    let definition: String =
        sqlx::query_scalar("SELECT pg_get_viewdef('stockade.current_tenant')").fetch_one(&pool).await.unwrap();
    assert!(definition.contains("NULL::uuid"));
}
