//! The difference of two policies against the model's.

use std::collections::BTreeSet;

use proptest::prelude::*;
use stockade_rbac::{Difference, Scope};

use super::draw::{Case, case};
use crate::model::{Authority, Policy};

fn authority(policy: &Policy, role: &str) -> Authority {
    if policy.roles.contains_key(role) { policy.of_role(role) } else { Authority::new() }
}

/// The sets of up to three roles of both that this policy lets nobody hold, or have active.
fn forbidden(case: &Case, names: &[&String]) -> BTreeSet<(bool, Vec<String>)> {
    let mut forbidden = BTreeSet::new();
    for choice in 0..1_usize << names.len() {
        let chosen: Vec<_> =
            names.iter().enumerate().filter(|(bit, _)| choice >> bit & 1 == 1).map(|(_, name)| *name).collect();
        let lineage = case.policy.lineage(chosen.iter().copied());
        for separation in case.policy.separations.iter().filter(|one| one.breaks(&lineage)) {
            let chosen: Vec<_> = chosen.iter().map(|name| (*name).clone()).collect();
            forbidden.insert((true, chosen.clone()));
            if !separation.dynamic {
                forbidden.insert((false, chosen));
            }
        }
    }
    forbidden
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_difference_is_what_the_model_finds_and_its_inverse_the_other_way_around(a in case(), b in case()) {
        let (before, after) = (a.policy(), b.policy());
        let diff = before.diff(&after);
        prop_assert_eq!(&diff.inverse(), &after.diff(&before));
        prop_assert_eq!(&diff.inverse().inverse(), &diff);
        prop_assert!(before.diff(&before).is_empty());

        let mut found = Vec::new();
        let scope = |authority: &Authority, key: &str| {
            let has = |scope: &Scope| authority.contains(&(key.to_owned(), scope.name().to_owned()));
            Scope::ALL.into_iter().rfind(has).unwrap_or_default()
        };
        let names: BTreeSet<_> = a.policy.roles.keys().chain(b.policy.roles.keys()).collect();
        for name in &names {
            let (old, new) = (authority(&a.policy, name), authority(&b.policy, name));
            for key in old.union(&new).map(|(key, _)| key).collect::<BTreeSet<_>>() {
                let (old, new) = (scope(&old, key), scope(&new, key));
                if old != new {
                    found.push(((*name).clone(), key.clone(), old, new));
                }
            }
        }
        let mut told: Vec<_> = diff.iter().filter_map(|difference| match difference {
            Difference::Scope { role, permission, before, after } => {
                Some((role.clone(), (*permission).to_owned(), *before, *after))
            }
            _ => None,
        }).collect();
        told.sort();
        found.sort();
        prop_assert_eq!(told, found);
    }

    #[test]
    fn what_does_not_widen_gives_nobody_anything_and_lifts_no_separation(a in case(), b in case()) {
        let diff = a.policy().diff(&b.policy());
        let shared: Vec<_> = a.policy.roles.keys().filter(|name| b.policy.roles.contains_key(*name)).collect();
        if diff.widening().is_empty() {
            for name in &shared {
                prop_assert!(b.policy.of_role(name).is_subset(&a.policy.of_role(name)));
            }
            let (before, after) = (forbidden(&a, &shared), forbidden(&b, &shared));
            prop_assert!(before.is_subset(&after), "{:?}", before.difference(&after).next());
            prop_assert!(a.policy.kept_from_makers.is_subset(&b.policy.kept_from_makers));
        }
    }

    /// Two policies that are drawn apart nearly always widen. These are one policy, and the same with separations changed.
    #[test]
    fn a_change_of_separations_that_does_not_widen_lifts_none(a in case(), b in case()) {
        let b = a.with_separations_of(&b);
        let shared: Vec<_> = a.policy.roles.keys().collect();
        let (before, after) = (forbidden(&a, &shared), forbidden(&b, &shared));
        let widens = !a.policy().diff(&b.policy()).widening().is_empty();
        prop_assert!(widens || before.is_subset(&after), "{:?}", before.difference(&after).next());
        prop_assert_eq!(a.policy().diff(&b.policy()).is_empty(), a.policy().digest() == b.policy().digest());
    }
}
