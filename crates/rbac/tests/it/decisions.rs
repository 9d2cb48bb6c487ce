//! Each layer of a decision, with the words it is told in.

use chrono::{DateTime, TimeDelta, Utc};
use stockade_rbac::{
    ActorBuilder, Ceiling, ErrorKind, ManualClock, Override, Reason, Refusal, Resource, Scope, Scopes, Subject,
    Verdict, Via,
};
use uuid::Uuid;

use crate::desk::{Perm, World, perm};

fn because(text: &str) -> Reason {
    Reason::new(text).unwrap()
}

fn noon() -> DateTime<Utc> {
    "2025-03-01T12:00:00Z".parse().unwrap()
}

#[test]
fn nothing_is_allowed_by_default() {
    let world = World::new();
    let nobody = world.policy.actor(world.subject()).build();
    let own = world.row().owner(world.user);
    let decision = nobody.decide(Perm::View, &own);
    assert_eq!(decision.verdict(), Verdict::Denied(Refusal::NotGranted));
    assert_eq!(decision.to_string(), "denied: no role grants `load.view`; roles: none");
}

#[test]
fn a_wider_scope_covers_what_every_narrower_scope_covers() {
    let world = World::new();
    let dispatcher = world.actor("dispatcher");
    let rows = [
        (world.row().owner(world.user), Scope::Own, true, true),
        (world.row().team(world.team), Scope::Team, true, true),
        (world.row().office(world.office), Scope::Office, true, false),
        (world.row(), Scope::Tenant, false, false),
    ];
    for (row, needed, views, edits) in rows {
        let view = dispatcher.decide(Perm::View, &row);
        assert_eq!((view.needed(), view.is_allowed()), (needed, views));
        assert_eq!(dispatcher.decide(Perm::Edit, &row).is_allowed(), edits);
    }
    let far = dispatcher.decide(Perm::Edit, &rows[2].0);
    let too_narrow = Refusal::ScopeTooNarrow { granted: Scope::Team, needed: Scope::Office };
    assert_eq!(far.verdict(), Verdict::Denied(too_narrow));
    assert_eq!(far.to_string(), "denied: `load.edit` reaches team, this needs office; roles: dispatcher");
}

#[test]
fn an_allowed_decision_names_the_first_role_that_reaches_far_enough() {
    let world = World::new();
    let both = world.policy.actor(world.subject()).roles(["viewer", "dispatcher", "controller"]).unwrap().build();
    let decision = both.decide(Perm::Edit, &world.row().team(world.team));
    assert_eq!(decision.verdict(), Verdict::Allowed { via: Via::Role("dispatcher"), scope: Scope::Tenant });
    assert_eq!(
        decision.to_string(),
        "allowed: role `dispatcher` grants `load.edit`; reach: tenant; roles: viewer, dispatcher, controller",
    );
}

#[test]
fn a_row_of_another_tenant_is_out_of_reach_whoever_owns_it() {
    let world = World::new();
    let elsewhere = Resource::in_tenant(Uuid::now_v7()).owner(world.user).team(world.team).office(world.office);
    let decision = world.actor("controller");
    let decision = decision.decide(Perm::View, &elsewhere);
    assert_eq!(decision.verdict(), Verdict::Denied(Refusal::OtherTenant));
    assert_eq!(decision.to_string(), "denied: `load.view` does not reach other tenants; roles: controller");
    assert!(world.staff().decide(Perm::View, &elsewhere).is_allowed());
}

#[test]
fn an_unknown_fact_matches_nobody() {
    let world = World::new();
    let nil = Uuid::nil();
    let nobody = Subject::new(nil, nil).team(nil).office(nil);
    assert_eq!(Resource::in_tenant(nil).owner(nil).nearest(&nobody), Scope::Platform);
    let stranger = Subject::new(nil, world.tenant).team(nil).office(nil);
    assert_eq!(Resource::in_tenant(world.tenant).nearest(&stranger), Scope::Tenant);
    assert_eq!(Resource::in_tenant(world.tenant).owner(nil).team(nil).office(nil).nearest(&stranger), Scope::Tenant);
}

#[test]
fn a_person_may_belong_to_several_teams_and_offices() {
    let world = World::new();
    let (team, office) = (Uuid::now_v7(), Uuid::now_v7());
    let subject = world.subject().team(team).office(office);
    assert_eq!(world.row().team(team).nearest(&subject), Scope::Team);
    assert_eq!(world.row().team(world.team).nearest(&subject), Scope::Team);
    assert_eq!(world.row().office(office).nearest(&subject), Scope::Office);
}

