//! A cached authority is the one of the database.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stockade_rbac::postgres::{ActorCache, Loaded};
use stockade_rbac::{ManualClock, Scope};
use uuid::Uuid;

use super::support::{Database, Perm, enter, policy};

const GRANT: &str = "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason) VALUES ($1, $2, 'accountant', $2, 'x')";
const REVOKE: &str =
    "DELETE FROM stockade.rbac_role_assignment WHERE tenant_id = $1 AND user_id = $2 AND role = 'accountant'";

fn cache(capacity: usize) -> ActorCache<Perm> {
    ActorCache::new(policy(), capacity.try_into().unwrap())
}

async fn load(cache: &ActorCache<Perm>, database: &Database, user: Uuid) -> Option<Loaded<Perm>> {
    cache.load(&mut *database.begin().await, user).await.unwrap()
}

#[sqlx::test(migrations = false)]
async fn an_unchanged_person_is_kept_and_a_changed_one_is_not(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let people = [database.person("viewer").await, database.person("viewer").await];
    let cache = cache(1);
    for user in [people[0], people[1], people[0], people[0]] {
        let loaded = load(&cache, &database, user).await.unwrap();
        assert_eq!(loaded.subject_version(), database.load(&policy(), user).await.unwrap().subject_version());
    }
    let first = load(&cache, &database, people[0]).await.unwrap().loaded_at();
    assert_eq!(load(&cache, &database, people[0]).await.unwrap().loaded_at(), first, "it is the kept one");
    database.run(GRANT, &[database.tenant, people[0]]).await.unwrap();
    let changed = load(&cache, &database, people[0]).await.unwrap();
    assert!(first < changed.loaded_at() && changed.build().scope(Perm::Post) == Scope::Tenant);
    database
        .run("UPDATE stockade.rbac_member SET status = 'suspended' WHERE user_id = $1", &[people[0]])
        .await
        .unwrap();
    assert!(load(&cache, &database, people[0]).await.is_none());
    let elsewhere = cache.load(&mut *database.begin_in(Uuid::now_v7()).await, people[1]).await.unwrap();
    assert!(elsewhere.is_none(), "the same person is nobody in another tenant");
}

#[sqlx::test(migrations = false)]
async fn what_expires_is_not_kept_beyond_its_end(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let user = database.person("viewer").await;
    let brief = "INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason, expires_at)
        VALUES ($1, $2, 'accountant', $2, 'x', clock_timestamp() + interval '300 milliseconds')";
    database.run(brief, &[database.tenant, user]).await.unwrap();
    // The policy's clock stands still, so that only the database's time can end it.
    let policy = policy().with_clock(ManualClock::at(chrono::Utc::now() - chrono::TimeDelta::hours(1)));
    let cache = ActorCache::new(policy, 8.try_into().unwrap());
    let loaded = load(&cache, &database, user).await.unwrap();
    let until = loaded.valid_until().unwrap();
    assert_eq!(loaded.build().scope(Perm::Post), Scope::Tenant);
    loop {
        let loaded = load(&cache, &database, user).await.unwrap();
        let now: chrono::DateTime<chrono::Utc> =
            sqlx::query_scalar("SELECT statement_timestamp()").fetch_one(&database.app).await.unwrap();
        let scope = loaded.build().scope(Perm::Post);
        if scope == Scope::None {
            assert!(until <= now);
            break;
        }
        assert!(now < until + chrono::TimeDelta::seconds(20), "it never ended");
    }
}

