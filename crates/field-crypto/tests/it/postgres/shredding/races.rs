//! Several connections that want different things of one shred.

use std::env;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::postgres::{Cancellation, Execution, ShredState, ShredTarget};
use stockade_field_crypto::{OpenError, SubjectId, TenantId};
use uuid::Uuid;

use super::MONTH;
use super::desk::{Desk, request};
use crate::support::new_subject;

fn trials() -> usize {
    env::var("FIELD_CRYPTO_SHRED_RACES").ok().map_or(30, |trials| trials.parse().unwrap())
}

/// Whether the key of a subject is destroyed in the table.
async fn destroyed(desk: &Desk, tenant: TenantId, subject: SubjectId) -> bool {
    sqlx::query_scalar(
        "SELECT wrapped IS NULL FROM stockade.field_subject_keys WHERE tenant_id = $1 AND subject_id = $2",
    )
    .bind(tenant.as_uuid())
    .bind(subject.as_uuid())
    .fetch_one(&desk.superuser)
    .await
    .unwrap()
}

#[sqlx::test(migrations = false)]
async fn cancelling_and_executing_exclude_each_other(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let tenant = desk.tenant().await;
    let (mut cancelled, mut executed) = (0, 0);
    for trial in 0..trials() {
        let subject = new_subject();
        desk.vault.provision_subject(tenant, subject).await.unwrap().unwrap();
        let target = ShredTarget::Subject(tenant, subject);
        // Three wishes at once are one shred.
        let wishes = [request(target), request(target), request(target)];
        let [a, b, c] = &wishes;
        let (a, b, c) = tokio::join!(desk.planner.schedule(a), desk.planner.schedule(b), desk.planner.schedule(c));
        let shred = a.unwrap();
        assert!(b.unwrap() == shred && c.unwrap() == shred);

        let columns = desk.columns();
        let execute = |by| desk.shredder.execute(shred.id, by, &columns, MONTH);
        // In turn one of them has a start.
        let (first, called_off, second) = if trial % 2 == 0 {
            tokio::join!(execute("a"), desk.planner.cancel(shred.id, "b"), execute("c"))
        } else {
            let (called_off, first, second) =
                tokio::join!(desk.planner.cancel(shred.id, "b"), execute("a"), execute("c"));
            (first, called_off, second)
        };
        let both = [first.unwrap(), second.unwrap()];
        let state = desk.planner.find(shred.id).await.unwrap().unwrap().state;
        match called_off.unwrap() {
            Cancellation::Cancelled => {
                assert_eq!(both, [Execution::Cancelled, Execution::Cancelled]);
                assert!(matches!(state, ShredState::Cancelled { .. }));
                assert!(!destroyed(&desk, tenant, subject).await, "a cancelled shred destroyed a key");
                cancelled += 1;
            }
            Cancellation::Executed => {
                let executions = both.iter().filter(|one| matches!(one, Execution::Executed(_))).count();
                let repeated =
                    both.iter().filter(|one| matches!(one, Execution::Repeated(report) if report.keys.is_empty()));
                assert_eq!((executions, repeated.count()), (1, 1));
                assert!(matches!(state, ShredState::Executed { .. }));
                assert!(destroyed(&desk, tenant, subject).await);
                executed += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(cancelled > 0 && executed > 0, "{cancelled} were called off, {executed} executed");
}

/// The control: a shredder that looks first and acts then, without the lock, destroys what was called off in between.
#[sqlx::test(migrations = false)]
async fn without_the_lock_a_cancelled_shred_would_destroy(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let tenant = desk.tenant().await;
    let subject = new_subject();
    desk.vault.provision_subject(tenant, subject).await.unwrap().unwrap();
    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, subject))).await.unwrap();
    let naive = "UPDATE stockade.field_subject_keys SET state = 'destroyed', wrapped = NULL WHERE tenant_id = $1 AND subject_id = $2";
    assert_eq!(desk.shredder.due().await.unwrap().len(), 1);
    assert_eq!(desk.planner.cancel(shred.id, "b").await.unwrap(), Cancellation::Cancelled);
    // What keeps a shredder from being so naive is the trigger, which asks for the shred itself.
    let as_superuser = || sqlx::query(naive).bind(tenant.as_uuid()).bind(subject.as_uuid()).execute(&desk.superuser);
    as_superuser().await.unwrap_err();
    assert!(!destroyed(&desk, tenant, subject).await);
    sqlx::raw_sql("ALTER TABLE stockade.field_subject_keys DISABLE TRIGGER ALL")
        .execute(&desk.superuser)
        .await
        .unwrap();
    as_superuser().await.unwrap();
    assert!(destroyed(&desk, tenant, subject).await);
}

/// A subject that is provisioned while its tenant is shredded is destroyed with it, or is not made.
#[sqlx::test(migrations = false)]
async fn nobody_is_provisioned_into_a_shredded_tenant(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    for _ in 0..trials() {
        let tenant = desk.tenant().await;
        desk.vault.tenant(tenant).await.unwrap();
        let shred = desk.planner.schedule(&request(ShredTarget::Tenant(tenant))).await.unwrap();
        let columns = desk.columns();
        let [a, b, c] = [new_subject(), new_subject(), new_subject()];
        let (done, ..) = tokio::join!(
            desk.shredder.execute(shred.id, "job", &columns, MONTH),
            desk.vault.provision_subject(tenant, a),
            desk.vault.provision_subject(tenant, b),
            desk.vault.provision_subject(tenant, c),
        );
        assert!(matches!(done.unwrap(), Execution::Executed(_)));
        let live: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(wrapped) FROM stockade.field_keys WHERE tenant_id = $1) \
             + (SELECT count(wrapped) FROM stockade.field_subject_keys WHERE tenant_id = $1)",
        )
        .bind(tenant.as_uuid())
        .fetch_one(&desk.superuser)
        .await
        .unwrap();
        assert_eq!(live, 0);
    }
}

/// While it is shredded, others read: what they get is the value or `Destroyed`, and after the end `Destroyed` alone.
#[sqlx::test(migrations = false)]
async fn readers_see_the_value_or_its_end(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::new(pool, options).await;
    let tenant = desk.tenant().await;
    let (subject, row): (SubjectId, Uuid) = desk.patient(tenant, "Ada").await;
    let shred = desk.planner.schedule(&request(ShredTarget::Subject(tenant, subject))).await.unwrap();
    let columns = desk.columns();
    let read = async || {
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.push(desk.open(tenant, subject, row).await);
        }
        seen
    };
    let (done, seen) = tokio::join!(desk.shredder.execute(shred.id, "job", &columns, MONTH), read());
    assert!(matches!(done.unwrap(), Execution::Executed(_)));
    let end = seen.iter().position(|one| *one == Err(OpenError::Destroyed)).unwrap_or(seen.len());
    assert!(seen[..end].iter().all(|one| one.as_deref() == Ok("Ada")), "{seen:?}");
    assert!(seen[end..].iter().all(|one| *one == Err(OpenError::Destroyed)), "{seen:?}");
    assert_eq!(desk.open(tenant, subject, row).await, Err(OpenError::Destroyed));
}
