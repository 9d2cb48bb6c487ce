//! Tenants that are unknown, suspended or going.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;
use stockade_tenant_guard::{BoxError, ErrorKind, TenantDirectory, TenantId, TenantStatus};

use crate::world::{A, B, Journal, World, tenant};

const HOUR: Duration = Duration::from_secs(3_600);
const SUSPENDED: Uuid = Uuid::from_u128(0x5);
const DELETING: Uuid = Uuid::from_u128(0xd);
const BROKEN: Uuid = Uuid::from_u128(0xbad);

/// Counts how often it is asked. Tenant B exists until it was asked for once.
#[derive(Clone, Debug, Default)]
struct Fixed(Arc<AtomicUsize>);

impl TenantDirectory for Fixed {
    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, BoxError> {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Some(match tenant.as_uuid() {
            A => TenantStatus::Active,
            B if asked == 0 => TenantStatus::Active,
            SUSPENDED => TenantStatus::Suspended,
            DELETING => TenantStatus::Deleting,
            BROKEN => return Err("no answer".into()),
            _ => return Ok(None),
        }))
    }
}

#[sqlx::test]
async fn only_active_tenants_have_scopes(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let journal = Journal::default();
    let db = world.db.clone().with_directory(Fixed::default(), HOUR).with_observer(journal.clone());
    db.begin(tenant(A)).await.unwrap().commit().await.unwrap();
    for (id, status) in [
        (SUSPENDED, Some(TenantStatus::Suspended)),
        (DELETING, Some(TenantStatus::Deleting)),
        (Uuid::from_u128(0xffff), None),
        (Uuid::nil(), None),
    ] {
        for error in [db.begin(tenant(id)).await.unwrap_err(), db.read(tenant(id)).await.unwrap_err()] {
            assert_eq!((error.kind(), error.tenant_status()), (ErrorKind::TenantRefused, status));
            assert!(!error.is_retryable());
        }
    }
    assert_eq!(journal.count("TenantRefused"), 8);
    world.end().await;
}

#[sqlx::test]
async fn a_directory_that_fails_opens_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    let db = world.db.clone().with_directory(Fixed::default(), HOUR);
    let error = db.begin(tenant(BROKEN)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DirectoryUnavailable);
    assert!(error.is_retryable());
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "no answer");
    world.end().await;
}

#[sqlx::test]
async fn an_answer_is_used_for_as_long_as_was_said(_: PgPoolOptions, options: PgConnectOptions) {
    let world = World::new(options, 1).await;
    for (kept, second) in [(HOUR, None), (Duration::ZERO, Some(ErrorKind::TenantRefused))] {
        let directory = Fixed::default();
        let db = world.db.clone().with_directory(directory.clone(), kept);
        db.begin(tenant(B)).await.unwrap().commit().await.unwrap();
        assert_eq!(db.begin(tenant(B)).await.err().map(|error| error.kind()), second);
        let asked = if kept == HOUR { 1 } else { 2 };
        assert_eq!(directory.0.load(Ordering::Relaxed), asked);
    }
    world.end().await;
}
