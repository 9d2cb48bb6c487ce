//! What a policy can have wrong, each said once and all said together.

mod duties;

use proptest::prelude::*;
use stockade_rbac::{ErrorKind, Policy, Problem};

use crate::desk::{POLICY, Perm};

fn problems(source: &str) -> Vec<String> {
    let error = Policy::<Perm>::compile(source).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    error.problems().iter().map(ToString::to_string).collect()
}

#[test]
fn every_problem_is_reported_at_once() {
    let source = r#"
        [[role]]
        name = "viewer"
        inherits = ["editor"]
        grants.team = ["load.vew"]
        grants.region = ["load.view"]

        [[role]]
        name = "editor"
        inherits = ["viewer", "wiever", "viewer"]
        grants.own = ["load.edit", "load.edit"]

        [[role]]
        name = "viewer"
        grants.tenant = ["load.export"]

        [[role]]
        name = "Support"
        staff = true
        grants.tenant = ["ledger.post"]

        [[role]]
        name = "boss"
        title = ""
        inherits = ["Support"]
        grants.platform = ["load.view"]
    "#;
    let expected = [
        "role `boss`: a title is one line of 1 to 80 characters",
        "role `Support`: a name is 1 to 64 of a-z, 0-9, `-` and `_`",
        "role `boss` grants `load.view` at platform, which only a staff role may hold",
        "role `boss` inherits staff role `Support` and is not a staff role itself",
        "role `editor` grants `load.edit` twice",
        "role `editor` inherits `viewer` twice",
        "role `editor` inherits unknown role `wiever`; did you mean `viewer`?",
        "role `viewer` grants `load.export` at tenant, which reaches office at most",
        "role `viewer` grants at unknown scope `region`: expected own, team, office, tenant or platform",
        "role `viewer` grants unknown permission `load.vew`; did you mean `load.view`?",
        "role `viewer` is there twice",
        "roles inherit each other: viewer -> editor -> viewer",
        "staff role `Support` may not write: ledger.post",
    ];
    let mut found = problems(source);
    found.sort();
    let mut expected = expected.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(found, expected);

    let message = Policy::<Perm>::compile(source).unwrap_err().to_string();
    assert!(message.starts_with("policy has 13 problems: "));
    assert!(!message.contains('\n'));
    assert!(expected.iter().all(|problem| message.contains(problem)));
}

#[test]
fn a_cycle_is_reported_with_its_path() {
    let source = r#"
        role = [
            { name = "a", inherits = ["b"] },
            { name = "b", inherits = ["c"] },
            { name = "c", inherits = ["b"] },
            { name = "d", inherits = ["d", "a"] },
        ]
    "#;
    let error = Policy::<Perm>::compile(source).unwrap_err();
    let path = |names: &[&str]| Problem::Cycle { path: names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(error.problems(), [path(&["b", "c", "b"]), path(&["d", "d"])]);
}

#[test]
fn a_field_that_a_policy_does_not_have_is_an_error() {
    let found = problems("[[role]]\nname = \"viewer\"\n\n[[role]]\nname = \"x\"\nassignible = false\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line 6, column 1: unknown field `assignible`"), "{}", found[0]);
    assert!(problems("[policy]\nversion = 2\n")[0].contains("unknown field `policy`"));
    assert!(problems("[[role]]\ntitle = \"x\"\n")[0].contains("missing field `name`"));
    assert!(problems("[[role]]\nname = \"x\"\nstaff = \"true\"\n")[0].starts_with("line 3, column 9: invalid type"));
}

#[test]
fn a_text_that_is_not_toml_is_reported_with_its_place() {
    let found = problems("[[role]]\nname = \"é\" oops\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line 2, column 12: "), "{}", found[0]);
}

#[test]
fn a_policy_without_a_role_is_an_error() {
    assert_eq!(problems(""), ["the policy has no role"]);
    assert_eq!(problems("role = []"), ["the policy has no role"]);
}

#[test]
fn a_grant_cannot_narrow_what_is_inherited() {
    let source = |scope: &str| {
        format!(
            r#"
            [[role]]
            name = "viewer"
            grants.office = ["load.view"]

            [[role]]
            name = "intern"
            inherits = ["viewer"]
            grants.{scope} = ["load.view"]
            "#
        )
    };
    let narrower = "role `intern` grants `load.view` at own but inherits it at office: a grant cannot narrow";
    assert_eq!(problems(&source("own")), [narrower]);
    assert!(Policy::<Perm>::compile(&source("office")).is_ok());
    assert!(Policy::<Perm>::compile(&source("tenant")).is_ok());
}

