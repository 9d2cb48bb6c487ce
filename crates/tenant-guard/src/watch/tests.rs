use uuid::Uuid;

use super::Watch;
use crate::counters::Counters;
use crate::event::Observers;
use crate::gate::Refusal;
use crate::tenant::TenantId;

#[test]
fn counting_a_statement_and_its_rows_allocates_nothing() {
    let (counters, tenant) = (Counters::default(), TenantId::new(Uuid::from_u128(7)));
    let watch = Watch::new(tenant, counters.of(tenant), Observers::default());
    let measured = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            watch.query();
            watch.rows(3);
            watch.refused_statement(Refusal::NotAQuery);
            assert!(watch.row_of(tenant).is_ok());
        }
    });
    assert_eq!(measured.count_total, 0);
    let total = counters.snapshot().total();
    assert_eq!((total.queries, total.rows, total.refused_statements), (1_000, 3_000, 1_000));
}
