//! Level 1: the context is a capability lease.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use stockade_tenant_guard::{ErrorKind, LeaseLifetime, LeaseOffice, Principal, TenantDb, TenantTx};
use tokio::task::JoinSet;
use tracing::Level;

use crate::actor::{self, USER, dispatcher};
use crate::relay::relayed;
use crate::world::{A, B, Dice, Journal, SEEDED, World, cut, tenant};

/// The database of a leased world, and what it tells.
fn leased(world: &World) -> (TenantDb, Journal) {
    let journal = Journal::default();
    let office = LeaseOffice::new(world.minter(), LeaseLifetime::default());
    (world.db.clone().with_lease(office).with_observer(journal.clone()), journal)
}

async fn seen(tx: &mut TenantTx) -> Vec<Uuid> {
    sqlx::query_scalar("SELECT DISTINCT tenant_id AS owner FROM loads").fetch_all(tx).await.unwrap()
}

#[sqlx::test]
async fn a_lease_opens_its_tenant_with_its_actor(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 1).await;
    let (db, journal) = leased(&world);
    for id in [A, B, A] {
        let mut tx = db.begin(tenant(id)).await.unwrap();
        assert_eq!(seen(&mut tx).await, [id]);
        assert_eq!(actor::facts(&mut tx).await, (None, String::new(), false));
        drop(tx);
        let mut tx = db.begin(Principal::new(tenant(id), dispatcher())).await.unwrap();
        assert_eq!(actor::facts(&mut tx).await, (Some(USER), "2.0_1-z".to_owned(), false));
        tx.commit().await.unwrap();
    }
    assert_eq!(journal.count("LeaseMinted"), 4, "one for each principal");
    let mut tx = db.begin(Principal::new(tenant(A), dispatcher().read_only())).await.unwrap();
    assert_eq!(actor::writes(&mut tx).await, actor::refused());
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn the_plain_setting_is_worth_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 1).await;
    let (db, _) = leased(&world);
    let mut tx = db.begin(tenant(A)).await.unwrap();
    sqlx::query(
        "SELECT set_config('stockade.tenant_id', $1::text, false), set_config('stockade.actor_scopes', 'all', false)",
    )
    .bind(B)
    .execute(&mut tx)
    .await
    .unwrap();
    assert_eq!(seen(&mut tx).await, [A]);
    assert_eq!(actor::facts(&mut tx).await.1, "");
    // Any other secret opens nothing at all.
    sqlx::query("SELECT set_config('stockade.lease', repeat('a', 64), false)").execute(&mut tx).await.unwrap();
    assert!(seen(&mut tx).await.is_empty());
    tx.commit().await.unwrap();
    // And what was forged for the session ends with the scope.
    let mut tx = db.begin(tenant(A)).await.unwrap();
    assert_eq!(seen(&mut tx).await, [A]);
    drop(tx);
    // A client that knows nothing of leases sees nothing.
    let mut tx = world.db.begin(tenant(A)).await.unwrap();
    assert!(seen(&mut tx).await.is_empty());
    drop(tx);
    world.end().await;
}

#[sqlx::test]
async fn the_application_can_neither_mint_nor_read_leases(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 1).await;
    let (db, _) = leased(&world);
    for sql in [
        "SELECT stockade.mint_lease(sha256('x'), gen_random_uuid(), interval '1 hour', NULL, '', false)",
        "SELECT stockade.revoke_lease(sha256('x'))",
        "SELECT * FROM stockade.tenant_lease",
        "INSERT INTO stockade.tenant_lease VALUES (sha256('x'), gen_random_uuid(), NULL, '', false, now() + interval '1 hour')",
    ] {
        let mut tx = db.begin(tenant(A)).await.unwrap();
        let error = sqlx::query(sql).execute(&mut tx).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501", "{sql}");
    }
    // Nor can the minter read a tenant.
    let error = sqlx::query("SELECT * FROM loads").execute(&world.minter()).await.unwrap_err();
    assert_eq!(error.as_database_error().unwrap().code().unwrap(), "42501");
    // An office over the application's own login gets no lease.
    let wrong = LeaseOffice::new(world.another_pool(1), LeaseLifetime::default());
    let error = world.db.clone().with_lease(wrong).begin(tenant(A)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseUnavailable);
    assert!(!error.is_retryable());
    world.end().await;
}

