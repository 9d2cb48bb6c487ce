//! What holds in all four: exceptions, shares, tokens, tenants, and staff.

use chrono::{DateTime, TimeDelta, Utc};
use stockade_rbac::{
    Kind, ManualClock, Override, Permission, Policy, Reason, Role, Scope, Scopes, ShareLevel, Timebox, Unrecorded,
};
use uuid::Uuid;

use super::{actor, brokerage, erp, field_service, rows, somebody, tried, trucking, world};
use crate::permits::{Log, now};

/// Runs one check, which is generic over the vocabulary, with each preset.
macro_rules! with_each_preset {
    ($check:ident) => {
        $check(&trucking::policy());
        $check(&erp::policy());
        $check(&field_service::policy());
        $check(&brokerage::policy());
    };
}

/// Every role of the tenant's own people, with every permission.
fn members<P: Permission>(policy: &Policy<P>) -> impl Iterator<Item = (&Role<P>, P)> {
    let roles = policy.roles().iter().filter(|role| !role.is_staff());
    roles.flat_map(|role| P::ALL.iter().map(move |&permission| (role, permission)))
}

fn because(text: &str) -> Reason {
    Reason::new(text).unwrap()
}

#[test]
fn an_exception_gives_one_person_what_the_role_lacks_until_it_ends() {
    with_each_preset!(check);
    fn check<P: Permission>(policy: &Policy<P>) {
        let noon: DateTime<Utc> = "2025-03-01T12:00:00Z".parse().unwrap();
        for (role, permission) in members(policy) {
            let clock = ManualClock::at(noon);
            let policy = policy.clone().with_clock(clock.clone());
            let widest = permission.info().up_to().min(Scope::Tenant);
            let ends = noon + TimeDelta::days(14);
            let allow = Override::allow(permission, widest, because("covers for a colleague"), ends).unwrap();
            let build = || somebody(&policy).role(role.name()).unwrap().with_override(allow.clone()).build();
            let excepted = build();
            for &other in P::ALL {
                let usual = role.scope(other);
                let expected = if other == permission { widest.max(usual) } else { usual };
                assert_eq!(tried(&excepted, other), expected, "{} {other:?}", role.name());
            }
            clock.advance(TimeDelta::days(14));
            assert_eq!(tried(&excepted, permission), Scope::None, "what was put together before is over as a whole");
            assert_eq!(tried(&build(), permission), role.scope(permission), "and the exception with it");
        }
    }
}

#[test]
fn an_exception_takes_from_one_person_what_the_role_gives_and_from_nobody_else() {
    with_each_preset!(check);
    fn check<P: Permission>(policy: &Policy<P>) {
        for (role, permission) in members(policy) {
            let deny = Override::deny(permission, because("under review"));
            let excepted = somebody(policy).role(role.name()).unwrap().with_override(deny).build();
            for &other in P::ALL {
                let expected = if other == permission { Scope::None } else { role.scope(other) };
                assert_eq!(tried(&excepted, other), expected, "{} {other:?}", role.name());
            }
            assert_eq!(tried(&actor(policy, &[role.name()]), permission), role.scope(permission));
        }
    }
}

#[test]
fn a_shared_account_widens_what_a_role_reaches_and_never_what_it_may_do() {
    with_each_preset!(check);
    fn check<P: Permission>(policy: &Policy<P>) {
        let [user, ..] = world();
        let [.., far, elsewhere] = rows();
        for (role, permission) in members(policy) {
            let person = actor(policy, &[role.name()]);
            let may = |row: &_| person.decide(permission, row).is_allowed();
            let scope = role.scope(permission);
            assert_eq!(may(&far), scope == Scope::Tenant);
            assert_eq!(may(&far.shared_with(user, ShareLevel::Edit)), scope != Scope::None, "{}", role.name());
            let viewed = if permission.kind() == Kind::Read { Scope::Own } else { Scope::Tenant };
            assert_eq!(may(&far.shared_with(user, ShareLevel::View)), scope >= viewed, "a share to view edits nothing");
            let stranger = Uuid::from_u128(8);
            assert_eq!(may(&far.shared_with(stranger, ShareLevel::Edit)), may(&far), "shared with somebody else");
            assert!(!may(&elsewhere.shared_with(user, ShareLevel::Edit)), "another tenant's row cannot be shared");
        }
    }
}

#[test]
fn no_role_of_a_tenant_reaches_another_tenant() {
    with_each_preset!(check);
    fn check<P: Permission>(policy: &Policy<P>) {
        let [user, _, team, office] = world();
        let elsewhere = rows()[4].owner(user).team(team).office(office);
        for (role, permission) in members(policy) {
            assert!(!actor(policy, &[role.name()]).decide(permission, &elsewhere).is_allowed(), "{}", role.name());
        }
    }
}

#[test]
fn a_token_has_what_it_names_as_far_as_its_owner_has_it() {
    with_each_preset!(check);
    fn check<P: Permission>(policy: &Policy<P>) {
        for (role, permission) in members(policy) {
            let scopes = Scopes::parse([permission.key()]).unwrap();
            let token = actor(policy, &[role.name()]).attenuate(&scopes);
            for &other in P::ALL {
                let expected = if other == permission { role.scope(other) } else { Scope::None };
                assert_eq!(tried(&token, other), expected, "{} {other:?}", role.name());
            }
        }
    }
}

#[test]
fn staff_of_the_platform_are_blocked_from_writing_whatever_else_they_are_given() {
    with_each_preset!(check);
    fn check<P: Permission>(policy: &Policy<P>) {
        for staff in policy.roles().iter().filter(|role| role.is_staff()) {
            for (role, permission) in members(policy).filter(|(_, permission)| permission.kind() == Kind::Write) {
                let widest = permission.info().up_to();
                let ends = Utc::now() + TimeDelta::days(1);
                let allow = Override::allow(permission, widest, because("urgent"), ends).unwrap();
                let both = somebody(policy).roles([staff.name(), role.name()]).unwrap().with_override(allow).build();
                assert_eq!(tried(&both, permission), Scope::None, "{} and {}", staff.name(), role.name());
            }
        }
    }
}

#[test]
fn whoever_is_impersonated_nothing_is_written_and_nothing_is_seen_that_the_person_does_not_see() {
    check::<erp::Perm, erp::perm::Impersonate>(&erp::policy(), "support");
    check::<brokerage::Perm, brokerage::perm::Impersonate>(&brokerage::policy(), "god-mode");
    fn check<P: Permission, T>(policy: &Policy<P>, staff: &str)
    where
        T: stockade_rbac::Tag<Perm = P, Grant = Unrecorded<stockade_rbac::Permit<T>>>,
    {
        let staff = actor(policy, &[staff]);
        for (role, permission) in members(policy) {
            let person = actor(policy, &[role.name()]);
            let acting = staff.impersonate::<T>(&person, because("ticket 4711"), Timebox::MAX).unwrap();
            let acting = now(acting.record(&mut Log::default())).unwrap();
            for row in rows() {
                let reads = permission.kind() == Kind::Read && person.decide(permission, &row).is_allowed();
                assert_eq!(acting.decide(permission, &row).is_allowed(), reads, "{} {permission:?}", role.name());
            }
        }
    }
}
