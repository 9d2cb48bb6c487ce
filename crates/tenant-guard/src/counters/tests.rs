use std::thread;

use uuid::Uuid;

use super::{Counters, Tally, Today};
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
                    counters.of(tenant((worker + n) % 3)).queries.add(1);
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
    counters.of(tenant(1)).queries.add(1);
    counters.of(tenant(1)).foreign_rows.add(1);
    let midnight = counters.snapshot();
    counters.of(tenant(1)).queries.add(1);
    counters.of(tenant(2)).refused_batches.add(1);
    counters.of(tenant(2)).refused_statements.add(1);

    let today = counters.snapshot().since(&midnight);
    assert_eq!(today.tenant(tenant(1)), Tally { queries: 1, ..Tally::default() });
    assert_eq!(today.total(), Tally { queries: 1, refused_statements: 1, refused_batches: 1, ..Tally::default() });
    assert_eq!(today.tenant(tenant(3)), Tally::default());
}

#[test]
fn many_tenants_share_buckets_and_stay_apart() {
    let counters = Counters::default();
    for round in 1..=2 {
        for id in 0..5_000 {
            counters.of(tenant(id)).rows.add(1);
        }
        let snapshot = counters.snapshot();
        assert_eq!(snapshot.tenants().count(), 5_000);
        assert!(snapshot.tenants().all(|(_, tally)| tally.rows == round));
    }
}

#[test]
fn a_new_day_starts_at_zero() {
    let counters = Counters::default();
    counters.of(tenant(1)).queries.add(5);
    let mut today = Today::new(21);
    assert_eq!(today.snapshot(21, &counters).total().queries, 5);
    counters.of(tenant(1)).queries.add(2);
    assert_eq!(today.snapshot(21, &counters).total().queries, 7);
    assert_eq!(today.snapshot(22, &counters).total().queries, 0);
    counters.of(tenant(2)).queries.add(1);
    assert_eq!(today.snapshot(22, &counters).total().queries, 1);
}
