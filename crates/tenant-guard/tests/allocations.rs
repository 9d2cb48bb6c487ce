//! The path of the counters allocates nothing. A binary of its own, because its allocator counts.

#![expect(clippy::unwrap_used, reason = "a failed assumption in a test should stop the test")]

use stockade_tenant_guard::{Counters, Guard, TenantDb, TenantId, TenantScoped};
use uuid::Uuid;

const TENANT: TenantId = TenantId::new(Uuid::from_u128(7));
const OTHER: TenantId = TenantId::new(Uuid::from_u128(8));

#[derive(Clone, Copy)]
struct Item(TenantId);

impl TenantScoped for Item {
    fn tenant_id(&self) -> TenantId {
        self.0
    }
}

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

/// A pool that never connects: what is measured needs no database.
fn db() -> TenantDb {
    TenantDb::new(sqlx::PgPool::connect_lazy("postgres://localhost/none").unwrap())
}

#[tokio::test]
async fn the_counter_counts() {
    assert!(allocations(|| drop(vec![1_u8])) > 0);
}

#[tokio::test]
async fn looking_up_a_known_tenant_and_counting_allocate_nothing() {
    let db = db();
    let _: Guard = db.guard(TENANT);
    let counted = allocations(|| {
        for _ in 0..1_000 {
            let guard = db.guard(TENANT);
            // `watch::tests` measures what a statement does.
            assert!(guard.check_rows(&[Item(TENANT), Item(TENANT)]).is_ok());
            assert!(guard.check_row(&Item(OTHER)).is_err());
            assert!(guard.check_batch(&[Item(TENANT), Item(OTHER)]).is_err());
        }
    });
    assert_eq!(counted, 0);
    let total = db.counters().snapshot().total();
    assert_eq!((total.foreign_rows, total.refused_batches), (1_000, 1_000));
}

#[tokio::test]
async fn a_batch_allocates_for_its_items_and_for_nothing_else() {
    let guard = db().guard(TENANT);
    let vector = allocations(|| {
        let mut items = Vec::new();
        (0..1_000).for_each(|_| items.push(Item(TENANT)));
    });
    let batch = allocations(|| {
        let mut batch = guard.batch();
        (0..1_000).for_each(|_| batch.push(Item(TENANT)).unwrap());
    });
    assert_eq!(batch, vector);
}

#[test]
fn an_empty_snapshot_allocates_nothing() {
    let counters = Counters::default();
    assert_eq!(allocations(|| assert_eq!(counters.snapshot().total().queries, 0)), 0);
}
