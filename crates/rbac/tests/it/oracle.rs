//! The crate against the model, on random policies, people and rows.

mod diff;
mod draw;
mod guard;

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use stockade_rbac::{Actor, Ceiling, Decision, Mode, Permission, Refusal, Scope, Scopes, Verdict, Via};

use self::draw::{Case, Perm, case, permissions};
use crate::model::{self, Authority};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn the_bitsets_decide_as_the_model_does(case in case()) {
        agree(&case, &case.person, &case.actor())?;
    }

    #[test]
    fn an_attenuated_actor_decides_as_the_model_does(case in case()) {
        let mut person = case.person.clone();
        person.ceilings.push(case.token.authority());
        agree(&case, &person, &case.actor().attenuate(&case.token.scopes()))?;
    }

    #[test]
    fn an_impersonating_actor_decides_as_the_model_does(case in case()) {
        let Some(acting) = case.impersonated() else { return Ok(()) };
        let mut person = case.person.clone();
        person.reads_only = true;
        person.second_factor = true;
        person.ceilings.push(case.staff_session.authority());
        agree(&case, &person, &acting)?;
    }

    #[test]
    fn attenuation_only_narrows(case in case()) {
        let (actor, token) = (case.actor(), case.token.scopes());
        let narrowed = actor.attenuate(&token);
        let other = case.staff_session.scopes();
        for perm in permissions() {
            prop_assert_eq!(narrowed.scope(perm), actor.scope(perm).min(token.scope(perm)));
            prop_assert_eq!(narrowed.attenuate(&token).scope(perm), narrowed.scope(perm));
            prop_assert_eq!(
                narrowed.attenuate(&other).scope(perm),
                actor.attenuate(&other).attenuate(&token).scope(perm)
            );
            for row in &case.rows {
                let allowed = narrowed.decide(perm, &row.resource()).is_allowed();
                prop_assert!(!allowed || actor.decide(perm, &row.resource()).is_allowed());
            }
        }
    }

    #[test]
    fn a_promotion_never_loses_a_row(case in case()) {
        let policy = case.policy();
        for (name, role) in &case.policy.roles {
            let heir = policy.role(name).unwrap();
            for parent in &role.inherits {
                prop_assert!(policy.role(parent).unwrap().scopes().is_within(heir.scopes()));
            }
        }
        for perm in permissions() {
            for row in case.rows.iter().map(draw::Facts::resource) {
                let subject = case.subject();
                let reach = |scope: Scope| scope >= row.nearest(&subject);
                prop_assert!(Scope::ALL.into_iter().map(reach).is_sorted(), "a wider scope reaches less of {:?}", perm);
            }
        }
    }

    #[test]
    fn one_more_role_never_takes_anything_away(case in case()) {
        if !case.policy.separations.is_empty() {
            return Ok(());
        }
        let actor = case.actor();
        for (name, _) in case.policy.roles.iter().filter(|(_, role)| !role.staff) {
            let mut more = case.clone();
            more.person.roles.push(name.clone());
            let more = more.actor();
            for perm in permissions() {
                prop_assert!(more.scope(perm) >= actor.scope(perm));
            }
        }
    }

    #[test]
    fn a_deny_wins_wherever_it_stands(case in case(), denied in draw::permission(), position in any::<prop::sample::Index>()) {
        let mut case = case;
        case.deny_at(position, denied);
        let actor = case.actor();
        prop_assert_eq!(actor.scope(denied), Scope::None);
        for row in &case.rows {
            let decision = actor.decide(denied, &row.resource());
            prop_assert_eq!(decision.verdict(), Verdict::Denied(Refusal::OverrideDenies));
        }
    }
}

/// Every permission and row: the same answer, and a reason that the model confirms.
fn agree<M: Mode>(case: &Case, person: &model::Person, actor: &Actor<Perm, M>) -> Result<(), TestCaseError> {
    let authority = case.policy.effective(person);
    let (own, lent) = (case.policy.granted(person), case.policy.lent(person));
    for perm in permissions() {
        let widest = |scope: &Scope| authority.contains(&(perm.key().to_owned(), scope.name().to_owned()));
        prop_assert_eq!(actor.scope(perm), Scope::ALL.into_iter().rfind(widest).unwrap_or_default());
        for row in &case.rows {
            let decision = actor.decide(perm, &row.resource());
            let expected = model::may(&authority, person, perm.key(), &row.0)
                && case.policy.maker_is_fine(person, perm.key(), &row.0);
            prop_assert_eq!(decision.is_allowed(), expected, "{:?} on {:?}: {}", perm, row, decision);
            prop_assert!(
                reason_holds(case, person, &row.0, &decision, (&own, &lent)),
                "{:?} on {:?}: {}",
                perm,
                row,
                decision
            );
        }
    }
    Ok(())
}

