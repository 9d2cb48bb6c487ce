//! What differs between two policies, and which way it goes.

use stockade_rbac::{Diff, Difference, Direction, Policy};

use crate::desk::{POLICY, Perm};

fn compile(text: &str) -> Policy<Perm> {
    Policy::compile(text).unwrap()
}

/// The lines of a difference, those that widen marked, and checked against the difference the other way.
fn lines(before: &str, after: &str) -> Vec<String> {
    let (before, after) = (compile(before), compile(after));
    let diff = before.diff(&after);
    assert_eq!(diff, after.diff(&before).inverse());
    assert_eq!(diff.is_empty(), before.digest() == after.digest());
    let mark = |difference: &Difference| match difference.direction() {
        Direction::Widening => "+",
        Direction::Narrowing => "-",
        Direction::Neutral => " ",
    };
    diff.iter().map(|difference| format!("{} {difference}", mark(difference))).collect()
}

fn replaced(from: &str, to: &str) -> String {
    assert!(POLICY.contains(from));
    POLICY.replacen(from, to, 1)
}

#[test]
fn a_policy_does_not_differ_from_itself_written_otherwise() {
    let otherwise = r#"
        # Titles, order and comments are nothing.
        [[role]]
        name = "support"
        title = "Support"
        staff = true
        grants.platform = ["user.impersonate", "load.view"]

        [[role]]
        name = "controller"
        grants.tenant = ["ledger.close", "ledger.post", "driver.ssn.reveal", "load.view", "load.edit"]

        [[role]]
        name = "dispatcher"
        grants.team = ["load.edit"]
        grants.office = ["load.view", "load.export"]

        [[role]]
        name = "viewer"
        grants.own = ["load.view"]
    "#;
    assert!(lines(POLICY, otherwise).is_empty(), "inheritance that gives nothing more is nothing either");
    assert_eq!(compile(POLICY).diff(&compile(otherwise)).to_markdown(), "The policies mean the same.\n");
}

#[test]
fn a_wider_scope_widens_for_the_role_and_its_heirs() {
    let wider = replaced("grants.own = [\"load.view\"]", "grants.team = [\"load.view\"]");
    assert_eq!(lines(POLICY, &wider), ["+ viewer: load.view: own -> team"]);
    assert_eq!(lines(&wider, POLICY), ["- viewer: load.view: team -> own"]);
    let more = replaced("grants.own = [\"load.view\"]", "grants.own = [\"load.view\", \"ledger.post\"]");
    let expected = ["+ dispatcher: ledger.post: none -> own", "+ viewer: ledger.post: none -> own"];
    assert_eq!(lines(POLICY, &more), expected);
}

#[test]
fn a_role_that_comes_or_goes_does_so_with_all_that_it_has() {
    let more = format!(
        "{POLICY}\n[[role]]\nname = \"idle\"\n\n[[role]]\nname = \"poster\"\ngrants.tenant = [\"ledger.post\"]\n"
    );
    let expected = ["  role idle: no -> yes", "  role poster: no -> yes", "+ poster: ledger.post: none -> tenant"];
    assert_eq!(lines(POLICY, &more), expected);
    assert_eq!(lines(&more, POLICY).last().unwrap(), "- poster: ledger.post: tenant -> none");
}

#[test]
fn flags_of_roles_are_differences() {
    let owner = replaced("name = \"controller\"", "name = \"controller\"\nowner = true");
    assert_eq!(lines(POLICY, &owner), ["+ controller is an owner role: no -> yes"]);
    assert_eq!(
        lines(&owner, POLICY),
        ["+ controller is an owner role: yes -> no"],
        "anybody may touch its holders now"
    );
    let lay = POLICY.replace("staff = true", "staff = false").replace("grants.platform", "grants.tenant");
    let expected = [
        "- support: load.view: platform -> tenant",
        "- support: user.impersonate: platform -> tenant",
        "+ support is a staff role: yes -> no",
    ];
    assert_eq!(lines(POLICY, &lay), expected);
    let hidden = replaced("name = \"viewer\"", "name = \"viewer\"\nassignable = false");
    assert_eq!(lines(POLICY, &hidden), ["- viewer is assignable: yes -> no"]);
    assert_eq!(lines(&hidden, POLICY), ["+ viewer is assignable: no -> yes"]);
}

