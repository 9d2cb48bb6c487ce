use proptest::prelude::*;
use uuid::Uuid;

use super::{Batch, Straddle};
use crate::{TenantId, TenantScoped, guard};

#[derive(Clone, Debug, PartialEq)]
struct Item(TenantId, u32);

impl TenantScoped for Item {
    fn tenant_id(&self) -> TenantId {
        self.0
    }
}

fn tenant(id: u128) -> TenantId {
    TenantId::from(Uuid::from_u128(id))
}

#[test]
fn a_refused_batch_stays_refused() {
    let mut batch = Batch::new(tenant(1));
    assert!(batch.is_empty());
    batch.push(Item(tenant(1), 0)).unwrap();
    assert_eq!((batch.len(), batch.is_empty()), (1, false));
    let straddle = Straddle { expected: tenant(1), found: tenant(2), index: 1 };
    assert_eq!(batch.push(Item(tenant(2), 1)), Err(straddle));
    assert!(batch.is_empty());
    assert_eq!(batch.push(Item(tenant(1), 2)), Err(straddle));
    assert!(batch.is_empty());
    assert_eq!(batch.finish(), Err(straddle));
}

#[test]
fn the_refusal_names_both_tenants() {
    let refusal = guard(tenant(1), &[Item(tenant(2), 0)]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "item 0 belongs to tenant `00000000-0000-0000-0000-000000000002`, \
         in a batch of tenant `00000000-0000-0000-0000-000000000001`",
    );
}

#[test]
fn debug_shows_no_item() {
    let mut batch = Batch::new(tenant(1));
    batch.push(Item(tenant(1), 4711)).unwrap();
    assert!(!format!("{batch:?}").contains("4711"));
}

proptest! {
    #[test]
    fn a_batch_finishes_only_if_every_item_is_its_tenants(
        owners in proptest::collection::vec(prop_oneof![9 => Just(1_u128), 1 => 2..4_u128], 0..40),
    ) {
        let items: Vec<Item> = owners.iter().zip(0..).map(|(owner, n)| Item(tenant(*owner), n)).collect();
        let mut batch = Batch::new(tenant(1));
        for item in items.clone() {
            let _ = batch.push(item);
        }
        let expected = match owners.iter().position(|owner| *owner != 1) {
            None => Ok(items.clone()),
            Some(index) => Err(Straddle { expected: tenant(1), found: tenant(owners[index]), index }),
        };
        prop_assert_eq!(guard(tenant(1), &items), expected.clone().map(drop));
        prop_assert_eq!(batch.finish(), expected);
    }
}
