//! Keys that are needed stay.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_field_crypto::{
    ErrorKind, KeyChange, KeyState, KeyStore as _, OpenError, Purpose, RotationPolicy, Sealed, Secret,
};
use uuid::Uuid;

use super::{AT_ONCE, Desk, to_the_end};
use crate::support::{DriverSsn, DriverSsnIndex, key_id, secret};

const WRITE: &str = "INSERT INTO drivers (id, tenant_id, ssn) VALUES ($1, $2, $3)";
/// No waiting before retirement, but an hour before destruction.
const QUARANTINE: RotationPolicy = AT_ONCE.with_quarantine(Duration::from_secs(3600));

async fn state(desk: &Desk, key: u32) -> KeyState {
    let store = stockade_field_crypto::postgres::PgKeyStore::new(desk.pool.clone());
    store.load(desk.tenant).await.unwrap().into_iter().find(|record| record.key == key_id(key)).unwrap().state
}

#[sqlx::test(migrations = false)]
async fn retire_refuses_with_the_count(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    desk.drivers(desk.tenant, 17).await;
    desk.promote().await;
    for (key, values) in [(key_id(1), 17), (key_id(2), 17)] {
        let refused = desk.vault.retire(desk.tenant, key, &desk.uses(), AT_ONCE).await.unwrap();
        assert_eq!(refused, KeyChange::InUse { values });
    }
    // One value is enough.
    desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap();
    let old = desk.another_vault();
    sqlx::query("UPDATE stockade.field_keys SET state = 'decrypt_only' WHERE state = 'active'")
        .execute(&desk.admin)
        .await
        .unwrap();
    sqlx::query("UPDATE stockade.field_keys SET state = 'active' WHERE key_id IN (1, 2)")
        .execute(&desk.admin)
        .await
        .unwrap();
    let id = Uuid::now_v7();
    let late: Sealed<DriverSsn> = old.tenant(desk.tenant).await.unwrap().seal(&id, &secret("1")).unwrap();
    sqlx::query("UPDATE stockade.field_keys SET state = 'decrypt_only' WHERE key_id IN (1, 2)")
        .execute(&desk.admin)
        .await
        .unwrap();
    sqlx::query("UPDATE stockade.field_keys SET state = 'active' WHERE key_id IN (3, 4)")
        .execute(&desk.admin)
        .await
        .unwrap();
    sqlx::query(WRITE).bind(id).bind(desk.tenant.as_uuid()).bind(late).execute(&desk.admin).await.unwrap();
    let refused = desk.vault.retire(desk.tenant, key_id(1), &desk.uses(), AT_ONCE).await.unwrap();
    assert_eq!(refused, KeyChange::InUse { values: 1 });
    assert!(matches!(state(&desk, 1).await, KeyState::DecryptOnly(_)));
    assert_eq!(desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap().sealed, 1);
    assert_eq!(desk.vault.retire(desk.tenant, key_id(1), &desk.uses(), AT_ONCE).await.unwrap(), KeyChange::Made);
    assert_eq!(desk.vault.retire(desk.tenant, key_id(2), &desk.uses(), AT_ONCE).await.unwrap(), KeyChange::Made);
    assert!(matches!(state(&desk, 1).await, KeyState::Retired(_)));
}