/// A transaction that is rolled back has seen a version. A counter would give the next change the same one.
#[sqlx::test(migrations = false)]
async fn what_a_rolled_back_transaction_has_seen_is_nobodys_authority(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Database::install(pool, login).await;
    let user = database.person("viewer").await;
    let deny = "INSERT INTO stockade.rbac_override (tenant_id, user_id, permission, effect, granted_by, reason) VALUES ($1, $2, 'load.view', 'deny', $2, 'x')";
    let attempt = async |cache: &ActorCache<Perm>| {
        let mut tx = database.begin().await;
        sqlx::query(GRANT).bind(database.tenant).bind(user).execute(&mut *tx).await.unwrap();
        let inside = cache.load(&mut *tx, user).await.unwrap().unwrap().build();
        assert_eq!(inside.scope(Perm::Post), Scope::Tenant);
        tx.rollback().await.unwrap();
        database.run(deny, &[database.tenant, user]).await.unwrap();
        load(cache, &database, user).await.unwrap().build().scope(Perm::Post)
    };
    assert_eq!(attempt(&cache(8)).await, Scope::None);

    let counter = "CREATE OR REPLACE FUNCTION stockade.rbac_changed(tenant uuid, people uuid[]) RETURNS void LANGUAGE plpgsql AS $$
        BEGIN UPDATE stockade.rbac_subject_version SET version = version + 1 WHERE tenant_id = tenant AND user_id = ANY (people); END $$;
        DELETE FROM stockade.rbac_override";
    sqlx::raw_sql(counter).execute(&database.superuser).await.unwrap();
    assert_eq!(
        attempt(&cache(8)).await,
        Scope::Tenant,
        "the control: with a counter the rolled back authority comes back"
    );
}

/// Grants and revokes while others ask; gives how often somebody was allowed although a revocation had been committed, by a
/// cache that asks the database and by one that keeps what it has for a time.
#[sqlx::test(migrations = false)]
async fn no_allow_is_stale_after_the_commit_that_revokes(pool: PgPoolOptions, login: PgConnectOptions) {
    let database = Arc::new(Database::install(pool, login).await);
    let user = database.person("viewer").await;
    let cache = Arc::new(cache(8));
    // Odd while the role may be there; the number changes with each grant.
    let (phase, done) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let reader = |number: usize| {
        let (database, cache, phase, done) = (database.clone(), cache.clone(), phase.clone(), done.clone());
        tokio::spawn(async move {
            let mut connection = super::support::connect(&database.app).await;
            let (mut checked, mut allowed, mut stale, mut control) = (0, 0, 0, 0);
            let mut kept: HashMap<Uuid, Loaded<Perm>> = HashMap::new();
            while !done.load(Ordering::SeqCst) {
                let before = phase.load(Ordering::SeqCst);
                let mut tx = sqlx::Connection::begin(&mut connection).await.unwrap();
                enter(&mut tx, database.tenant).await;
                let loaded = cache.load(&mut *tx, user).await.unwrap().unwrap();
                drop(tx);
                // The control keeps what it first saw for a minute, which is longer than the test.
                let old = kept.entry(user).or_insert_with(|| loaded.clone()).clone();
                let unchanged = phase.load(Ordering::SeqCst) == before;
                let may = |loaded: Loaded<Perm>| loaded.build().scope(Perm::Post) != Scope::None;
                let now = may(loaded);
                allowed += u32::from(now);
                if unchanged && before.is_multiple_of(2) {
                    checked += 1;
                    stale += u32::from(now);
                    control += u32::from(may(old));
                }
                if number == 0 && !now && kept.len() == 1 && !may(kept[&user].clone()) {
                    kept.clear();
                }
            }
            [checked, allowed, stale, control]
        })
    };
    let readers: Vec<_> = (0..3).map(reader).collect();
    for _ in 0..super::support::rounds("STOCKADE_RACES", 300) {
        phase.fetch_add(1, Ordering::SeqCst);
        database.run(GRANT, &[database.tenant, user]).await.unwrap();
        tokio::task::yield_now().await;
        database.run(REVOKE, &[database.tenant, user]).await.unwrap();
        phase.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    done.store(true, Ordering::SeqCst);
    let mut all = [0; 4];
    for reader in readers {
        for (sum, number) in all.iter_mut().zip(reader.await.unwrap()) {
            *sum += number;
        }
    }
    let [checked, allowed, stale, control] = all;
    assert_eq!(stale, 0, "of {checked}");
    assert!(checked > 50 && allowed > 10, "hardly a test: {checked} checked, {allowed} allowed");
    assert!(control > 0, "the control: a cache that keeps for a time allows what was revoked");
}