fn reason_holds(
    case: &Case,
    person: &model::Person,
    row: &model::Row,
    decision: &Decision<'_, Perm>,
    (own, lent): (&Authority, &Authority),
) -> bool {
    let key = decision.permission().key();
    let covers = |authority: &Authority, scope: Scope| authority.contains(&(key.to_owned(), scope.name().to_owned()));
    let granted: Authority = own.union(lent).cloned().collect();
    let active = case.policy.active(person);
    let elsewhere = person.roles.iter().filter(|role| !active.contains(*role));
    let granted_at_all = granted.iter().any(|(permission, _)| permission == key);
    let denied = person.denies.contains(key);
    let staff = person.roles.iter().any(|role| case.policy.roles[role].staff);
    let blocked = (staff || person.reads_only) && case.policy.writes.contains(key);
    let needed = decision.needed();
    match decision.verdict() {
        Verdict::Allowed { via, scope } => {
            let truly = match via {
                Via::Role(name) => active.contains(name) && covers(&case.policy.of_role(name), needed),
                Via::Override(_) => person.allows.iter().any(|(perm, scope)| covers(&model::down(perm, scope), needed)),
                Via::Delegation { by, .. } => person
                    .loans
                    .iter()
                    .any(|loan| by == loan.lender.user.into() && covers(&case.policy.lent_by(loan, person), needed)),
                _ => false,
            };
            decision.is_allowed() && truly && scope >= needed
        }
        _ if decision.is_allowed() => false,
        Verdict::Denied(refusal) => match refusal {
            Refusal::OverrideDenies => denied,
            _ if denied => false,
            Refusal::RoleNotActive => {
                !covers(&granted, needed)
                    && elsewhere.into_iter().any(|role| covers(&case.policy.of_role(role), needed))
            }
            Refusal::SameRecord => row.maker.is_some() && !case.policy.maker_is_fine(person, key, row),
            Refusal::MakerUnknown => {
                row.maker.is_none_or(|maker| maker.is_nil()) && !case.policy.maker_is_fine(person, key, row)
            }
            Refusal::NotGranted => !granted_at_all,
            _ if !granted_at_all => false,
            Refusal::ReadsOnly => blocked,
            _ if blocked => false,
            Refusal::OtherTenant => needed == Scope::Platform && !covers(&granted, needed),
            Refusal::ScopeTooNarrow { granted: have, needed: need } => {
                need == needed && covers(&granted, have) && !covers(&granted, needed)
            }
            Refusal::Ceiling { limit, .. } => {
                covers(&granted, needed)
                    && limit < needed
                    && person.ceilings.iter().any(|ceiling| !covers(ceiling, needed))
            }
            Refusal::SecondFactor => !person.second_factor && case.policy.guarded.contains(key),
            _ => false,
        },
    }
}

/// Or the comparison would show little.
#[test]
fn every_reason_takes_part_in_the_comparison() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..200 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let actor = case.actor();
        for row in case.rows.iter().map(draw::Facts::resource) {
            for perm in permissions() {
                let reason = match actor.decide(perm, &row).verdict() {
                    Verdict::Allowed { via: Via::Role(_), .. } => "role",
                    Verdict::Allowed { via: Via::Override(_), .. } => "override",
                    Verdict::Allowed { via: Via::Delegation { .. }, .. } => "delegation",
                    Verdict::Denied(Refusal::RoleNotActive) => "role not active",
                    Verdict::Denied(Refusal::SameRecord) => "same record",
                    Verdict::Denied(Refusal::MakerUnknown) => "maker unknown",
                    Verdict::Denied(Refusal::SecondFactor) => "second factor",
                    Verdict::Denied(Refusal::Ceiling { .. }) => "ceiling",
                    Verdict::Denied(_) => "other",
                    _ => "unheard of",
                };
                *seen.entry(reason).or_default() += 1;
            }
        }
    }
    assert!(seen.len() == 9 && seen.values().all(|times| *times >= 5), "{seen:?}");
}

#[test]
fn every_kind_of_ceiling_takes_part() {
    let kinds = [Ceiling::Tenant, Ceiling::Session, Ceiling::Token];
    assert_eq!(draw::CEILINGS, kinds);
    assert_eq!(Scopes::<Perm>::all().iter().count(), Perm::ALL.len());
}