#[test]
fn a_deny_wins_over_roles_and_allows() {
    let world = World::new();
    let allow = Override::allow(Perm::Edit, Scope::Tenant, because("cover"), Utc::now() + TimeDelta::hours(1)).unwrap();
    let deny = Override::deny(Perm::Edit, because("under review"));
    for overrides in [[allow.clone(), deny.clone()], [deny, allow]] {
        let [first, second] = overrides;
        let builder = world.policy.actor(world.subject()).role("controller").unwrap();
        let actor = builder.with_override(first).with_override(second).build();
        let decision = actor.decide(Perm::Edit, &world.row().owner(world.user));
        assert_eq!(decision.verdict(), Verdict::Denied(Refusal::OverrideDenies));
        assert_eq!(decision.to_string(), "denied: an override denies `load.edit`; roles: controller");
        assert!(actor.decide(Perm::View, &world.row()).is_allowed());
    }
}

#[test]
fn an_allow_grants_what_no_role_grants_and_ends_on_time() {
    let world = World::new();
    let clock = ManualClock::at(noon());
    let policy = world.policy.clone().with_clock(clock.clone());
    let until = noon() + TimeDelta::minutes(10);
    let allow = Override::allow(Perm::Edit, Scope::Office, because("covers for a colleague"), until).unwrap();
    let build = || policy.actor(world.subject()).role("viewer").unwrap().with_override(allow.clone()).build();

    let actor = build();
    let row = world.row().office(world.office);
    let decision = actor.decide(Perm::Edit, &row);
    let reason = because("covers for a colleague");
    assert_eq!(decision.verdict(), Verdict::Allowed { via: Via::Override(&reason), scope: Scope::Office });
    assert_eq!(decision.to_string(), "allowed: an override grants `load.edit`; reach: office; roles: viewer");
    assert_eq!((actor.valid_until(), decision.valid_until()), (Some(until), Some(until)));
    assert!(!actor.decide(Perm::Edit, &world.row()).is_allowed());

    clock.advance(TimeDelta::minutes(10) - TimeDelta::nanoseconds(1));
    assert!(actor.decide(Perm::Edit, &row).is_allowed());
    clock.advance(TimeDelta::nanoseconds(1));
    let late = actor.decide(Perm::Edit, &row);
    assert_eq!(late.verdict(), Verdict::Denied(Refusal::Expired { at: until }));
    assert_eq!(late.to_string(), "denied: the authority for `load.edit` ended at 2025-03-01T12:10:00Z; roles: viewer");
    assert_eq!(actor.scope(Perm::View), Scope::None);

    let fresh = build();
    assert_eq!(
        (fresh.valid_until(), fresh.scope(Perm::Edit), fresh.scope(Perm::View)),
        (None, Scope::None, Scope::Own)
    );
}

#[test]
fn a_role_ends_on_time_and_has_no_effect_afterwards() {
    let world = World::new();
    let clock = ManualClock::at(noon());
    let policy = world.policy.clone().with_clock(clock.clone());
    let until = noon() + TimeDelta::minutes(10);
    let build =
        |name: &str| policy.actor(world.subject()).role("viewer")?.role_until(name, until).map(ActorBuilder::build);

    let actor = build("dispatcher").unwrap();
    assert!(actor.roles().eq(["viewer", "dispatcher"]));
    assert_eq!(
        (actor.valid_until(), actor.scope(Perm::Edit)),
        (Some(until), world.actor("dispatcher").scope(Perm::Edit))
    );

    clock.advance(TimeDelta::minutes(10));
    assert_eq!(actor.scope(Perm::View), Scope::None);
    let fresh = build("dispatcher").unwrap();
    assert!(fresh.roles().eq(["viewer"]));
    assert_eq!((fresh.valid_until(), fresh.scope(Perm::View)), (None, Scope::Own));
    // It is an error all the same.
    assert_eq!(build("dispacher").unwrap_err().kind(), ErrorKind::UnknownRole);
}