#[test]
fn staff_write_nothing_even_by_inheritance() {
    let source = r#"
        role = [
            { name = "clerk", grants.tenant = ["load.edit", "load.view", "ledger.post"] },
            { name = "middle", inherits = ["clerk"], assignable = false },
            { name = "support", inherits = ["middle"], staff = true },
        ]
    "#;
    assert_eq!(problems(source), ["staff role `support` may not write: load.edit, ledger.post"]);
}

#[test]
fn an_unreachable_role_is_an_error() {
    let source = |heir: &str| {
        format!(
            r#"
            role = [
                {{ name = "root", assignable = false }},
                {{ name = "base", assignable = false, inherits = ["root"] }},
                {{ name = "clerk", inherits = [{heir}] }},
            ]
            "#
        )
    };
    let unreachable =
        |role: &str| format!("role `{role}` is unreachable: it is not assignable and no assignable role inherits it");
    assert_eq!(problems(&source("")), [unreachable("root"), unreachable("base")]);
    assert_eq!(problems(&source("\"root\"")), [unreachable("base")]);
    assert!(Policy::<Perm>::compile(&source("\"base\"")).is_ok());
    assert_eq!(problems(&source("\"bsae\"")).len(), 1, "a misspelt parent is one problem");
}

#[test]
fn none_is_not_a_scope_to_grant_at() {
    assert_eq!(problems("role = [{ name = \"x\", grants.none = [\"load.view\"] }]").len(), 1);
}

#[test]
fn there_are_no_wildcards() {
    for wildcard in ["*", "load.*", "load."] {
        let found = problems(&format!("role = [{{ name = \"x\", grants.own = [\"{wildcard}\"] }}]"));
        assert!(found[0].starts_with("role `x` grants unknown permission"));
    }
}

#[test]
fn names_from_the_file_cannot_break_a_line_or_fill_the_log() {
    let long = "x".repeat(10_000);
    let source = format!("role = [{{ name = \"a\\nb\\u001b[31m\", inherits = [\"{long}\"] }}]");
    let found = problems(&source).join("; ");
    assert!(!found.contains(['\n', '\u{1b}']) && found.len() < 400, "{found}");
    assert!(found.contains(r"a\nb\u{1b}[31m"));
}

#[test]
fn a_policy_has_a_largest_size() {
    let large = format!("# {}", "x".repeat(Policy::<Perm>::MAX_SOURCE_BYTES));
    assert_eq!(problems(&large), ["the policy is too large: more than 4 MiB of text"]);
    let role = |number: usize| format!("[[role]]\nname = \"r{number}\"\n");
    let most: String = (0..Policy::<Perm>::MAX_ROLES).map(role).collect();
    assert!(Policy::<Perm>::compile(&most).is_ok());
    let many = most + &role(usize::MAX);
    assert_eq!(problems(&many), ["the policy is too large: more than 4096 roles"]);
}

#[test]
fn a_long_chain_and_deep_nesting_do_not_exhaust_the_stack() {
    let role = |number: usize| format!("[[role]]\nname = \"r{number}\"\ninherits = [\"r{}\"]\n", number + 1);
    let chain: String = (0..4_000).map(role).collect();
    let closed = format!("{chain}[[role]]\nname = \"r4000\"\ngrants.own = [\"load.view\"]\n");
    let policy = Policy::<Perm>::compile(&closed).unwrap();
    assert_eq!(policy.role("r0").unwrap().scope(Perm::View), stockade_rbac::Scope::Own);
    let looped = format!("{chain}[[role]]\nname = \"r4000\"\ninherits = [\"r0\"]\n");
    assert_eq!(problems(&looped).len(), 1);
    assert_eq!(problems(&format!("role = {}", "[".repeat(1_000_000))).len(), 1);
}

proptest! {
    #[test]
    fn any_text_compiles_or_is_refused(text in "\\PC{0,200}") {
        let _ = Policy::<Perm>::compile(&text);
    }

    #[test]
    fn a_damaged_policy_compiles_or_is_refused(cut in any::<prop::sample::Index>(), length in 0..40_usize, text in "[a-z.\"=\\[\\]{}, \n]{0,20}") {
        let mut damaged: Vec<char> = POLICY.chars().collect();
        let from = cut.index(damaged.len());
        let to = (from + length).min(damaged.len());
        damaged.splice(from..to, text.chars());
        let damaged: String = damaged.into_iter().collect();
        match Policy::<Perm>::compile(&damaged) {
            Ok(policy) => prop_assert!(!policy.roles().is_empty()),
            Err(error) => prop_assert!(!error.problems().is_empty() && !error.to_string().contains('\n')),
        }
    }
}
