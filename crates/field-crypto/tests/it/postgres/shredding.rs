//! Destroying keys on a real server.

mod crashes;
pub(crate) mod desk;
mod model;
mod races;
pub(crate) mod restore;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{Cancellation, Execution, Retention, ShredRequest, ShredState, ShredTarget};
use stockade_field_crypto::{ErrorKind, OpenError, Purpose};
use uuid::Uuid;

use self::desk::{Desk, report, request};
use crate::support::{DriverSsn, DriverSsnIndex, PatientName, new_subject, secret};

pub(crate) const MONTH: Retention = Retention::For(Duration::from_secs(30 * 24 * 60 * 60));

#[sqlx::test(migrations = false)]
async fn a_shred_waits_for_its_grace(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let (tenant, patient) = (desk.tenant().await, desk.columns());
    let (subject, row) = desk.patient(tenant, "Ada").await;
    let target = ShredTarget::Subject(tenant, subject);
    let shred = desk.planner.schedule(&ShredRequest::new(target, "request 17", "dpo").unwrap()).await.unwrap();
    assert_eq!(shred.execute_after - shred.requested_at, chrono::TimeDelta::days(7));
    assert_eq!((&*shred.reason, &*shred.requested_by, &shred.state), ("request 17", "dpo", &ShredState::Scheduled));
    // A second wish for the same person is the first one.
    let again = desk.planner.schedule(&request(target)).await.unwrap();
    assert_eq!(again, shred);
    let execution = desk.shredder.execute(shred.id, "job", &patient, MONTH).await.unwrap();
    assert_eq!(execution, Execution::NotDue { execute_after: shred.execute_after });
    assert!(desk.shredder.due().await.unwrap().is_empty());
    desk.opens(tenant, subject, row, "Ada").await;

    // Called off, it is never executed; the person can be scheduled again.
    assert_eq!(desk.planner.cancel(shred.id, "dpo").await.unwrap(), Cancellation::Cancelled);
    assert_eq!(desk.planner.cancel(shred.id, "dpo").await.unwrap(), Cancellation::AlreadyCancelled);
    let execution = desk.shredder.execute(shred.id, "job", &patient, MONTH).await.unwrap();
    assert_eq!(execution, Execution::Cancelled);
    let second = desk.planner.schedule(&request(target)).await.unwrap();
    assert_eq!(desk.shredder.due().await.unwrap(), std::slice::from_ref(&second));
    desk.opens(tenant, subject, row, "Ada").await;
    report(desk.shredder.execute(second.id, "job", &patient, MONTH).await.unwrap());
    assert_eq!(desk.planner.cancel(second.id, "dpo").await.unwrap(), Cancellation::Executed);

    let states: Vec<_> = desk.planner.history(tenant).await.unwrap().into_iter().map(|shred| shred.state).collect();
    assert!(
        matches!(&states[..], [ShredState::Cancelled { by: a, .. }, ShredState::Executed { by: b, .. }] if a == "dpo" && b == "job")
    );
    let nobody = Uuid::now_v7().into();
    assert_eq!(desk.planner.cancel(nobody, "dpo").await.unwrap(), Cancellation::Unknown);
    assert_eq!(desk.shredder.execute(nobody, "job", &patient, MONTH).await.unwrap(), Execution::Unknown);
    assert_eq!(desk.planner.find(nobody).await.unwrap(), None);
    assert_eq!(desk.planner.find(shred.id).await.unwrap().unwrap().id, shred.id);
}

