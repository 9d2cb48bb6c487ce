//! What goes into an actor, and what is refused entry.

use chrono::{TimeDelta, Utc};
use stockade_rbac::{
    Actor, Decision, Direct, Error, ErrorKind, Impersonating, Override, Policy, Reason, Scope, Scopes, Timebox,
};

use crate::desk::{Perm, World};

fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    assert!(!error.is_retryable());
    (error.kind(), error.to_string())
}

#[test]
fn an_unknown_role_is_an_error() {
    let world = World::new();
    let (kind, text) = refused(world.policy.actor(world.subject()).role("dispacher"));
    assert_eq!(kind, ErrorKind::UnknownRole);
    assert_eq!(text, "no role `dispacher` in the policy; did you mean `dispatcher`?");
    let (_, text) = refused(world.policy.actor(world.subject()).roles(["viewer", "x\ny"]));
    assert_eq!(text, r"no role `x\ny` in the policy");
}

#[test]
fn a_role_that_is_not_assignable_cannot_be_given() {
    let policy = Policy::<Perm>::compile(
        r#"
        role = [
            { name = "base", assignable = false, grants.own = ["load.view"] },
            { name = "clerk", inherits = ["base"] },
        ]
        "#,
    );
    let policy = policy.unwrap();
    let world = World::new();
    let (kind, text) = refused(policy.actor(world.subject()).role("base"));
    assert_eq!((kind, text.as_str()), (ErrorKind::UnknownRole, "role `base` cannot be assigned, only inherited"));
    assert_eq!(policy.actor(world.subject()).role("clerk").unwrap().build().scope(Perm::View), Scope::Own);
}

#[test]
fn a_role_given_twice_counts_once() {
    let world = World::new();
    let actor = world.policy.actor(world.subject()).roles(["viewer", "dispatcher", "viewer"]).unwrap().build();
    assert!(actor.roles().eq(["viewer", "dispatcher"]));
}

#[test]
fn an_allow_cannot_exceed_the_permission_nor_reach_other_tenants() {
    let reason = || Reason::new("cover").unwrap();
    let expires = Utc::now() + TimeDelta::hours(1);
    let (kind, text) = refused(Override::allow(Perm::Export, Scope::Tenant, reason(), expires));
    assert_eq!(kind, ErrorKind::ScopeTooWide);
    assert_eq!(text, "`load.export` reaches office at most, not tenant");
    let (kind, _) = refused(Override::allow(Perm::View, Scope::Platform, reason(), expires));
    assert_eq!(kind, ErrorKind::ScopeTooWide);

    let allow = Override::allow(Perm::View, Scope::Tenant, reason(), expires).unwrap();
    assert_eq!((allow.permission(), allow.scope(), allow.expires()), (Perm::View, Some(Scope::Tenant), Some(expires)));
    let deny = Override::deny(Perm::View, reason());
    assert_eq!((deny.scope(), deny.expires(), deny.reason().as_str()), (None, None, "cover"));
}

#[test]
fn a_reason_is_one_line_and_not_empty() {
    assert_eq!(Reason::new("  ticket 4711 ").unwrap().as_str(), "ticket 4711");
    assert!(Reason::new("x".repeat(200)).is_ok());
    for bad in [String::new(), "  \n".to_owned(), "a\nb".to_owned(), "a\u{1b}[2J".to_owned(), "x".repeat(201)] {
        assert_eq!(refused(Reason::new(bad)).0, ErrorKind::InvalidReason);
    }
}

#[test]
fn an_impersonation_lasts_one_to_thirty_minutes() {
    assert_eq!(Timebox::minutes(30).unwrap(), Timebox::MAX);
    assert!(Timebox::minutes(1).is_ok());
    for bad in [0, 31, 255] {
        assert_eq!(refused(Timebox::minutes(bad)).0, ErrorKind::InvalidTimebox);
    }
}

#[test]
fn a_misspelt_token_scope_is_an_error() {
    let parsed = Scopes::<Perm>::parse(["load.view", "load.edit:own", "load.view:team"]).unwrap();
    assert!(parsed.iter().eq([(Perm::View, Scope::Platform), (Perm::Edit, Scope::Own)]));
    let parse = |entry: &str| refused(Scopes::<Perm>::parse([entry]));
    let unknown = (ErrorKind::UnknownPermission, "no permission `load.vew`; did you mean `load.view`?".to_owned());
    assert_eq!(parse("load.vew"), unknown);
    assert_eq!(parse("load.view:office:own").0, ErrorKind::UnknownScope);
    assert_eq!(parse("load.view:Own").0, ErrorKind::UnknownScope);
    assert_eq!(parse("load.export:tenant").0, ErrorKind::ScopeTooWide);
    assert_eq!(parse("").0, ErrorKind::UnknownPermission);
    assert_eq!(parse("*").0, ErrorKind::UnknownPermission);
}

#[test]
fn actors_can_be_kept_and_shared() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<Policy<Perm>>();
    shared::<Actor<Perm, Direct>>();
    shared::<Actor<Perm, Impersonating>>();
    fn copied<T: Copy + Send + Sync>() {}
    copied::<Decision<'_, Perm>>();
}

#[test]
fn the_debug_form_of_an_actor_has_neither_the_policy_nor_reasons() {
    let world = World::new();
    let deny = Override::deny(Perm::Edit, Reason::new("under review by A. Smith").unwrap());
    let builder = world.policy.actor(world.subject()).role("dispatcher").unwrap().with_override(deny);
    let actor = builder.clone().build();
    let debug = format!("{builder:?} {actor:?} {:?}", actor.decide(Perm::View, &world.row()));
    assert!(debug.contains("dispatcher") && debug.contains("load.view"));
    assert!(!debug.contains("controller") && !debug.contains("Smith"), "{debug}");
}