#[sqlx::test]
async fn the_minter_learns_the_digest_and_not_the_secret(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 1).await;
    let (db, _) = leased(&world);
    let mut tx = db.begin(tenant(A)).await.unwrap();
    let secret: String =
        sqlx::query_scalar("SELECT current_setting('stockade.lease')").fetch_one(&mut tx).await.unwrap();
    assert_eq!(secret.len(), 64);
    assert!(!format!("{db:?} {tx:?}").contains(&secret));
    drop(tx);
    let known: Vec<Vec<u8>> = sqlx::query_scalar("SELECT digest FROM stockade.tenant_lease")
        .fetch_all(&mut world.admin().await)
        .await
        .unwrap();
    let digest: Vec<u8> = sqlx::query_scalar("SELECT sha256($1::bytea)")
        .bind(secret.as_bytes())
        .fetch_one(&mut world.admin().await)
        .await
        .unwrap();
    assert_eq!(known, [digest]);
    world.end().await;
}

/// What sqlx and this crate log, at every level.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[sqlx::test]
async fn the_secret_is_in_no_log(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 1).await;
    let (db, _) = leased(&world);
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(Level::TRACE).with_writer(move || writer.clone()).finish();
    let _default = tracing::subscriber::set_default(subscriber);

    let mut tx = db.begin(tenant(A)).await.unwrap();
    let secret: String =
        sqlx::query_scalar("SELECT current_setting('stockade.lease')").fetch_one(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    drop(db.read(tenant(A)).await.unwrap());
    world.no_open_transaction().await;
    // The control: what sqlx itself sends with `raw_sql`.
    let raw = format!("SET stockade.lease = '{}'", secret.replace(|_| true, "7"));
    sqlx::raw_sql(AssertSqlSafe(raw)).execute(&world.pool).await.unwrap();

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("mint_lease"), "{log}");
    assert_eq!(log.contains("lease minted"), cfg!(feature = "tracing"), "{log}");
    assert!(log.contains(&"7".repeat(64)), "sqlx no longer logs statements: the control is gone");
    assert!(!log.contains(&secret));
    world.end().await;
}

#[sqlx::test]
async fn ten_thousand_interleaved_scopes_never_get_anothers_lease(_: PgPoolOptions, options: PgConnectOptions) {
    const SCOPES: usize = 10_000;
    let world = World::leased(options, 4).await;
    let (db, journal) = leased(&world);
    let mut workers = JoinSet::new();
    for worker in 0..8 {
        let db = db.clone();
        workers.spawn(async move {
            let mut dice = Dice::new(worker);
            for _ in 0..SCOPES / 8 {
                let id = [A, B][dice.below(2)];
                let actor = (dice.below(2) == 0).then_some(USER);
                let principal = match actor {
                    Some(_) => Principal::new(tenant(id), dispatcher()),
                    None => Principal::from(tenant(id)),
                };
                let mut tx = db.begin(principal).await.unwrap();
                let context: (Option<Uuid>, Option<Uuid>) = sqlx::query_as(
                    "SELECT t.tenant_id AS tenant, a.actor_id FROM stockade.current_tenant t, stockade.current_actor a",
                )
                .fetch_one(&mut tx)
                .await
                .unwrap();
                assert_eq!(context, (Some(id), actor));
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    assert_eq!(journal.count("LeaseMinted"), 4, "one for each principal, however many asked at once");
    world.no_open_transaction().await;
    world.end().await;
}

#[sqlx::test]
async fn many_that_begin_at_once_share_one_mint(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 4).await;
    let (db, journal) = leased(&world);
    let mut scopes = JoinSet::new();
    for _ in 0..100 {
        let db = db.clone();
        scopes.spawn(async move { seen(&mut db.begin(tenant(A)).await.unwrap()).await });
    }
    assert!(scopes.join_all().await.iter().all(|owners| owners == &[A]));
    assert_eq!(journal.count("LeaseMinted"), 1);
    let leases: i64 = sqlx::query_scalar("SELECT count(*) FROM stockade.tenant_lease")
        .fetch_one(&mut world.admin().await)
        .await
        .unwrap();
    assert_eq!(leases, 1);
    world.end().await;
}

#[sqlx::test]
async fn kept_leases_serve_while_the_minter_is_down(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 1).await;
    let minter = world.minter();
    let journal = Journal::default();
    let office = LeaseOffice::new(minter.clone(), LeaseLifetime::default());
    let db = world.db.clone().with_lease(office).with_observer(journal.clone());
    assert_eq!(seen(&mut db.begin(tenant(A)).await.unwrap()).await, [A]);
    minter.close().await;
    assert_eq!(seen(&mut db.begin(tenant(A)).await.unwrap()).await, [A]);
    let error = db.begin(tenant(B)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LeaseUnavailable);
    assert_eq!(error.to_string(), "no lease could be minted for the tenant's scope");
    assert_eq!(journal.count("LeaseFailed"), 1);
    world.end().await;
}

#[sqlx::test]
async fn a_lease_that_ends_in_mid_transaction_lasts_for_it(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 1).await;
    let (db, journal) = leased(&world);
    let mut tx = db.begin(tenant(A)).await.unwrap();
    assert_eq!(seen(&mut tx).await, [A]);
    let mut admin = world.admin().await;
    // As if time had passed: it ended after the transaction began, by the clock that policies look at.
    sqlx::query("UPDATE stockade.tenant_lease SET expires_at = now()").execute(&mut admin).await.unwrap();
    assert_eq!(seen(&mut tx).await, [A], "a transaction that began in time goes on");
    tx.commit().await.unwrap();
    // The server no longer knows it, and this process, whose clock says otherwise, fails closed.
    let mut tx = db.begin(tenant(A)).await.unwrap();
    assert!(seen(&mut tx).await.is_empty());
    assert_eq!(actor::writes(&mut tx).await, [Ok(0), Ok(0), Ok(0)]);
    drop(tx);
    assert_eq!(db.revoke_leases(tenant(A)).await.unwrap(), 1);
    assert_eq!(seen(&mut db.begin(tenant(A)).await.unwrap()).await, [A]);
    assert_eq!(journal.count("LeaseMinted"), 2);
    world.end().await;
}

#[sqlx::test]
async fn leases_are_renewed_before_they_end(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 1).await;
    let lifetime = LeaseLifetime::try_from(Duration::from_secs(3)).unwrap();
    let journal = Journal::default();
    let db = world.db.clone().with_lease(LeaseOffice::new(world.minter(), lifetime)).with_observer(journal.clone());
    // Long enough for two renewals, whatever the machine's speed: a scope always sees its rows.
    while journal.count("LeaseMinted") < 3 {
        assert_eq!(seen(&mut db.begin(tenant(A)).await.unwrap()).await, [A]);
    }
    world.end().await;
}

