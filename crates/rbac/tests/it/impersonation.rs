//! Staff looking over a person's shoulder.

use chrono::{DateTime, TimeDelta, Utc};
use stockade_rbac::{
    Actor, Ceiling, Denied, Direct, Impersonating, ManualClock, Override, Reason, Refusal, Resource, Scope, Scopes,
    Subject, Timebox, Verdict,
};
use uuid::Uuid;

use crate::desk::{Perm, World, perm};
use crate::permits::{Log, now};

fn impersonate(
    staff: &Actor<Perm, Direct>,
    target: &Actor<Perm, Direct>,
) -> Result<Actor<Perm, Impersonating>, Denied> {
    let unrecorded =
        staff.impersonate::<perm::Impersonate>(target, Reason::new("ticket 4711").unwrap(), Timebox::MAX)?;
    Ok(now(unrecorded.record(&mut Log::default())).unwrap())
}

fn refusal(staff: &Actor<Perm, Direct>, target: &Actor<Perm, Direct>) -> Refusal {
    impersonate(staff, target).unwrap_err().refusal()
}

#[test]
fn an_impersonating_actor_reads_as_the_person_and_writes_nothing() {
    let world = World::new();
    let acting = impersonate(&world.staff(), &world.actor("controller")).unwrap();
    let row = world.row();
    assert!(acting.decide(Perm::View, &row).is_allowed());
    assert!(acting.require::<perm::View>(&row).is_ok());
    for write in [Perm::Edit, Perm::Post, Perm::Close] {
        assert_eq!(acting.decide(write, &row.owner(world.user)).verdict(), Verdict::Denied(Refusal::ReadsOnly));
        assert_eq!(acting.scope(write), Scope::None);
    }
    let elsewhere = Resource::in_tenant(Uuid::now_v7());
    assert!(world.staff().decide(Perm::View, &elsewhere).is_allowed());
    assert!(!acting.decide(Perm::View, &elsewhere).is_allowed(), "what staff reach themselves is left behind");
    assert_eq!(acting.subject().user(), world.user.into());
}

#[test]
fn the_log_knows_before_the_impersonation_exists() {
    let world = World::new();
    let (staff, target) = (world.staff(), world.actor("viewer"));
    let reason = Reason::new("ticket 4711").unwrap();
    let ask = || staff.impersonate::<perm::Impersonate>(&target, reason.clone(), Timebox::MAX).unwrap();

    let mut log = Log::default();
    let acting = now(ask().record(&mut log)).unwrap();
    let record = &log.records[0];
    assert_eq!((record.actor, record.on_behalf_of), (staff.subject().user(), Some(world.user.into())));
    assert_eq!((record.resource.tenant(), record.permission), (world.tenant.into(), "user.impersonate"));
    assert_eq!(record.reason.as_ref(), Some(&reason));
    assert_eq!(
        record.explanation,
        "allowed: role `support` grants `user.impersonate`; reach: platform; roles: support"
    );
    assert_eq!(acting.impersonation().staff(), staff.subject().user());
    assert_eq!(acting.impersonation().reason(), &reason);

    assert!(now(ask().record(&mut Log::broken())).is_err());
}

#[test]
fn what_an_impersonating_actor_does_is_recorded_under_both_names() {
    let world = World::new();
    let staff = world.staff();
    let acting = impersonate(&staff, &world.actor("controller")).unwrap();
    let mut log = Log::default();
    let _permit = now(acting.require::<perm::Reveal>(&world.row()).unwrap().record(&mut log)).unwrap();
    assert_eq!(log.records[0].actor, staff.subject().user());
    assert_eq!(log.records[0].on_behalf_of, Some(world.user.into()));
    assert_eq!(log.records[0].reason.as_ref().map(Reason::as_str), Some("ticket 4711"));
}

