//! Who may destroy, and that nobody undoes it.

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::ErrorKind;
use stockade_field_crypto::postgres::{Execution, PgShreds, ShredTarget};
use stockade_field_crypto::{Insertion, KeyStore as _, SubjectKeyStore as _, TenantId};

use super::pool_as;
use super::shredding::desk::{Desk, report, request};
use super::shredding::{MONTH, restore};
use crate::support::new_subject;

async fn refused(pool: &PgPool, tenant: TenantId, statement: &'static str, code: &str) {
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("SELECT set_config('stockade.tenant_id', $1, true), set_config('test.tenant', $1, true)")
        .bind(tenant.to_string())
        .execute(&mut *transaction)
        .await
        .unwrap();
    match sqlx::query(statement).execute(&mut *transaction).await {
        Err(error) if code == "trigger" => {
            let code = error.as_database_error().unwrap().code().unwrap().into_owned();
            assert!(["23001", "23514", "42501"].contains(&&*code), "{statement}: {error}");
        }
        Err(error) => assert_eq!(error.as_database_error().unwrap().code().unwrap(), code, "{statement}: {error}"),
        // A policy hides the rows.
        Ok(done) => assert_eq!((done.rows_affected(), code), (0, "hidden"), "{statement}"),
    }
}

#[sqlx::test(migrations = false)]
async fn no_role_destroys_alone(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options.clone()).await;
    let tenant = desk.tenant().await;
    let (subject, row) = desk.patient(tenant, "Ada").await;
    let app = pool_as(options.clone(), "stockade_app").await;
    let owner = pool_as(options, "stockade_owner").await;
    // The keyring plans and does not execute, the shredder executes and does not plan.
    let target = ShredTarget::Subject(tenant, subject);
    let shred = desk.planner.schedule(&request(target)).await.unwrap();
    let columns = desk.columns();
    for (who, what) in [(&desk.planner, "execute"), (&PgShreds::new(app.clone()), "all")] {
        assert_eq!(who.execute(shred.id, "x", &columns, MONTH).await.unwrap_err().kind(), ErrorKind::Store, "{what}");
    }
    for who in [&desk.shredder, &PgShreds::new(app.clone())] {
        who.schedule(&request(target)).await.unwrap_err();
        who.cancel(shred.id, "x").await.unwrap_err();
    }
    desk.planner.cancel(shred.id, "x").await.unwrap();

    // By statements of their own.
    let destroy_subject = "UPDATE stockade.field_subject_keys SET state = 'destroyed', wrapped = NULL";
    let destroy_tenant = "UPDATE stockade.field_keys SET state = 'destroyed', wrapped = NULL";
    let execute = "UPDATE stockade.field_shreds SET state = 'executed', ended_by = 'x', ended_at = now()";
    let forge = "INSERT INTO stockade.field_shreds VALUES (gen_random_uuid(), current_setting('test.tenant')::uuid, NULL, 'x', 'x', \
        now(), now(), 'executed', 'x', now())";
    let internal = "SELECT stockade.field_shred_destroy(current_setting('test.tenant')::uuid, NULL)";
    for pool in [&app, &desk.keyring, &desk.shredder_pool] {
        for statement in [
            destroy_subject,
            execute,
            forge,
            internal,
            "DELETE FROM stockade.field_subject_keys",
            "DELETE FROM stockade.field_shreds",
            "TRUNCATE stockade.field_subject_keys",
            "TRUNCATE stockade.field_shreds",
        ] {
            refused(pool, tenant, statement, "42501").await;
        }
    }
    // The owner of the tables sees no key without a shred that is due, and a superuser meets the triggers.
    refused(&owner, tenant, destroy_subject, "hidden").await;
    refused(&owner, tenant, destroy_tenant, "hidden").await;
    refused(&owner, tenant, "DELETE FROM stockade.field_subject_keys", "hidden").await;
    for statement in [
        destroy_subject,
        destroy_tenant,
        execute,
        forge,
        "DELETE FROM stockade.field_shreds",
        "TRUNCATE stockade.field_subject_keys",
        "TRUNCATE stockade.field_keys",
        "TRUNCATE stockade.field_shreds",
        "UPDATE stockade.field_subject_keys SET subject_id = gen_random_uuid()",
        "UPDATE stockade.field_subject_keys SET kcv = '\\x00112233445566778899aabbccddeeff'",
    ] {
        refused(&desk.superuser, tenant, statement, "trigger").await;
    }
    // With a plan for Ada the owner reaches hers and no other.
    let (ben, ben_row) = desk.patient(tenant, "Ben").await;
    let shred = desk.planner.schedule(&request(target)).await.unwrap();
    let destroyed = sqlx::query(destroy_subject).execute(&owner).await.unwrap();
    assert_eq!(destroyed.rows_affected(), 1);
    refused(&owner, tenant, destroy_tenant, "hidden").await;
    desk.opens(tenant, ben, ben_row, "Ben").await;
    desk.open(tenant, subject, row).await.unwrap_err();
    report(desk.shredder.execute(shred.id, "job", &columns, MONTH).await.unwrap());
}