#[sqlx::test]
async fn revoked_leases_open_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 2).await;
    let (db, journal) = leased(&world);
    let mut a = db.begin(tenant(A)).await.unwrap();
    let mut b = db.begin(tenant(B)).await.unwrap();
    assert_eq!(seen(&mut a).await, [A]);
    assert_eq!(db.revoke_leases(tenant(A)).await.unwrap(), 1);
    assert!(seen(&mut a).await.is_empty(), "also in a scope that is open");
    assert_eq!(seen(&mut b).await, [B]);
    drop((a, b));
    assert_eq!(db.revoke_leases(tenant(A)).await.unwrap(), 0);
    assert_eq!(journal.count("LeasesRevoked"), 2);
    // The next scope gets a new one.
    assert_eq!(seen(&mut db.begin(tenant(A)).await.unwrap()).await, [A]);
    assert_eq!(world.rows(A).await, SEEDED);
    world.end().await;
}

#[sqlx::test]
async fn every_await_of_a_leased_begin_can_be_cut(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(relayed(options).await, 1).await;
    let mut begun = 0;
    for polls in 1..=20 {
        // A new office each time, so that the cut reaches the mint.
        let (db, _) = leased(&world);
        begun += usize::from(cut(polls, db.begin(tenant(A))).await.is_some());
        let left: String = sqlx::query_scalar("SELECT coalesce(current_setting('stockade.lease', true), '')")
            .fetch_one(&world.pool)
            .await
            .unwrap();
        assert_eq!(left, "", "after {polls} polls");
        assert_eq!(seen(&mut db.begin(tenant(B)).await.unwrap()).await, [B]);
        assert_eq!(seen(&mut db.begin(tenant(A)).await.unwrap()).await, [A]);
    }
    assert!((1..20).contains(&begun), "{begun} of 20 were not cut");
    world.end().await;
}

#[sqlx::test]
async fn known_limit_a_session_of_the_same_role_can_read_the_secret(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::leased(options, 2).await;
    let (db, _) = leased(&world);
    let tx = db.begin(tenant(B)).await.unwrap();
    let seen: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'BEGIN; SET LOCAL stockade.lease%'",
    )
    .fetch_one(&world.pool)
    .await
    .unwrap();
    assert_eq!(seen, 1);
    drop(tx);
    // The remedy, for which one must be a superuser.
    let mut admin = world.admin().await;
    sqlx::query("REVOKE EXECUTE ON FUNCTION pg_stat_get_activity(int) FROM PUBLIC").execute(&mut admin).await.unwrap();
    let refused = sqlx::query("SELECT * FROM pg_stat_activity").execute(&world.pool).await.unwrap_err();
    assert_eq!(refused.as_database_error().unwrap().code().unwrap(), "42501");
    assert!(db.begin(tenant(A)).await.is_ok());
    world.end().await;
}