#[test]
fn who_may_give_which_role_is_a_difference() {
    let limited = replaced("inherits = [\"viewer\"]", "inherits = [\"viewer\"]\nassigns = [\"viewer\"]");
    assert_eq!(lines(POLICY, &limited), ["- the policy says who gives which role: no -> yes"]);
    assert_eq!(lines(&limited, POLICY), ["+ the policy says who gives which role: yes -> no"]);
    let more = limited.replacen("assigns = [\"viewer\"]", "assigns = [\"viewer\", \"dispatcher\"]", 1);
    assert_eq!(lines(&limited, &more), ["+ dispatcher gives dispatcher: no -> yes"]);
    assert_eq!(lines(&more, &limited), ["- dispatcher gives dispatcher: yes -> no"]);
}

#[test]
fn a_separation_that_is_dropped_or_weakened_widens() {
    let with = |rule: &str| format!("{POLICY}\n[[separation]]\nname = \"s\"\n{rule}\n");
    let strict = with("kind = \"static\"\nroles = [\"viewer\", \"controller\", \"support\"]");
    let fewer = with("kind = \"static\"\nroles = [\"viewer\", \"controller\"]");
    let looser = with("kind = \"static\"\nroles = [\"viewer\", \"controller\", \"support\"]\nat_most = 2");
    let dynamic = with("kind = \"dynamic\"\nroles = [\"viewer\", \"controller\", \"support\"]");
    let other = with("kind = \"static\"\nroles = [\"dispatcher\", \"controller\"]");
    let record = with("kind = \"same-record\"\nfirst = \"load.edit\"\nthen = \"ledger.post\"");
    let direction = |before: &str, after: &str| lines(before, after)[0].chars().next().unwrap();
    for weaker in [POLICY, &fewer, &looser, &dynamic] {
        assert_eq!((direction(&strict, weaker), direction(weaker, &strict)), ('+', '-'), "{weaker}");
    }
    for unlike in [&other, &record] {
        assert_eq!((direction(&fewer, unlike), direction(unlike, &fewer)), ('+', '+'), "neither includes the other");
    }
    let after_viewing = with("kind = \"same-record\"\nfirst = \"load.view\"\nthen = \"ledger.post\"");
    assert_eq!(direction(&record, &after_viewing), ' ', "what the maker did is told and not asked");
    assert_eq!(lines(&strict, POLICY), ["+ separation s: static, at most 1 of controller, support, viewer -> none"]);
    assert_eq!(lines(&record, POLICY), ["+ separation s: same record, load.edit then ledger.post -> none"]);
}

/// The role has what it had, and is not kept apart any more.
#[test]
fn a_role_that_no_longer_inherits_what_is_kept_apart_widens() {
    let separation = "\n[[separation]]\nname = \"s\"\nkind = \"static\"\nroles = [\"viewer\", \"controller\"]\n";
    let before = format!("{POLICY}{separation}");
    let after = before.replacen("inherits = [\"viewer\"]", "", 1);
    assert_eq!(lines(&before, &after), ["+ roles of separation s in dispatcher: 1 -> 0"]);
    assert_eq!(lines(&after, &before), ["- roles of separation s in dispatcher: 0 -> 1"]);
}

#[test]
fn what_widens_can_be_told_apart_from_the_rest() {
    let after = replaced("grants.team = [\"load.edit\"]", "grants.office = [\"load.edit\"]").replacen(
        "[\"load.view\", \"load.export\"]",
        "[\"load.view\"]",
        1,
    );
    let after = after.replacen(
        "grants.office = [\"load.edit\"]\n    grants.office",
        "grants.team = [\"load.export\"]\n    grants.office = [\"load.edit\",\"load.view\"]\n    #",
        1,
    );
    let diff: Diff = compile(POLICY).diff(&compile(&after));
    let expected = "\
| what | before | after | |
|---|---|---|---|
| dispatcher: load.edit | team | office | **widening** |
| dispatcher: load.export | office | team | narrowing |
";
    assert_eq!(diff.to_markdown(), expected);
    assert_eq!((diff.iter().len(), diff.widening().iter().len()), (2, 1));
    assert!(
        diff.inverse()
            .widening()
            .iter()
            .all(|difference| difference.to_string().starts_with("dispatcher: load.export"))
    );
}