#[sqlx::test(migrations = false)]
async fn each_step_waits_as_long_as_the_policy_says(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let policy = RotationPolicy::default();
    let age = |key: i64| {
        let admin = desk.admin.clone();
        async move {
            sqlx::query(
                "UPDATE stockade.field_keys SET state_since = state_since - interval '8 days' WHERE key_id = $1",
            )
            .bind(key)
            .execute(&admin)
            .await
            .unwrap();
        }
    };
    let new = desk.vault.add_key(desk.tenant, Purpose::Aead).await.unwrap().key;
    assert_eq!(desk.vault.promote(desk.tenant, new, policy).await.unwrap(), KeyChange::TooSoon);
    age(3).await;
    assert_eq!(desk.vault.promote(desk.tenant, new, policy).await.unwrap(), KeyChange::Made);
    let first = key_id(1);
    assert_eq!(desk.vault.retire(desk.tenant, first, &desk.uses(), policy).await.unwrap(), KeyChange::TooSoon);
    age(1).await;
    assert_eq!(
        desk.vault.destroy_retired(desk.tenant, first, &desk.uses(), policy).await.unwrap(),
        KeyChange::WrongState
    );
    assert_eq!(desk.vault.retire(desk.tenant, first, &desk.uses(), policy).await.unwrap(), KeyChange::Made);
    assert_eq!(desk.vault.destroy_retired(desk.tenant, first, &desk.uses(), policy).await.unwrap(), KeyChange::TooSoon);
    age(1).await;
    assert_eq!(desk.vault.destroy_retired(desk.tenant, first, &desk.uses(), policy).await.unwrap(), KeyChange::Made);
    assert!(matches!(state(&desk, 1).await, KeyState::Destroyed));
    // The active key and one that is not there lead nowhere.
    for key in [new, key_id(9)] {
        assert_eq!(desk.vault.retire(desk.tenant, key, &desk.uses(), AT_ONCE).await.unwrap(), KeyChange::WrongState);
        assert_eq!(desk.vault.promote(desk.tenant, key, AT_ONCE).await.unwrap(), KeyChange::WrongState);
    }
}

/// A process that has the old key in its cache goes on sealing under it: before the promotion is known to it, after the
/// count, even after the retirement. What it writes opens everywhere, and the key is not destroyed before it was sealed anew.
#[sqlx::test(migrations = false)]
async fn a_late_writer_loses_nothing(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let late = desk.another_vault();
    let stale = late.tenant(desk.tenant).await.unwrap();
    let write = |ssn: &'static str| {
        let (stale, admin) = (stale.clone(), desk.admin.clone());
        async move {
            let id = Uuid::now_v7();
            let sealed: Sealed<DriverSsn> = stale.seal(&id, &secret(ssn)).unwrap();
            assert_eq!(sealed.key_id(), key_id(1));
            sqlx::query(WRITE).bind(id).bind(stale.tenant().as_uuid()).bind(&sealed).execute(&admin).await.unwrap();
            (id, sealed)
        }
    };
    let open = |id: Uuid, sealed: Sealed<DriverSsn>| {
        let vault = desk.another_vault();
        async move {
            vault.tenant(desk.tenant).await.unwrap().open(&id, &sealed).map(|value| Secret::expose(&value).clone())
        }
    };
    let [new, _] = desk.promote().await;
    let (id, sealed) = write("1").await;
    assert_eq!(open(id, sealed).await.unwrap(), "1");
    desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap();
    assert_eq!(desk.vault.retire(desk.tenant, key_id(1), &desk.uses(), QUARANTINE).await.unwrap(), KeyChange::Made);

    // After the count and the retirement.
    let (id, sealed) = write("2").await;
    assert_eq!(open(id, sealed.clone()).await.unwrap(), "2");
    let destroy = |policy| {
        let uses = desk.uses();
        let vault = &desk.vault;
        async move { vault.destroy_retired(desk.tenant, key_id(1), &uses, policy).await.unwrap() }
    };
    assert_eq!(destroy(QUARANTINE).await, KeyChange::TooSoon);
    assert_eq!(destroy(AT_ONCE).await, KeyChange::InUse { values: 1 });
    assert_eq!(open(id, sealed.clone()).await.unwrap(), "2");
    assert_eq!(desk.rewriter().rewrite(desk.tenant, to_the_end).await.unwrap().sealed, 1);
    let rewritten: Sealed<DriverSsn> =
        sqlx::query_scalar("SELECT ssn FROM drivers WHERE id = $1").bind(id).fetch_one(&desk.admin).await.unwrap();
    assert_eq!(rewritten.key_id(), new);
    assert_eq!(destroy(AT_ONCE).await, KeyChange::Made);
    assert_eq!(open(id, rewritten).await.unwrap(), "2");

    // The control: what is sealed under the destroyed key from now on is lost, which is what the quarantine is for.
    let (id, sealed) = write("3").await;
    assert_eq!(open(id, sealed).await.unwrap_err(), OpenError::Destroyed);
}

