//! Who may do which step.

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::{KeyChange, TenantId};
use uuid::Uuid;

use super::{AT_ONCE, Desk, in_tenant, to_the_end};
use crate::postgres::pool_as;
use crate::support::{key_id, new_tenant};

async fn refused(pool: &PgPool, tenant: TenantId, statement: &'static str, codes: &[&str]) {
    let error = sqlx::query(statement).execute(&mut *in_tenant(pool, tenant).await).await.unwrap_err();
    let code = error.as_database_error().unwrap().code().unwrap();
    assert!(codes.contains(&&*code), "{statement}: {error}");
}

const DESTROY: [&str; 3] = [
    "UPDATE stockade.field_keys SET state = 'destroyed', wrapped = NULL",
    "UPDATE stockade.field_keys SET state = 'destroyed', wrapped = NULL WHERE state = 'retired'",
    "DELETE FROM stockade.field_keys",
];

/// Who rotates can exchange keys, but destroys none but a retired one, through the function that waits.
#[sqlx::test(migrations = false)]
async fn who_rotates_cannot_destroy_a_key(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    desk.promote().await;
    assert_eq!(desk.vault.retire(desk.tenant, key_id(1), &desk.uses(), AT_ONCE).await.unwrap(), KeyChange::Made);
    // Also not as a member of stockade_keyring, whose policy lets every row through.
    let role = format!("field_crypto_both_{}", Uuid::now_v7().simple());
    let admin = |statement: &'static str| {
        let (admin, role) = (desk.admin.clone(), role.clone());
        async move {
            let mut connection = admin.acquire().await.unwrap();
            sqlx::query("SELECT set_config('test.role', $1, false)")
                .bind(role)
                .execute(&mut *connection)
                .await
                .unwrap();
            sqlx::raw_sql(statement).execute(&mut *connection).await.unwrap();
        }
    };
    admin(
        "DO $$ BEGIN EXECUTE format('CREATE ROLE %I NOLOGIN IN ROLE stockade_rotator, stockade_keyring', current_setting('test.role')); END $$",
    )
    .await;
    let both = pool_as(options.clone(), &role).await;
    for pool in [&desk.pool, &both] {
        for statement in DESTROY {
            refused(pool, desk.tenant, statement, &["42501"]).await;
        }
        refused(pool, desk.tenant, "UPDATE stockade.field_keys SET wrapped = NULL", &["23514"]).await;
        for statement in [
            "UPDATE stockade.field_keys SET kcv = kcv",
            "UPDATE stockade.field_keys SET state_since = state_since - interval '1 year'",
            "UPDATE stockade.field_keys SET purpose = 'aead'",
            "UPDATE stockade.field_keks SET canary = canary",
            "TRUNCATE stockade.field_jobs",
            "DELETE FROM stockade.field_jobs",
        ] {
            refused(pool, desk.tenant, statement, &["42501"]).await;
        }
        // Steps that skip one.
        for statement in [
            "UPDATE stockade.field_keys SET state = 'retired' WHERE state = 'active'",
            "UPDATE stockade.field_keys SET state = 'active' WHERE state = 'retired'",
            "UPDATE stockade.field_keys SET state = 'decrypt_only' WHERE state = 'retired'",
        ] {
            refused(pool, desk.tenant, statement, &["23514"]).await;
        }
    }
    both.close().await;
    admin("DO $$ BEGIN EXECUTE format('DROP ROLE %I', current_setting('test.role')); END $$").await;
    let states: Vec<String> = sqlx::query_scalar("SELECT state FROM stockade.field_keys ORDER BY key_id")
        .fetch_all(&desk.admin)
        .await
        .unwrap();
    assert_eq!(states, ["retired", "decrypt_only", "active", "active"]);

    // The function reaches retired keys alone.
    for (key, answer) in [(1, "too_soon"), (2, "wrong_state"), (3, "wrong_state")] {
        let said: String = sqlx::query_scalar("SELECT stockade.field_key_destroy_retired($1, $2, '1 hour')")
            .bind(desk.tenant.as_uuid())
            .bind(key)
            .fetch_one(&desk.pool)
            .await
            .unwrap();
        assert_eq!(said, answer);
    }
    // A destroyed key does not come back, whoever asks.
    assert_eq!(
        desk.vault.destroy_retired(desk.tenant, key_id(1), &desk.uses(), AT_ONCE).await.unwrap(),
        KeyChange::Made
    );
    let back = "UPDATE stockade.field_keys SET state = 'active', wrapped = '\\x00' WHERE state = 'destroyed'";
    refused(&desk.admin, desk.tenant, back, &["23514"]).await;
}

