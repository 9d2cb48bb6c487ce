use std::thread;

use uuid::Uuid;

use super::{Counters, Tally};
use crate::TenantId;

fn tenant(id: u128) -> TenantId {
    TenantId::from(Uuid::from_u128(id))
}

#[test]
fn nothing_is_lost_between_threads() {
    let counters = Counters::default();
    thread::scope(|threads| {
        for worker in 0..4 {
            let counters = counters.clone();
            threads.spawn(move || {
                for n in 0..1_000 {
                    counters.of(tenant((worker + n) % 3)).query();
                }
            });
        }
    });
    let snapshot = counters.snapshot();
    assert_eq!(snapshot.total().queries, 4_000);
    assert_eq!(snapshot.tenants().count(), 3);
    assert_eq!(snapshot.tenants().map(|(_, tally)| tally.queries).sum::<u64>(), 4_000);
}

#[test]
fn since_counts_from_the_earlier_snapshot() {
    let counters = Counters::default();
    counters.of(tenant(1)).query();
    counters.of(tenant(1)).foreign_row();
    let midnight = counters.snapshot();
    counters.of(tenant(1)).query();
    counters.of(tenant(2)).refused_batch();
    counters.of(tenant(2)).refused_statement();

    let today = counters.snapshot().since(&midnight);
    assert_eq!(today.tenant(tenant(1)), Tally { queries: 1, ..Tally::default() });
    assert_eq!(today.total(), Tally { queries: 1, refused_statements: 1, refused_batches: 1, foreign_rows: 0 });
    assert_eq!(today.tenant(tenant(3)), Tally::default());
}