#[test]
fn only_staff_impersonate_and_nobody_impersonates_staff() {
    let world = World::new();
    let (staff, target) = (world.staff(), world.actor("viewer"));
    assert_eq!(refusal(&world.actor("controller"), &target), Refusal::NotStaff);
    assert_eq!(refusal(&staff, &world.staff()), Refusal::TargetIsStaff);
    assert!(impersonate(&staff, &target).is_ok());
}

#[test]
fn impersonation_is_a_permission_like_any_other() {
    let world = World::new();
    let target = world.actor("viewer");
    let staff = || {
        let subject = Subject::new(Uuid::now_v7(), Uuid::now_v7());
        world.policy.actor(subject).role("support").unwrap()
    };
    assert_eq!(refusal(&staff().build(), &target), Refusal::SecondFactor);
    let denied = Override::deny(Perm::Impersonate, Reason::new("on leave").unwrap());
    assert_eq!(refusal(&staff().multi_factor().with_override(denied).build(), &target), Refusal::OverrideDenies);
    let home = Scopes::all().with(Perm::Impersonate, Scope::Tenant);
    let bound = staff().multi_factor().ceiling(Ceiling::Session, &home).build();
    assert!(matches!(refusal(&bound, &target), Refusal::Ceiling { .. }));
}

#[test]
fn an_impersonation_ends_on_time() {
    let mut world = World::new();
    let noon: DateTime<Utc> = "2025-03-01T12:00:00Z".parse().unwrap();
    let clock = ManualClock::at(noon);
    world.policy = world.policy.with_clock(clock.clone());
    let acting = impersonate(&world.staff(), &world.actor("controller")).unwrap();
    let until = noon + TimeDelta::minutes(30);
    assert_eq!((acting.valid_until(), acting.impersonation().until()), (Some(until), until));

    clock.advance(TimeDelta::minutes(30) - TimeDelta::nanoseconds(1));
    assert!(acting.decide(Perm::View, &world.row()).is_allowed());
    let narrowed = acting.attenuate(&Scopes::all());
    clock.advance(TimeDelta::nanoseconds(1));
    for actor in [acting, narrowed] {
        assert_eq!(actor.decide(Perm::View, &world.row()).verdict(), Verdict::Denied(Refusal::Expired { at: until }),);
        assert_eq!(actor.require::<perm::View>(&world.row()).unwrap_err().refusal(), Refusal::Expired { at: until });
    }
}

#[test]
fn an_impersonation_ends_with_the_authority_it_came_from() {
    let mut world = World::new();
    let noon: DateTime<Utc> = "2025-03-01T12:00:00Z".parse().unwrap();
    world.policy = world.policy.with_clock(ManualClock::at(noon));
    let soon = noon + TimeDelta::minutes(5);
    let exception = || Override::deny_until(Perm::Export, Reason::new("leave").unwrap(), soon);
    let target = world.policy.actor(world.subject()).role("viewer").unwrap().with_override(exception()).build();
    assert_eq!(impersonate(&world.staff(), &target).unwrap().valid_until(), Some(soon));

    let staff = world.policy.actor(Subject::new(Uuid::now_v7(), Uuid::now_v7())).role("support").unwrap();
    let staff = staff.multi_factor().with_override(exception()).build();
    assert_eq!(impersonate(&staff, &world.actor("viewer")).unwrap().valid_until(), Some(soon));
}

#[test]
fn the_ceilings_of_both_limit_an_impersonation() {
    let world = World::new();
    let target = world.actor("controller");
    let only = Scopes::none().with(Perm::Impersonate, Scope::Platform).with(Perm::View, Scope::Own);
    let acting = impersonate(&world.staff().attenuate(&only), &target).unwrap();
    assert_eq!((acting.scope(Perm::View), acting.scope(Perm::Reveal)), (Scope::Own, Scope::None));

    let acting =
        impersonate(&world.staff(), &target.attenuate(&Scopes::none().with(Perm::Reveal, Scope::Team))).unwrap();
    assert_eq!((acting.scope(Perm::View), acting.scope(Perm::Reveal)), (Scope::None, Scope::Team));
}
