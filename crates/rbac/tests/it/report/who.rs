//! Who can?

use chrono::{TimeDelta, Utc};
use stockade_rbac::{Delegation, ManualClock, Override, Reason, Scope, Scopes};

use crate::desk::{Perm, World};

#[test]
fn the_roles_that_can_are_told_with_their_reach() {
    let world = World::new();
    let told: Vec<_> = world.policy.who_can(Perm::View).map(|(role, scope)| (role.name(), scope)).collect();
    let expected = [
        ("viewer", Scope::Own),
        ("dispatcher", Scope::Office),
        ("controller", Scope::Tenant),
        ("support", Scope::Platform),
    ];
    assert_eq!(told, expected);
}

#[test]
fn the_people_who_can_are_told_with_their_reasons() {
    let mut world = World::new();
    let clock = ManualClock::at(Utc::now());
    world.policy = world.policy.with_clock(clock.clone());
    let because = || Reason::new("cover").unwrap();
    let soon = Utc::now() + TimeDelta::hours(1);
    let person = || stockade_rbac::Subject::new(uuid::Uuid::now_v7(), world.tenant);
    let build = |roles: &[&str]| world.policy.actor(person()).roles(roles).unwrap();
    let allow = Override::allow(Perm::Close, Scope::Office, because(), soon).unwrap();
    let controller = build(&["viewer", "controller"]).build();
    assert_eq!(controller.scope(Perm::Close), Scope::None, "without a second factor");
    let people = [
        controller,
        build(&["dispatcher"]).with_override(allow).build(),
        build(&["controller"]).with_override(Override::deny(Perm::Close, because())).build(),
        build(&["dispatcher"]).build(),
    ];
    let who = || world.policy.people_who_can(Perm::Close, &people);
    let told: Vec<_> =
        who().into_iter().map(|holder| (holder.user, holder.scope, holder.roles, holder.by_override)).collect();
    let expected = [
        (people[0].subject().user(), Scope::Tenant, vec!["controller".to_owned()], false),
        (people[1].subject().user(), Scope::Office, vec![], true),
    ];
    assert_eq!(told, expected);
    clock.advance(TimeDelta::hours(2));
    assert_eq!(who().len(), 1, "an authority that has ended is none");
}

#[test]
fn a_loan_is_told_with_its_lender() {
    stockade_rbac::permissions! { enum Lent { Look = "look": Read, up to Tenant, delegable } }
    let policy =
        stockade_rbac::Policy::<Lent>::compile("role = [{ name = \"a\", grants.tenant = [\"look\"] }]").unwrap();
    let tenant = uuid::Uuid::now_v7();
    let person = || policy.actor(stockade_rbac::Subject::new(uuid::Uuid::now_v7(), tenant));
    let lender = person().role("a").unwrap().build();
    let scopes = Scopes::none().with(Lent::Look, Scope::Team);
    let loan = Delegation::new(scopes, Utc::now() + TimeDelta::hours(1), Reason::new("leave").unwrap()).unwrap();
    let deputy = person().delegated_by(&lender, &loan).build();
    let [holder] = <[_; 1]>::try_from(policy.people_who_can(Lent::Look, [&deputy])).unwrap();
    assert_eq!((holder.scope, holder.lent_by, holder.roles.len()), (Scope::Team, vec![lender.subject().user()], 0));
}
