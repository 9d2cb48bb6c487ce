//! The policies in `presets/`, one test for each sentence that is said about them.

mod approval;
mod brokerage;
mod erp;
mod everywhere;
mod field_service;
mod trucking;

use stockade_rbac::{Actor, ActorBuilder, Direct, Permission, Policy, Resource, Scope, Subject};
use uuid::Uuid;

fn preset<P: Permission>(source: &str) -> Policy<P> {
    Policy::compile(source).unwrap_or_else(|error| panic!("{error}"))
}

/// The person, the tenant, the team and the office of all these tests.
fn world() -> [Uuid; 4] {
    [1, 2, 3, 4].map(Uuid::from_u128)
}

/// Somebody with a second factor and no role yet.
fn somebody<P: Permission>(policy: &Policy<P>) -> ActorBuilder<P> {
    let [user, tenant, team, office] = world();
    policy.actor(Subject::new(user, tenant).team(team).office(office)).multi_factor()
}

fn actor<P: Permission>(policy: &Policy<P>, roles: &[&str]) -> Actor<P, Direct> {
    somebody(policy).roles(roles).unwrap().build()
}

/// A row at each distance from that person, nearest first; the last belongs to another tenant.
fn rows() -> [Resource; 5] {
    let [user, tenant, team, office] = world();
    let row = Resource::in_tenant(tenant);
    [row.owner(user), row.team(team), row.office(office), row, Resource::in_tenant(Uuid::from_u128(9))]
}

/// How far somebody gets, by trying: what is allowed must be the near rows and none behind the first that is refused.
fn tried<P: Permission>(actor: &Actor<P, Direct>, permission: P) -> Scope {
    let allowed = rows().map(|row| actor.decide(permission, &row).is_allowed());
    assert!(allowed.is_sorted_by(|near, far| near >= far), "{permission:?}: {allowed:?}");
    Scope::ALL[allowed.into_iter().filter(|allowed| *allowed).count()]
}

fn reach<P: Permission>(policy: &Policy<P>, role: &str, permission: P) -> Scope {
    tried(&actor(policy, &[role]), permission)
}

/// The roles that get anywhere with a permission, in the order of the file.
fn holders<P: Permission>(policy: &Policy<P>, permission: P) -> Vec<&str> {
    let names = policy.roles().iter().map(|role| role.name());
    names.filter(|role| reach(policy, role, permission) != Scope::None).collect()
}

/// All that a role can do, and how far.
fn all_of<P: Permission>(policy: &Policy<P>, role: &str) -> Vec<(P, Scope)> {
    let reached = P::ALL.iter().map(|&permission| (permission, reach(policy, role, permission)));
    reached.filter(|(_, scope)| *scope != Scope::None).collect()
}