#[sqlx::test(migrations = false)]
async fn what_was_destroyed_does_not_come_back(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options.clone()).await;
    let tenant = desk.tenant().await;
    let (subject, _) = desk.patient(tenant, "Ada").await;
    let store = desk.vault_store();
    let (subject_key, tenant_keys) =
        (store.load_subjects(tenant, &[subject]).await.unwrap().remove(0), store.load(tenant).await.unwrap());
    restore::back_up(&desk.superuser).await;
    for target in [ShredTarget::Subject(tenant, subject), ShredTarget::Tenant(tenant)] {
        let shred = desk.planner.schedule(&request(target)).await.unwrap();
        report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    }
    let owner = pool_as(options, "stockade_owner").await;
    for (pool, keyring) in [(&desk.keyring, true), (&owner, false), (&desk.superuser, false)] {
        // An update that revives it, and the row again after its removal.
        for (statement, unprivileged) in [
            (
                "UPDATE stockade.field_subject_keys k SET state = 'active', wrapped = b.wrapped FROM backup.field_subject_keys b \
              WHERE b.subject_id = k.subject_id",
                "42501",
            ),
            (
                "UPDATE stockade.field_keys k SET state = 'active', wrapped = b.wrapped FROM backup.field_keys b \
              WHERE b.key_id = k.key_id",
                "42501",
            ),
            ("DELETE FROM stockade.field_subject_keys", "42501"),
            ("DELETE FROM stockade.field_keys", "42501"),
            ("UPDATE stockade.field_shreds SET state = 'scheduled', ended_by = NULL, ended_at = NULL", "42501"),
            ("UPDATE stockade.field_shreds SET reason = 'none'", "42501"),
            ("DELETE FROM stockade.field_shreds", "42501"),
        ] {
            if std::ptr::eq(pool, &owner) && !statement.contains("shreds") {
                sqlx::raw_sql("GRANT USAGE ON SCHEMA backup TO stockade_owner; GRANT SELECT ON ALL TABLES IN SCHEMA backup TO stockade_owner")
                    .execute(&desk.superuser).await.unwrap();
                // It may see them, as a shred holds them, and change nothing; a DELETE it has no policy for.
                let code = if statement.starts_with("DELETE") { "hidden" } else { "trigger" };
                refused(pool, tenant, statement, code).await;
            } else {
                refused(pool, tenant, statement, if keyring { unprivileged } else { "trigger" }).await;
            }
        }
    }
    // Under its number, under another one, for another subject: the store refuses, by whatever stands in the way.
    for mut record in tenant_keys {
        assert!(matches!(store.insert(&record).await, Err(_) | Ok(Insertion::AlreadyPresent)));
        record.key = stockade_field_crypto::KeyId::new(77).unwrap();
        store.insert(&record).await.unwrap_err();
    }
    assert!(matches!(store.insert_subject(&subject_key).await, Err(_) | Ok(Insertion::AlreadyPresent)));
    let mut other = subject_key.clone();
    (other.subject, other.key) = (new_subject(), stockade_field_crypto::KeyId::new(u32::MAX).unwrap());
    store.insert_subject(&other).await.unwrap_err();
    let mut elsewhere = subject_key;
    elsewhere.tenant = desk.tenant().await;
    // At another tenant it can be put, and unwraps nowhere.
    assert_eq!(store.insert_subject(&elsewhere).await.unwrap(), Insertion::Inserted);
    let keys = desk.another_vault().subject(elsewhere.tenant, subject).await.unwrap();
    let sealed = keys.seal::<crate::support::PatientName>(&uuid::Uuid::nil(), &crate::support::secret("x"));
    assert_eq!(sealed.unwrap_err().kind(), ErrorKind::KeyRejected);
}