#[sqlx::test(migrations = false)]
async fn a_shredded_subject_is_gone_and_nobody_else(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let (tenant, other) = (desk.tenant().await, desk.tenant().await);
    let (ada, row) = desk.patient(tenant, "Ada").await;
    let (ben, ben_row) = desk.patient(tenant, "Ben").await;
    // The same person at another tenant is another subject.
    let elsewhere = desk.patient_as(other, ada, "Ada").await;
    assert_eq!(desk.index_entries().await, 3);
    let made = desk.vault.subject(tenant, ada).await.unwrap().key_id().unwrap();

    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ada))).await.unwrap();
    let done = report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    assert_eq!((done.shred, done.target), (shred.id, shred.target));
    assert_eq!(done.keys.iter().map(|key| (key.key, key.purpose)).collect::<Vec<_>>(), [(made, Purpose::Aead)]);
    assert_eq!((done.index_entries, desk.index_entries().await), (1, 2));
    assert_eq!(done.effective_in_backups_at.unwrap() - done.effective_live_at, chrono::TimeDelta::days(30));
    assert_eq!(done.keks.iter().map(|kek| kek.as_str()).collect::<Vec<_>>(), ["k1"]);
    assert_eq!(done.wrapped_by.unwrap().as_u32(), 1);

    desk.vault.evict(tenant);
    assert_eq!(desk.open(tenant, ada, row).await.unwrap_err(), OpenError::Destroyed);
    let keys = desk.vault.subject(tenant, ada).await.unwrap();
    assert_eq!(keys.seal::<PatientName>(&row, &secret("Ada")).unwrap_err().kind(), ErrorKind::KeyDestroyed);
    assert_eq!(desk.vault.provision_subject(tenant, ada).await.unwrap(), None);
    desk.opens(tenant, ben, ben_row, "Ben").await;
    desk.opens(other, ada, elsewhere, "Ada").await;

    // Again, because a request that held the key has written an index entry meanwhile.
    sqlx::query("UPDATE patients SET name_index = '\\x01' WHERE id = $1")
        .bind(row)
        .execute(&desk.superuser)
        .await
        .unwrap();
    let again = desk.shredder.execute(shred.id, "job", &desk.columns(), Retention::Unlimited).await.unwrap();
    let Execution::Repeated(again) = again else { panic!("{again:?}") };
    assert_eq!((again.keys.len(), again.index_entries, again.effective_in_backups_at), (0, 1, None));
    assert_eq!(again.effective_live_at, done.effective_live_at);
}

#[sqlx::test(migrations = false)]
async fn a_shredded_tenant_is_gone_with_its_subjects(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let (tenant, other) = (desk.tenant().await, desk.tenant().await);
    let (ada, row) = desk.patient(tenant, "Ada").await;
    let (zoe, zoe_row) = desk.patient(other, "Zoe").await;
    let keys = desk.vault.tenant(tenant).await.unwrap();
    let ssn = keys.seal::<DriverSsn>(&row, &secret("078-05-1120")).unwrap();
    let shred = desk.planner.schedule(&request(ShredTarget::Tenant(tenant))).await.unwrap();
    let done = report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    assert_eq!((done.keys.len(), done.index_entries, done.wrapped_by), (3, 1, None));

    // The handle of a request that is under way works until it ends, and no longer.
    assert_eq!(keys.open(&row, &ssn).unwrap().expose(), "078-05-1120");
    desk.vault.evict(tenant);
    let keys = desk.vault.tenant(tenant).await.unwrap();
    assert_eq!(keys.open(&row, &ssn).unwrap_err(), OpenError::Destroyed);
    assert_eq!(keys.index::<DriverSsnIndex>(&secret("1")).unwrap_err().kind(), ErrorKind::KeyDestroyed);
    assert_eq!(desk.open(tenant, ada, row).await.unwrap_err(), OpenError::Destroyed);
    assert_eq!(desk.vault.provision(tenant).await.unwrap(), []);
    let error = desk.vault.provision_subject(tenant, new_subject()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyDestroyed);
    desk.opens(other, zoe, zoe_row, "Zoe").await;
    assert_eq!(desk.index_entries().await, 1);
}

#[sqlx::test(migrations = false)]
async fn coverage_tells_what_a_shred_left_behind(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let tenant = desk.tenant().await;
    let (ada, _) = desk.patient(tenant, "Ada").await;
    desk.patient(tenant, "Ben").await;
    let mut connection = desk.superuser.acquire().await.unwrap();
    let before = desk.columns().coverage(&mut connection).await.unwrap();
    assert_eq!((before.len(), before[0].totals().current, before[0].totals().destroyed), (1, 2, 0));
    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, ada))).await.unwrap();
    report(desk.shredder.execute(shred.id, "job", &desk.columns(), MONTH).await.unwrap());
    let totals = desk.columns().coverage(&mut connection).await.unwrap()[0].totals();
    assert_eq!((totals.current, totals.destroyed, totals.lost, totals.malformed), (1, 1, 0, 0));
}