#[sqlx::test(migrations = false)]
async fn other_roles_cannot_rotate(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    for role in ["stockade_app", "stockade_keyring"] {
        let pool = pool_as(options.clone(), role).await;
        for statement in [
            "UPDATE stockade.field_keys SET state = 'decrypt_only'",
            "UPDATE stockade.field_keys SET kek_id = kek_id, wrapped = wrapped",
            "UPDATE stockade.field_keks SET forgotten_at = now()",
            "SELECT * FROM stockade.field_jobs",
            "SELECT stockade.field_key_promote(gen_random_uuid(), 1, '0')",
            "SELECT stockade.field_key_retire(gen_random_uuid(), 1, '0')",
            "SELECT stockade.field_key_destroy_retired(gen_random_uuid(), 1, '0')",
            "SELECT stockade.field_kek_forget('k1')",
        ] {
            refused(&pool, desk.tenant, statement, &["42501"]).await;
        }
    }
}

/// In one tenant's context a worker changes neither another tenant's rows nor its job.
#[sqlx::test(migrations = false)]
async fn a_worker_stays_in_its_tenant(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let other = new_tenant();
    desk.vault.provision(other).await.unwrap();
    let theirs = desk.drivers(other, 3).await;
    desk.drivers(desk.tenant, 3).await;
    desk.promote().await;
    desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap();

    // Asked for the other tenant's rows, the functions find what the policy shows: nothing.
    let mut transaction = in_tenant(&desk.pool, desk.tenant).await;
    let page: Vec<(String, Vec<u8>)> = sqlx::query_as(
        "SELECT * FROM stockade.field_page('drivers'::regclass, 'id', 'tenant_id', 'ssn', NULL, '{}', $1, 9, 9, NULL, 10)",
    )
    .bind(other.as_uuid())
    .fetch_all(&mut *transaction)
    .await
    .unwrap();
    assert!(page.is_empty());
    let stored: Vec<u8> = sqlx::query_scalar("SELECT ssn FROM drivers WHERE tenant_id = $1 ORDER BY id LIMIT 1")
        .bind(other.as_uuid())
        .fetch_one(&desk.admin)
        .await
        .unwrap();
    let written: i64 = sqlx::query_scalar(
        "SELECT stockade.field_write('drivers'::regclass, 'id', 'tenant_id', 'ssn', NULL, '{}', $1, $2, $3, $3, '{}')",
    )
    .bind(other.as_uuid())
    .bind([theirs.first_key_value().unwrap().0.to_string()])
    .bind([stored])
    .fetch_one(&mut *transaction)
    .await
    .unwrap();
    assert_eq!(written, 0);
    drop(transaction);
    let job = "INSERT INTO stockade.field_jobs (tenant_id, kind, table_name, column_name, target, worker, leased_until) \
        VALUES (gen_random_uuid(), 'rewrite', 't', 'c', '1/1', gen_random_uuid(), now())";
    refused(&desk.pool, desk.tenant, job, &["42501"]).await;
    let changed = sqlx::query("UPDATE stockade.field_jobs SET worker = gen_random_uuid()")
        .execute(&mut *in_tenant(&desk.pool, other).await)
        .await
        .unwrap();
    assert_eq!(changed.rows_affected(), 0);
    // Without a context there is nothing to work on.
    let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM drivers").fetch_one(&desk.pool).await.unwrap();
    assert_eq!(seen, 0);
}