#[sqlx::test(migrations = false)]
async fn a_tenant_sees_its_own_subjects_and_shreds(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options.clone()).await;
    let tenants = [desk.tenant().await, desk.tenant().await];
    for tenant in tenants {
        let (subject, _) = desk.patient(tenant, "Ada").await;
        desk.patient(tenant, "Ben").await;
        desk.planner.schedule(&request(ShredTarget::Subject(tenant, subject))).await.unwrap();
    }
    let app = pool_as(options, "stockade_app").await;
    let count = "SELECT (SELECT count(subject_id) FROM stockade.field_subject_keys), (SELECT count(*) FROM stockade.field_shreds)";
    let count = async |tenant: &str| -> (i64, i64) {
        let mut transaction = app.begin().await.unwrap();
        sqlx::query("SELECT set_config('stockade.tenant_id', $1, true)")
            .bind(tenant)
            .execute(&mut *transaction)
            .await
            .unwrap();
        sqlx::query_as(count).fetch_one(&mut *transaction).await.unwrap()
    };
    for tenant in tenants {
        assert_eq!(count(&tenant.to_string()).await, (2, 1));
    }
    assert_eq!(count("").await, (0, 0));
    // Metadata, and no wrapped key.
    for statement in [
        "SELECT wrapped FROM stockade.field_subject_keys",
        "SELECT * FROM stockade.field_subject_keys",
        "INSERT INTO stockade.field_subject_keys (tenant_id) VALUES (gen_random_uuid())",
        "UPDATE stockade.field_subject_keys SET wrapped = wrapped",
    ] {
        refused(&app, tenants[0], statement, "42501").await;
    }
    refused(&desk.shredder_pool, tenants[0], "SELECT wrapped FROM stockade.field_subject_keys", "42501").await;
    refused(&desk.shredder_pool, tenants[0], "SELECT wrapped FROM stockade.field_keys", "42501").await;
}

/// The rows of subjects hold the key of their tenant that wraps them.
#[sqlx::test(migrations = false)]
async fn a_key_that_wraps_subjects_is_not_taken_out_of_use(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let tenant = desk.tenant().await;
    let (subject, row) = desk.patient(tenant, "Ada").await;
    // A new key, as a rotation makes it.
    let keys = stockade_field_crypto::DataKey::generate().unwrap();
    let (id, purpose) = (stockade_field_crypto::KeyId::new(3).unwrap(), stockade_field_crypto::Purpose::Aead);
    let context = stockade_field_crypto::WrapContext::TenantKey { tenant, key: id, purpose };
    let wrapped = stockade_field_crypto::Kms::wrap(&desk.kms, context, &keys).await.unwrap();
    let state = stockade_field_crypto::KeyState::DecryptOnly(wrapped);
    let record = stockade_field_crypto::KeyRecord::new(tenant, id, purpose, state, keys.kcv());
    assert_eq!(desk.vault_store().insert(&record).await.unwrap(), Insertion::Inserted);
    for statement in [
        "UPDATE stockade.field_keys SET state = 'decrypt_only' WHERE key_id = 1",
        "UPDATE stockade.field_keys SET state = 'active' WHERE key_id = 3",
    ] {
        sqlx::query(statement).execute(&desk.superuser).await.unwrap();
    }
    let retire = "UPDATE stockade.field_keys SET state = 'retired' WHERE key_id = 1";
    refused(&desk.superuser, tenant, retire, "trigger").await;
    let done = desk.vault.rewrap_subjects(tenant).await.unwrap();
    assert_eq!((done.rewrapped, done.left), (1, 0));
    assert_eq!(desk.vault.rewrap_subjects(tenant).await.unwrap().rewrapped, 0);
    // Its values are the same, in a process that knows the old key only and in a new one.
    desk.opens(tenant, subject, row, "Ada").await;
    sqlx::query(retire).execute(&desk.superuser).await.unwrap();
    desk.opens(tenant, subject, row, "Ada").await;
    // Nobody wraps a subject under it any more.
    let record = desk.vault_store().load_subjects(tenant, &[subject]).await.unwrap().remove(0);
    let mut late = record.clone();
    late.subject = new_subject();
    late.key = stockade_field_crypto::KeyId::new(u32::MAX).unwrap();
    let stockade_field_crypto::SubjectKeyState::Active(wrapped) = &mut late.state else { panic!("{record:?}") };
    wrapped.by = stockade_field_crypto::KeyId::new(1).unwrap();
    let error = desk.vault_store().insert_subject(&late).await.unwrap_err();
    assert!(error.is_retryable());
    let execution = desk.shredder.execute(uuid::Uuid::nil().into(), "x", &desk.columns(), MONTH).await.unwrap();
    assert_eq!(execution, Execution::Unknown);
}
