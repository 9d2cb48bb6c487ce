//! The lattice: what join, meet and order owe each other.

use proptest::collection::vec;
use proptest::prelude::*;
use stockade_rbac::{Permission, Scope, Scopes};

use crate::wide::Wide;

type Perm = Wide<130>;

fn scope() -> impl Strategy<Value = Scope> {
    (0..Scope::ALL.len()).prop_map(|rank| Scope::ALL[rank])
}

fn scopes() -> impl Strategy<Value = Scopes<Perm>> {
    let grants = vec((0..130_u16, scope()), 0..60);
    grants.prop_map(|grants| {
        grants.into_iter().fold(Scopes::none(), |all, (number, scope)| all.with(Wide(number), scope))
    })
}

fn join(a: &Scopes<Perm>, b: &Scopes<Perm>) -> Scopes<Perm> {
    a.clone().join(b)
}

fn meet(a: &Scopes<Perm>, b: &Scopes<Perm>) -> Scopes<Perm> {
    a.clone().meet(b)
}

proptest! {
    #[test]
    fn join_is_the_wider_and_meet_the_narrower_of_each_permission(a in scopes(), b in scopes()) {
        for &perm in Perm::ALL {
            prop_assert_eq!(join(&a, &b).scope(perm), a.scope(perm).max(b.scope(perm)));
            prop_assert_eq!(meet(&a, &b).scope(perm), a.scope(perm).min(b.scope(perm)));
        }
        let within = Perm::ALL.iter().all(|&perm| a.scope(perm) <= b.scope(perm));
        prop_assert_eq!(a.is_within(&b), within);
    }

    #[test]
    fn the_scopes_form_a_distributive_lattice(a in scopes(), b in scopes(), c in scopes()) {
        let (none, all) = (Scopes::none(), Scopes::all());
        prop_assert_eq!(join(&a, &b), join(&b, &a));
        prop_assert_eq!(meet(&a, &b), meet(&b, &a));
        prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        prop_assert_eq!(meet(&meet(&a, &b), &c), meet(&a, &meet(&b, &c)));
        prop_assert_eq!(&join(&a, &meet(&a, &b)), &a);
        prop_assert_eq!(&meet(&a, &join(&a, &b)), &a);
        prop_assert_eq!(meet(&a, &join(&b, &c)), join(&meet(&a, &b), &meet(&a, &c)));
        prop_assert_eq!(&join(&a, &none), &a);
        prop_assert_eq!(&meet(&a, &all), &a);
        prop_assert_eq!(meet(&a, &none), none);
        prop_assert_eq!(join(&a, &all), all);
        prop_assert_eq!(a.is_within(&b), join(&a, &b) == b);
        prop_assert!(meet(&a, &b).is_within(&a) && a.is_within(&join(&a, &b)));
    }

    #[test]
    fn with_changes_one_permission_and_no_other(a in scopes(), number in 0..130_u16, scope in scope()) {
        let changed = a.clone().with(Wide(number), scope);
        for &perm in Perm::ALL {
            prop_assert_eq!(changed.scope(perm), if perm.0 == number { scope } else { a.scope(perm) });
        }
    }

    #[test]
    fn what_is_written_out_reads_back(a in scopes()) {
        let a = Perm::ALL.iter().fold(a, |a, &perm| {
            let allowed = a.scope(perm).min(perm.info().up_to());
            a.with(perm, allowed)
        });
        let written = a.iter().map(|(perm, scope)| format!("{}:{scope}", perm.key()));
        prop_assert_eq!(Scopes::parse(written).unwrap(), a);
    }
}
