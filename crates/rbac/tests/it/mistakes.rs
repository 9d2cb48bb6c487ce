//! Mistakes that other engines were seen to pass over in silence. Here each is refused, or changes nothing. Those engines make them
//! in `benches/tests/rbac_engines/mistakes.rs`.

use std::fmt::Write as _;

use chrono::{TimeDelta, Utc};
use stockade_rbac::{
    Ceiling, ErrorKind, ManualClock, Override, Permission, Policy, Problem, Reason, Refusal, Resource, Rows, Scope,
    Scopes, Subject, Verdict,
};
use uuid::Uuid;

use crate::desk::{Perm, World};

fn problems(text: &str) -> Vec<Problem> {
    Policy::<Perm>::compile(text).unwrap_err().problems().to_vec()
}

#[test]
fn a_chain_of_four_thousand_roles_inherits_to_its_end() {
    let mut text = "[[role]]\nname = \"r0\"\ngrants.team = [\"load.view\"]\n".to_owned();
    for number in 1..Policy::<Perm>::MAX_ROLES {
        writeln!(text, "[[role]]\nname = \"r{number}\"\ninherits = [\"r{}\"]", number - 1).unwrap();
    }
    let policy = Policy::<Perm>::compile(&text).unwrap();
    assert!(policy.roles().iter().all(|role| role.scope(Perm::View) == Scope::Team));
    writeln!(text, "[[role]]\nname = \"one-too-many\"").unwrap();
    assert!(matches!(problems(&text)[..], [Problem::TooLarge { .. }]), "and where it ends, it says so");
}

#[test]
fn a_cycle_merges_no_roles() {
    let text = "[[role]]\nname = \"a\"\ninherits = [\"b\"]\ngrants.own = [\"load.view\"]\n\
        [[role]]\nname = \"b\"\ninherits = [\"a\"]\ngrants.own = [\"load.export\"]";
    let [Problem::Cycle { path }] = &problems(text)[..] else { panic!("a cycle") };
    assert_eq!(path, &["a", "b", "a"]);
}

#[test]
fn a_misspelt_role_permission_or_scope_is_no_row_of_a_table() {
    let text = "[[role]]\nname = \"viewer\"\n[[role]]\nname = \"agent\"\ninherits = [\"veiwer\"]\n\
        grants.team = [\"load.veiw\"]\ngrants.Office = [\"load.view\"]";
    let said: Vec<_> = problems(text).iter().map(ToString::to_string).collect();
    assert!(said.contains(&"role `agent` inherits unknown role `veiwer`; did you mean `viewer`?".to_owned()));
    assert!(said.contains(&"role `agent` grants unknown permission `load.veiw`; did you mean `load.view`?".to_owned()));
    let scope = "role `agent` grants at unknown scope `Office`: expected own, team, office, tenant or platform";
    assert!(said.contains(&scope.to_owned()));
    assert_eq!(said.len(), 3);

    let world = World::new();
    let misspelt = world.policy.actor(world.subject()).role("Viewer").unwrap_err();
    assert_eq!(misspelt.kind(), ErrorKind::UnknownRole);
}

#[test]
fn a_deny_cannot_be_misspelt() {
    // In code it is a function. In a policy there is none to misspell, and a line that looks like one is refused.
    for line in [
        "deny.own = [\"load.view\"]",
        "Deny.own = [\"load.view\"]",
        "effect = \"Deny\"",
        "grants.deny = [\"load.view\"]",
    ] {
        let problems = problems(&format!("[[role]]\nname = \"a\"\n{line}"));
        assert!(matches!(problems[..], [Problem::Syntax { .. } | Problem::UnknownScope { .. }]), "{line}");
    }
    // In a token, what is not exactly a permission and a scope is an error and no limit that is left out.
    for entry in
        ["Load.view", " load.view", "load.view ", "load.view:Own", "load.view: own", "load.view:", "!load.view"]
    {
        assert!(Scopes::<Perm>::parse(["load.view:own", entry]).is_err(), "{entry}");
    }
}

#[test]
fn a_deny_needs_no_fact_about_the_row_and_cannot_be_skipped() {
    let world = World::new();
    let deny = Override::deny(Perm::View, Reason::new("under review").unwrap());
    let person = world.policy.actor(world.subject()).role("controller").unwrap().with_override(deny).build();
    let nil = Uuid::nil();
    let strange = [
        Resource::in_tenant(world.tenant),
        Resource::in_tenant(nil),
        Resource::in_tenant(world.tenant).owner(nil).team(nil).office(nil),
        world.row().owner(world.user),
    ];
    for row in strange {
        assert_eq!(person.decide(Perm::View, &row).verdict(), Verdict::Denied(Refusal::OverrideDenies));
    }
}

#[test]
fn a_limit_that_names_nothing_lets_nothing_through() {
    let world = World::new();
    let person = world.actor("controller");
    let nothing = Scopes::parse::<&str>([]).unwrap();
    let builder = world.policy.actor(world.subject()).role("controller").unwrap();
    for limited in [person.attenuate(&nothing), builder.ceiling(Ceiling::Tenant, &nothing).build()] {
        assert!(Perm::ALL.iter().all(|&permission| limited.scope(permission) == Scope::None));
    }
}

#[test]
fn what_one_context_was_answered_is_never_the_answer_of_another() {
    let world = World::new();
    let row = world.row();
    let person = world.actor("controller");
    let token = person.attenuate(&Scopes::parse(["load.edit"]).unwrap());
    let elsewhere = world.policy.actor(Subject::new(world.user, Uuid::now_v7())).role("controller").unwrap().build();
    let stranger = world.policy.actor(Subject::new(Uuid::now_v7(), world.tenant)).role("viewer").unwrap().build();
    // The same question again and again, each time after somebody else asked it.
    for _ in 0..3 {
        for (asks, allowed) in [(&person, true), (&token, false), (&elsewhere, false), (&stranger, false)] {
            assert_eq!(asks.decide(Perm::View, &row).is_allowed(), allowed);
        }
    }
}

#[test]
fn an_elevation_that_was_asked_about_before_it_ended_ends_all_the_same() {
    static LOADS: Rows = Rows::new("freight", "loads", "tenant_id");
    let world = World::new();
    let clock = ManualClock::at(Utc::now());
    let policy = world.policy.clone().with_clock(clock.clone());
    let ends = Utc::now() + TimeDelta::hours(1);
    let allow = Override::allow(Perm::Edit, Scope::Tenant, Reason::new("urgent").unwrap(), ends).unwrap();
    let elevated = policy.actor(world.subject()).role("viewer").unwrap().with_override(allow).build();
    let (copy, token) = (elevated.clone(), elevated.attenuate(&Scopes::all()));
    let row = world.row();
    for actor in [&elevated, &copy, &token] {
        assert!(actor.decide(Perm::Edit, &row).is_allowed());
    }

    clock.advance(TimeDelta::hours(2));
    for actor in [&elevated, &copy, &token] {
        for asked in [Perm::Edit, Perm::View] {
            assert!(!actor.decide(asked, &row.owner(world.user)).is_allowed(), "asked before or not");
            assert!(actor.rows(asked, &LOADS).is_empty());
        }
        assert_eq!(actor.packed_scopes(world.tenant.into()), "");
    }
}
