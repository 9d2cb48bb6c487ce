//! A backup that brings destroyed keys back.

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{Execution, Replay, ShredState, ShredTarget, Tombstone};
use stockade_field_crypto::{OpenError, TenantId};

use super::MONTH;
use super::desk::{Desk, report, request};
use crate::support::new_subject;

/// A tenant's rows of the key tables and of the history, as a backup has them.
pub(crate) async fn back_up(pool: &PgPool) {
    sqlx::raw_sql(
        "DROP SCHEMA IF EXISTS backup CASCADE;
         CREATE SCHEMA backup;
         CREATE TABLE backup.field_keys AS TABLE stockade.field_keys;
         CREATE TABLE backup.field_subject_keys AS TABLE stockade.field_subject_keys;
         CREATE TABLE backup.field_shreds AS TABLE stockade.field_shreds;",
    )
    .execute(pool)
    .await
    .unwrap();
}

/// Puts the tenant's rows in their place, without triggers, as `pg_restore` does.
pub(crate) async fn restore(pool: &PgPool, tenant: TenantId) {
    let mut transaction = pool.begin().await.unwrap();
    for statement in ["SET LOCAL session_replication_role = replica", "DROP TABLE IF EXISTS restored"] {
        sqlx::query(statement).execute(&mut *transaction).await.unwrap();
    }
    for statement in [
        "DELETE FROM stockade.field_keys WHERE tenant_id = $1",
        "DELETE FROM stockade.field_subject_keys WHERE tenant_id = $1",
        "DELETE FROM stockade.field_shreds WHERE tenant_id = $1",
        "INSERT INTO stockade.field_keys SELECT * FROM backup.field_keys WHERE tenant_id = $1",
        "INSERT INTO stockade.field_subject_keys SELECT * FROM backup.field_subject_keys WHERE tenant_id = $1",
        "INSERT INTO stockade.field_shreds SELECT * FROM backup.field_shreds WHERE tenant_id = $1",
    ] {
        sqlx::query(statement).bind(tenant.as_uuid()).execute(&mut *transaction).await.unwrap();
    }
    transaction.commit().await.unwrap();
}

/// The list as it is kept: text.
pub(crate) async fn exported(desk: &Desk) -> Vec<Tombstone> {
    let lines: Vec<String> = desk.shredder.tombstones().await.unwrap().iter().map(ToString::to_string).collect();
    lines.iter().map(|line| line.parse().unwrap()).collect()
}

