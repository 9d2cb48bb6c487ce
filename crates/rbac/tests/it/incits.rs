//! The functions of INCITS 359 (role-based access control), core and hierarchical, by their names. `INCITS-359.md` has the table.

use std::collections::BTreeSet;

use stockade_rbac::{Actor, Direct, Override, Permission, Policy, Reason, Scope, Subject};
use uuid::Uuid;

use crate::desk::{POLICY, Perm, World};

/// The permissions that somebody or a role reaches anything with.
fn keys(permissions: impl Iterator<Item = (Perm, Scope)>) -> Vec<&'static str> {
    permissions.map(|(permission, _)| permission.key()).collect()
}

fn of_session(actor: &Actor<Perm, Direct>) -> Vec<&'static str> {
    let reached = Perm::ALL.iter().map(|&permission| (permission, actor.scope(permission)));
    keys(reached.filter(|(_, scope)| *scope != Scope::None))
}

#[test]
fn add_user_and_delete_user_need_no_registry() {
    let world = World::new();
    let new = world.policy.actor(Subject::new(Uuid::now_v7(), world.tenant)).build();
    assert_eq!((new.roles().count(), of_session(&new)), (0, vec![]), "a user without roles may do nothing");
}

#[test]
fn add_role_and_delete_role_are_edits_of_the_policy() {
    let before = Policy::<Perm>::compile(POLICY).unwrap();
    let after = Policy::<Perm>::compile(&format!("{POLICY}\n[[role]]\nname = \"clerk\"\n")).unwrap();
    assert!(before.role("clerk").is_none() && after.role("clerk").is_some());
    let subject = Subject::new(Uuid::now_v7(), Uuid::now_v7());
    assert!(before.actor(subject.clone()).role("clerk").is_err(), "nobody keeps a role that was deleted");
    assert!(after.actor(subject).role("clerk").is_ok());
}

#[test]
fn assign_user_gives_a_role_once_and_deassign_user_takes_it() {
    let world = World::new();
    let assigned = world.policy.actor(world.subject()).roles(["viewer", "controller", "viewer"]).unwrap().build();
    assert!(assigned.roles().eq(["viewer", "controller"]));
    let deassigned = world.policy.actor(world.subject()).role("viewer").unwrap().build();
    assert!(deassigned.roles().eq(["viewer"]));
    assert_eq!(deassigned.scope(Perm::Post), Scope::None);
}

#[test]
fn grant_permission_and_revoke_permission_reach_everybody_with_the_role() {
    let granted = Policy::<Perm>::compile("[[role]]\nname = \"a\"\ngrants.own = [\"load.view\"]").unwrap();
    let revoked = Policy::<Perm>::compile("[[role]]\nname = \"a\"").unwrap();
    let of = |policy: &Policy<Perm>| {
        let subject = Subject::new(Uuid::now_v7(), Uuid::now_v7());
        of_session(&policy.actor(subject).role("a").unwrap().build())
    };
    assert_eq!((of(&granted), of(&revoked)), (vec!["load.view"], vec![]));
}

#[test]
fn create_session_activates_the_roles_that_are_given_and_no_others() {
    let world = World::new();
    // The user has both. This session has one, and is unaware of the other.
    let session = world.policy.actor(world.subject()).role("viewer").unwrap().build();
    assert!(session.roles().eq(["viewer"]));
    assert!(!session.decide(Perm::Post, &world.row()).is_allowed());
}

#[test]
fn add_active_role_and_drop_active_role_make_another_session_and_leave_this_one() {
    let world = World::new();
    let session = world.actor("viewer");
    let more = world.policy.actor(session.subject().clone()).roles(session.roles()).unwrap();
    let more = more.role("controller").unwrap().build();
    assert!(more.decide(Perm::Post, &world.row()).is_allowed());
    assert!(!session.decide(Perm::Post, &world.row()).is_allowed());
}

#[test]
fn check_access_answers_for_a_session_an_operation_and_an_object() {
    let world = World::new();
    let session = world.actor("dispatcher");
    assert!(session.decide(Perm::Edit, &world.row().team(world.team)).is_allowed());
    assert!(!session.decide(Perm::Edit, &world.row()).is_allowed(), "another object");
    assert!(!session.decide(Perm::Post, &world.row().team(world.team)).is_allowed(), "another operation");
}

#[test]
fn assigned_roles_and_session_roles_are_what_was_given() {
    let world = World::new();
    let session = world.policy.actor(world.subject()).roles(["dispatcher", "controller"]).unwrap().build();
    assert!(session.roles().eq(["dispatcher", "controller"]), "and not the inherited viewer");
}

#[test]
fn role_permissions_include_what_is_inherited() {
    let policy = World::new().policy;
    let of = |role: &str| keys(policy.role(role).unwrap().scopes().iter());
    assert_eq!(of("viewer"), ["load.view"]);
    assert_eq!(of("dispatcher"), ["load.view", "load.edit", "load.export"]);
}

#[test]
fn user_permissions_and_session_permissions_are_those_of_all_roles_within_the_limits() {
    let world = World::new();
    let denied = Override::deny(Perm::View, Reason::new("under review").unwrap());
    let session = world.policy.actor(world.subject()).roles(["viewer", "controller"]).unwrap();
    assert_eq!(
        of_session(&session.clone().build()),
        ["load.view", "load.edit", "driver.ssn.reveal", "ledger.post"],
        "to close the ledger takes a second factor"
    );
    assert_eq!(of_session(&session.with_override(denied).build()), ["load.edit", "driver.ssn.reveal", "ledger.post"]);
}

#[test]
fn role_operations_and_user_operations_on_an_object_are_those_that_are_allowed_on_it() {
    let world = World::new();
    let session = world.actor("dispatcher");
    let on = |row| Perm::ALL.iter().filter(|permission| session.decide(**permission, &row).is_allowed()).count();
    let rows =
        [world.row().owner(world.user), world.row().team(world.team), world.row().office(world.office), world.row()];
    assert_eq!(rows.map(on), [3, 3, 2, 0]);
}

#[test]
fn add_inheritance_makes_an_ascendant_and_never_a_cycle() {
    let text = |inherits: &str| {
        format!("[[role]]\nname = \"a\"\ngrants.own = [\"load.view\"]\n[[role]]\nname = \"b\"\n{inherits}")
    };
    let before = Policy::<Perm>::compile(&text("")).unwrap();
    let after = Policy::<Perm>::compile(&text("inherits = [\"a\"]")).unwrap();
    assert_eq!(
        (before.role("b").unwrap().scope(Perm::View), after.role("b").unwrap().scope(Perm::View)),
        (Scope::None, Scope::Own)
    );
    assert!(Policy::<Perm>::compile(&text("inherits = [\"b\"]")).is_err());
}

#[test]
fn a_general_hierarchy_has_several_parents_and_several_heirs() {
    let text =
        "role = [{ name = \"a\", grants.own = [\"load.view\"] }, { name = \"b\", grants.own = [\"load.export\"] },
        { name = \"ab\", inherits = [\"a\", \"b\"] }, { name = \"heir\", inherits = [\"ab\", \"a\"] }]";
    let policy = Policy::<Perm>::compile(text).unwrap();
    let both: BTreeSet<_> = ["load.view", "load.export"].into();
    for role in ["ab", "heir"] {
        assert_eq!(keys(policy.role(role).unwrap().scopes().iter()).into_iter().collect::<BTreeSet<_>>(), both);
    }
}