#[test]
fn a_deny_may_end() {
    let world = World::new();
    let clock = ManualClock::at(noon());
    let policy = world.policy.clone().with_clock(clock.clone());
    let deny = Override::deny_until(Perm::View, because("leave"), noon() + TimeDelta::days(7));
    let build = || policy.actor(world.subject()).role("viewer").unwrap().with_override(deny.clone()).build();
    assert_eq!(build().scope(Perm::View), Scope::None);
    clock.advance(TimeDelta::days(7));
    assert_eq!(build().scope(Perm::View), Scope::Own);
}

#[test]
fn a_ceiling_cuts_off_and_says_which() {
    let world = World::new();
    let ceilings = [(Ceiling::Tenant, "tenant"), (Ceiling::Session, "session"), (Ceiling::Token, "token")];
    for (ceiling, name) in ceilings {
        let limit = Scopes::none().with(Perm::View, Scope::Office);
        let builder = world.policy.actor(world.subject()).role("controller").unwrap();
        let actor = builder.ceiling(ceiling, &limit).build();
        assert!(actor.decide(Perm::View, &world.row().team(world.team)).is_allowed());
        let decision = actor.decide(Perm::View, &world.row());
        assert_eq!(decision.verdict(), Verdict::Denied(Refusal::Ceiling { ceiling, limit: Scope::Office }));
        let expected = format!("denied: the {name} limits `load.view` to office, this needs tenant; roles: controller");
        assert_eq!(decision.to_string(), expected);
    }
}

#[test]
fn an_override_does_not_lift_a_ceiling() {
    let world = World::new();
    let allow = Override::allow(Perm::Edit, Scope::Tenant, because("cover"), Utc::now() + TimeDelta::hours(1)).unwrap();
    let builder = world.policy.actor(world.subject()).with_override(allow);
    let actor = builder.ceiling(Ceiling::Tenant, &Scopes::none().with(Perm::View, Scope::Tenant)).build();
    assert_eq!(actor.scope(Perm::Edit), Scope::None);
}

#[test]
fn a_permission_with_mfa_needs_a_second_factor() {
    let world = World::new();
    let row = world.row();
    let single = world.actor("controller");
    let decision = single.decide(Perm::Close, &row);
    assert_eq!(decision.verdict(), Verdict::Denied(Refusal::SecondFactor));
    assert_eq!(decision.to_string(), "denied: `ledger.close` needs a second factor; roles: controller");
    assert!(single.decide(Perm::Post, &row).is_allowed());

    let double = world.policy.actor(world.subject()).role("controller").unwrap().multi_factor().build();
    assert!(double.decide(Perm::Close, &row).is_allowed());
}

#[test]
fn staff_read_every_tenant_and_write_nothing() {
    let world = World::new();
    let allow = Override::allow(Perm::Edit, Scope::Tenant, because("cover"), Utc::now() + TimeDelta::hours(1)).unwrap();
    let builder = world.policy.actor(world.subject()).roles(["controller", "support"]).unwrap();
    let staff = builder.with_override(allow).multi_factor().build();
    assert!(staff.decide(Perm::View, &Resource::in_tenant(Uuid::now_v7())).is_allowed());
    for write in [Perm::Edit, Perm::Post, Perm::Close] {
        let decision = staff.decide(write, &world.row());
        assert_eq!(decision.verdict(), Verdict::Denied(Refusal::ReadsOnly));
    }
    assert_eq!(
        staff.decide(Perm::Edit, &world.row()).to_string(),
        "denied: `load.edit` writes, and staff and impersonating actors only read; roles: controller, support",
    );
}

#[test]
fn a_decision_says_when_it_has_to_be_recorded() {
    let world = World::new();
    let controller = world.actor("controller");
    assert!(controller.decide(Perm::Post, &world.row()).must_record());
    assert!(!controller.decide(Perm::Edit, &world.row()).must_record());
    assert!(!world.actor("viewer").decide(Perm::Post, &world.row()).must_record());
}

#[test]
fn a_refusal_is_passed_on_as_require_does() {
    let world = World::new();
    let viewer = world.actor("viewer");
    let denied = viewer.decide(Perm::Edit, &world.row()).denied().unwrap();
    assert_eq!(Some(&denied), viewer.require::<perm::Edit>(&world.row()).err().as_ref());
    assert_eq!((denied.permission(), denied.refusal()), ("load.edit", Refusal::NotGranted));
    assert_eq!(viewer.decide(Perm::View, &world.row().owner(world.user)).denied(), None);
}