#[sqlx::test(migrations = false)]
async fn a_replay_after_a_restore_destroys_again(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let (tenant, other) = (desk.tenant().await, desk.tenant().await);
    let (ada, ada_row) = desk.patient(tenant, "Ada").await;
    let (ben, ben_row) = desk.patient(tenant, "Ben").await;
    let (zoe, zoe_row) = desk.patient(other, "Zoe").await;
    // The backup knows another plan for Ada, which is called off later.
    let first = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ada))).await.unwrap();
    back_up(&desk.superuser).await;
    desk.planner.cancel(first.id, "dpo").await.unwrap();
    let late = new_subject();
    let late_row = desk.patient_as(tenant, late, "Late").await;
    let mut shreds = Vec::new();
    for target in [ShredTarget::Subject(tenant, ada), ShredTarget::Subject(tenant, late), ShredTarget::Tenant(other)] {
        let shred = desk.planner.schedule(&request(target)).await.unwrap();
        report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
        shreds.push(shred.id);
    }
    let list = exported(&desk).await;
    assert_eq!(list.len(), 5, "Ada, Late, and Zoe with the two keys of her tenant");
    let before = desk.planner.history(tenant).await.unwrap();

    for tenant in [tenant, other] {
        restore(&desk.superuser, tenant).await;
    }
    // The attack: what was destroyed opens again.
    desk.opens(tenant, ada, ada_row, "Ada").await;
    desk.opens(other, zoe, zoe_row, "Zoe").await;

    // Neither of the two roles may replay.
    for pretender in [&desk.planner, &desk.shredder] {
        pretender.replay(&list).await.unwrap_err();
    }
    let replayed = desk.owner.replay(&list).await.unwrap();
    let outcomes: Vec<_> = shreds.iter().copied().zip([1, 0, 3].map(|keys| Replay::Destroyed { keys })).collect();
    assert_eq!(replayed, outcomes);
    assert_eq!(desk.open(tenant, ada, ada_row).await, Err(OpenError::Destroyed));
    assert_eq!(desk.open(other, zoe, zoe_row).await, Err(OpenError::Destroyed));
    // A key that the backup does not know has its tombstone, so that its number is not used again.
    assert_eq!(desk.open(tenant, late, late_row).await, Err(OpenError::Destroyed));
    assert_eq!(desk.vault.provision_subject(tenant, late).await.unwrap(), None);
    desk.opens(tenant, ben, ben_row, "Ben").await;
    let after = desk.planner.history(tenant).await.unwrap();
    assert_eq!(after.iter().filter(|shred| matches!(shred.state, ShredState::Executed { .. })).count(), 2);
    assert!(after.iter().any(|shred| shred.id == first.id && matches!(shred.state, ShredState::Cancelled { .. })));
    assert_eq!(before.len(), after.len());

    // Again: nothing. And the list has not changed.
    let again = desk.owner.replay(&list).await.unwrap();
    assert!(again.iter().all(|(_, replay)| *replay == Replay::Destroyed { keys: 0 }));
    let mut now: Vec<_> = exported(&desk).await.iter().map(|one| (one.shred, one.key, one.kcv.to_string())).collect();
    let mut then: Vec<_> = list.iter().map(|one| (one.shred, one.key, one.kcv.to_string())).collect();
    now.sort();
    then.sort();
    assert_eq!(now, then);
    // The blind indexes follow with a repeated execution.
    let execution = desk.shredder.execute(shreds[0], "job", &desk.columns(), MONTH).await.unwrap();
    assert!(matches!(execution, Execution::Repeated(_)));
}

#[sqlx::test(migrations = false)]
async fn a_list_that_contradicts_the_database_changes_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let tenant = desk.tenant().await;
    back_up(&desk.superuser).await;
    let (ada, _) = desk.patient(tenant, "Ada").await;
    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ada))).await.unwrap();
    report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    let list = exported(&desk).await;
    // Somebody starts the application before the replay, and Ada signs up again: another key.
    restore(&desk.superuser, tenant).await;
    desk.vault.evict_all();
    let row = desk.patient_as(tenant, ada, "Ada II").await;
    assert_eq!(desk.owner.replay(&list).await.unwrap(), [(shred.id, Replay::Conflict)]);
    desk.opens(tenant, ada, row, "Ada II").await;
    assert!(desk.planner.history(tenant).await.unwrap().is_empty());
    // The list says that it was executed, the database that it was called off.
    let (ben, row) = desk.patient(tenant, "Ben").await;
    let off = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ben))).await.unwrap();
    desk.planner.cancel(off.id, "dpo").await.unwrap();
    let mut forged = list[0].clone();
    (forged.shred, forged.target, forged.owner) = (off.id, off.target, Some(ben));
    assert_eq!(desk.owner.replay(&[forged]).await.unwrap(), [(off.id, Replay::Conflict)]);
    desk.opens(tenant, ben, row, "Ben").await;
}

/// Only the key tables were restored: the history says that the shred was executed.
#[sqlx::test(migrations = false)]
async fn half_a_restore_is_mended_by_repeating_the_shred(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let tenant = desk.tenant().await;
    let (ada, row) = desk.patient(tenant, "Ada").await;
    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ada))).await.unwrap();
    back_up(&desk.superuser).await;
    report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    sqlx::raw_sql("DROP TABLE backup.field_shreds; CREATE TABLE backup.field_shreds AS TABLE stockade.field_shreds")
        .execute(&desk.superuser)
        .await
        .unwrap();
    restore(&desk.superuser, tenant).await;
    desk.opens(tenant, ada, row, "Ada").await;
    let execution = desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap();
    let Execution::Repeated(repeated) = execution else { panic!("{execution:?}") };
    assert_eq!(repeated.keys.len(), 1);
    assert_eq!(desk.open(tenant, ada, row).await, Err(OpenError::Destroyed));
}
