//! Platform staff: recorded before it looks, and unable to write three times over.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use stockade_tenant_guard::{Actor, BoxError, ErrorKind, ImpersonationGrant, TenantId};

use crate::actor::USER;
use crate::world::{A, B, Journal, SEEDED, World, tenant};

struct Grant {
    actor: Actor,
    seen_as: Option<Actor>,
    expires_at: DateTime<Utc>,
    journal: Journal,
    recorded: fn() -> Result<(), BoxError>,
}

impl Grant {
    fn new(journal: &Journal) -> Self {
        let expires_at = Utc::now() + TimeDelta::minutes(5);
        Self { actor: Actor::new(USER), seen_as: None, expires_at, journal: journal.clone(), recorded: || Ok(()) }
    }
}

impl ImpersonationGrant for Grant {
    fn actor(&self) -> &Actor {
        &self.actor
    }

    fn seen_as(&self) -> &Actor {
        self.seen_as.as_ref().unwrap_or(&self.actor)
    }

    fn tenant_id(&self) -> TenantId {
        tenant(A)
    }

    fn session(&self) -> &str {
        "session-7"
    }

    fn reason(&self) -> &str {
        "ticket 4711"
    }

    fn expires_at(&self) -> DateTime<Utc> {
        self.expires_at
    }

    async fn record(&self) -> Result<(), BoxError> {
        assert_eq!(self.journal.count("ImpersonationBegun"), 0, "recorded first");
        (self.recorded)()
    }
}

#[sqlx::test]
async fn staff_reads_one_tenant_and_everybody_can_know(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let journal = Journal::default();
    let db = world.db.clone().with_observer(journal.clone());
    let mut tx = db.impersonate(&Grant::new(&journal)).await.unwrap();
    let told = journal.read();
    assert_eq!(told.len(), 1);
    for fact in ["ImpersonationBegun", &USER.to_string(), &A.to_string(), "session-7", "ticket 4711"] {
        assert!(told[0].contains(fact), "{fact} in {told:?}");
    }
    assert_eq!(db.counters().snapshot().tenant(tenant(A)).queries, 0, "told before the first query");

    let owners: Vec<Uuid> = sqlx::query_scalar("SELECT tenant_id FROM loads").fetch_all(&mut tx).await.unwrap();
    assert_eq!(owners.len(), usize::try_from(SEEDED).unwrap());
    let facts: (Uuid, bool) =
        sqlx::query_as("SELECT actor_id, read_only FROM stockade.current_actor").fetch_one(&mut tx).await.unwrap();
    assert_eq!(facts, (USER, true));
    drop(tx);
    let snapshot = db.counters().snapshot();
    assert_eq!((snapshot.tenant(tenant(A)).impersonations, snapshot.tenant(tenant(B)).impersonations), (1, 0));
    world.end().await;
}

#[sqlx::test]
async fn an_expired_grant_opens_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let journal = Journal::default();
    let db = world.db.clone().with_observer(journal.clone());
    let grant = Grant { expires_at: Utc::now() - TimeDelta::milliseconds(1), ..Grant::new(&journal) };
    assert_eq!(db.impersonate(&grant).await.unwrap_err().kind(), ErrorKind::GrantExpired);
    assert!(journal.read().is_empty());
    world.end().await;
}

#[sqlx::test]
async fn what_cannot_be_recorded_does_not_happen(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let journal = Journal::default();
    let db = world.db.clone().with_observer(journal.clone());
    let grant = Grant { recorded: || Err("the audit log is full".into()), ..Grant::new(&journal) };
    assert_eq!(db.impersonate(&grant).await.unwrap_err().kind(), ErrorKind::NotRecorded);
    assert!(journal.read().is_empty());
    assert_eq!(db.counters().snapshot().total().impersonations, 0);
    world.end().await;
}

/// The layer of the type is held by `ui` (`read_scope_is_not_a_transaction`), that of the policy by
/// `actor::writes_of_a_read_only_actor_are_refused_by_policy_alone`.
#[sqlx::test]
async fn writes_are_refused_by_the_transaction_alone(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    // A table without any policy.
    for write in [
        "INSERT INTO naked SELECT tenant_id FROM stockade.current_tenant",
        "UPDATE naked SET tenant_id = tenant_id",
        "DELETE FROM naked",
    ] {
        let mut tx = world.db.impersonate(&Grant::new(&Journal::default())).await.unwrap();
        let error = sqlx::query(write).execute(&mut tx).await.unwrap_err();
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "25006", "{write}");
    }
    world.end().await;
}

#[cfg(feature = "lease")]
#[sqlx::test]
async fn the_lease_of_an_impersonation_is_read_only_and_ends_with_its_grant(
    _: PgPoolOptions,
    options: PgConnectOptions,
) {
    use stockade_tenant_guard::{LeaseLifetime, LeaseOffice};
    let world = World::leased(options, 1).await;
    let db = world.db.clone().with_lease(LeaseOffice::new(world.minter(), LeaseLifetime::default()));
    let journal = Journal::default();
    for _ in 0..2 {
        let mut tx = db.impersonate(&Grant::new(&journal)).await.unwrap();
        let facts: (Uuid, bool) =
            sqlx::query_as("SELECT actor_id, read_only FROM stockade.current_actor").fetch_one(&mut tx).await.unwrap();
        assert_eq!(facts, (USER, true));
    }
    // Not kept: one for each scope, none beyond the five minutes of the grant, though a lease lasts ten.
    let (leases, longest): (i64, bool) =
        sqlx::query_as("SELECT count(*), bool_and(read_only AND expires_at <= now() + interval '5 minutes') FROM stockade.tenant_lease")
            .fetch_one(&mut world.admin().await)
            .await
            .unwrap();
    assert_eq!((leases, longest), (2, true));
    world.end().await;
}

/// Staff that looks as somebody else sees that person's rows, and stands in the events under its own name.
#[sqlx::test]
async fn policies_see_whom_staff_looks_as_and_events_name_staff(_: PgPoolOptions, options: PgConnectOptions) {
    const SEEN: Uuid = Uuid::from_u128(0x5ee);
    let world = World::new(options, 1).await;
    let journal = Journal::default();
    let db = world.db.clone().with_observer(journal.clone());
    let grant = Grant { seen_as: Some(Actor::new(SEEN)), ..Grant::new(&journal) };
    let mut tx = db.impersonate(&grant).await.unwrap();
    let facts: (Option<Uuid>, bool) =
        sqlx::query_as("SELECT actor_id, read_only FROM stockade.current_actor").fetch_one(&mut tx).await.unwrap();
    assert_eq!(facts, (Some(SEEN), true));
    let told = journal.read();
    assert!(told[0].contains(&USER.to_string()) && !told[0].contains(&SEEN.to_string()), "{told:?}");
}