/// A transaction that has written under the old key and has not ended: a count that does not wait would miss it.
#[sqlx::test(migrations = false)]
async fn the_count_waits_for_transactions_under_way(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let stale = desk.another_vault().tenant(desk.tenant).await.unwrap();
    desk.promote().await;
    let id = Uuid::now_v7();
    let sealed: Sealed<DriverSsn> = stale.seal(&id, &secret("1")).unwrap();
    let mut writer = desk.admin.begin().await.unwrap();
    sqlx::query(WRITE).bind(id).bind(desk.tenant.as_uuid()).bind(sealed).execute(&mut *writer).await.unwrap();

    // The control: counting alone finds nothing.
    let seen: i64 =
        sqlx::query_scalar("SELECT stockade.field_key_uses('drivers'::regclass, 'tenant_id', 'ssn', $1, 1)")
            .bind(desk.tenant.as_uuid())
            .fetch_one(&desk.admin)
            .await
            .unwrap();
    assert_eq!(seen, 0);

    // It stays open for longer than anybody waits: no answer is better than a wrong one.
    let error = desk.vault.retire(desk.tenant, key_id(1), &desk.uses(), AT_ONCE).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Store, true));
    // It ends while the count waits.
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
        WHERE d.datname = current_database() AND NOT l.granted AND l.mode = 'ShareLock'";
    let uses = desk.uses();
    let retiring = desk.vault.retire(desk.tenant, key_id(1), &uses, AT_ONCE);
    let ending = async {
        while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&desk.admin).await.unwrap() == 0 {}
        writer.commit().await.unwrap();
    };
    let (retired, ()) = tokio::join!(retiring, ending);
    assert_eq!(retired.unwrap(), KeyChange::InUse { values: 1 });
}

/// A value that was sealed by a process that knows the new key, for one that does not: why a new key waits before it seals.
#[sqlx::test(migrations = false)]
async fn a_key_that_all_know_is_promoted(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let unaware = desk.another_vault().tenant(desk.tenant).await.unwrap();
    let new = desk.vault.add_key(desk.tenant, Purpose::Aead).await.unwrap();
    // Added again by another process, it is the same.
    assert_eq!(desk.another_vault().add_key(desk.tenant, Purpose::Aead).await.unwrap(), new);
    let aware = desk.another_vault().tenant(desk.tenant).await.unwrap();
    assert_eq!(aware.seal::<DriverSsn>(&Uuid::nil(), &secret("1")).unwrap().key_id(), key_id(1));
    assert_eq!(desk.vault.promote(desk.tenant, new.key, AT_ONCE).await.unwrap(), KeyChange::Made);
    let sealed = desk.vault.tenant(desk.tenant).await.unwrap().seal::<DriverSsn>(&Uuid::nil(), &secret("1")).unwrap();
    assert_eq!(sealed.key_id(), new.key);
    assert_eq!(aware.open(&Uuid::nil(), &sealed).unwrap().expose(), "1");
    assert_eq!(unaware.open(&Uuid::nil(), &sealed).unwrap_err(), OpenError::Failed);
    aware.probe::<DriverSsnIndex>(&secret("1")).unwrap();
}

/// Two administrators at once.
#[sqlx::test(migrations = false)]
async fn concurrent_steps_are_made_once(pool: PgPoolOptions, options: PgConnectOptions) {
    let desk = Desk::open(pool, &options).await;
    let vaults: Vec<_> = (0..8).map(|_| std::sync::Arc::new(desk.another_vault())).collect();
    let tenant = desk.tenant;
    for round in 0..5 {
        let tasks: Vec<_> = vaults
            .iter()
            .map(|vault| {
                let vault = std::sync::Arc::clone(vault);
                tokio::spawn(async move {
                    let key = vault.add_key(tenant, Purpose::Aead).await.unwrap().key;
                    (key, vault.promote(tenant, key, AT_ONCE).await.unwrap())
                })
            })
            .collect();
        let mut made = Vec::new();
        for task in tasks {
            let (key, change) = task.await.unwrap();
            if change == KeyChange::Made {
                made.push(key);
            }
        }
        assert!(!made.is_empty(), "{round}");
        let active: Vec<i64> = sqlx::query_scalar(
            "SELECT key_id FROM stockade.field_keys WHERE tenant_id = $1 AND purpose = 'aead' AND state = 'active'",
        )
        .bind(tenant.as_uuid())
        .fetch_all(&desk.admin)
        .await
        .unwrap();
        assert_eq!(active.len(), 1);
        assert!(made.iter().any(|key| i64::from(key.as_u32()) == active[0]));
    }
}
