//! What can be wrong with owners, with `assigns`, and with separations.

use stockade_rbac::{Policy, Problem};

use super::problems;
use crate::desk::Perm;

#[test]
fn an_owner_role_is_assignable_and_no_staff_role_and_so_are_its_heirs_owners() {
    let source = r#"
        role = [
            { name = "owner", owner = true },
            { name = "founder", inherits = ["owner"] },
            { name = "ghost", owner = true, assignable = false },
            { name = "seer", owner = true, staff = true },
            { name = "heir", inherits = ["ghost"], owner = true },
        ]
    "#;
    let expected = [
        "role `founder` inherits owner role `owner` and is not an owner role itself",
        "owner role `ghost` has to be assignable, and no staff role",
        "owner role `seer` has to be assignable, and no staff role",
    ];
    assert_eq!(problems(source), expected);
}

#[test]
fn a_role_that_may_grant_more_than_it_has_is_an_error() {
    let source = r#"
        role = [
            { name = "agent", grants.team = ["load.view"], assigns = ["lead"] },
            { name = "lead", inherits = ["agent"], grants.office = ["load.view"], assigns = ["agent", "head", "support", "haed"] },
            { name = "head", inherits = ["lead"], grants.own = ["load.edit"], owner = true, assigns = ["head", "lead", "base"] },
            { name = "base", assignable = false },
            { name = "heir", inherits = ["base"] },
            { name = "support", staff = true },
        ]
    "#;
    let expected = [
        "role `lead` assigns unknown role `haed`; did you mean `head`?",
        "role `agent` may grant more than it has: it assigns `lead`, which has `load.view` at office",
        "role `lead` may grant more than it has: it assigns `head`, which is an owner role",
        "role `lead` may grant more than it has: it assigns `support`, which is a staff role",
        "role `head` assigns `base`, which is not assignable",
    ];
    assert_eq!(problems(source), expected);
}

/// Each step of a chain is looked at, and to have no more is transitive.
#[test]
fn a_chain_of_assignments_that_ends_above_its_beginning_is_reported_at_the_step_that_rises() {
    let source = r#"
        role = [
            { name = "a", grants.own = ["load.view", "load.edit"], assigns = ["b"] },
            { name = "b", grants.own = ["load.view", "load.edit"], assigns = ["c"] },
            { name = "c", grants.own = ["load.view"], grants.team = ["load.edit"] },
        ]
    "#;
    assert_eq!(
        problems(source),
        ["role `b` may grant more than it has: it assigns `c`, which has `load.edit` at team"]
    );
}

#[test]
fn a_separation_that_is_not_sound_is_an_error() {
    let source = r#"
        role = [{ name = "payer" }, { name = "approver" }, { name = "boss" }]
        separation = [
            { name = "Two Eyes", kind = "static", roles = ["payer", "approver"] },
            { name = "pay", kind = "static", roles = ["payer", "aprover"] },
            { name = "pay", kind = "statc", roles = ["payer", "approver"] },
            { name = "one", kind = "dynamic", roles = ["payer"] },
            { name = "all", kind = "dynamic", roles = ["payer", "approver"], at_most = 2 },
            { name = "nil", kind = "static", roles = ["payer", "approver"], at_most = 0 },
            { name = "twice", kind = "static", roles = ["payer", "payer"] },
            { name = "mixed", kind = "static", roles = ["payer", "approver"], first = "load.view" },
            { name = "bare", kind = "same-record", first = "load.edit" },
            { name = "same", kind = "same-record", first = "load.edit", then = "load.edit" },
            { name = "typo", kind = "same-record", first = "load.edt", then = "ledger.post" },
            { name = "none", kind = "static" },
        ]
    "#;
    let count = "at least two roles, and `at_most` from 1 to one less than there are roles";
    let expected = [
        "separation `Two Eyes`: a name is 1 to 64 of a-z, 0-9, `-` and `_`".to_owned(),
        "separation `pay` names unknown role `aprover`; did you mean `approver`?".to_owned(),
        "separation `pay` is there twice".to_owned(),
        "separation `pay` is of unknown kind `statc`: expected static, dynamic or same-record".to_owned(),
        format!("separation `one`: {count}"),
        format!("separation `all`: {count}"),
        format!("separation `nil`: {count}"),
        "separation `twice`: each role is named once".to_owned(),
        "separation `mixed`: a separation of roles has `roles`, and neither `first` nor `then`".to_owned(),
        "separation `bare`: one of kind `same-record` has `first` and `then`, and neither `roles` nor `at_most`"
            .to_owned(),
        "separation `same`: `first` and `then` are different permissions".to_owned(),
        "separation `typo` names unknown permission `load.edt`; did you mean `load.edit`?".to_owned(),
        format!("separation `none`: {count}"),
    ];
    assert_eq!(problems(source), expected);
}

#[test]
fn a_separation_broken_by_inheritance_is_an_error_at_the_role_that_breaks_it() {
    let source = |kind: &str, at_most: usize| {
        format!(
            r#"
            role = [
                {{ name = "payer" }},
                {{ name = "approver" }},
                {{ name = "cashier", inherits = ["payer"] }},
                {{ name = "boss", inherits = ["cashier", "approver"] }},
                {{ name = "chief", inherits = ["boss"] }},
            ]
            separation = [{{ name = "pay", kind = "{kind}", roles = ["payer", "approver", "cashier"], at_most = {at_most} }}]
            "#
        )
    };
    let broken = |role: &str| format!("role `{role}` breaks separation `pay` by what it inherits");
    for kind in ["static", "dynamic"] {
        assert_eq!(problems(&source(kind, 2)), [broken("boss")]);
        assert_eq!(problems(&source(kind, 1)), [broken("cashier")], "which is then the mistake of all its heirs");
    }
}

#[test]
fn separations_have_a_largest_number() {
    let one = |number: usize| {
        format!(
            "[[separation]]\nname = \"s{number}\"\nkind = \"same-record\"\nfirst = \"load.edit\"\nthen = \"ledger.post\"\n"
        )
    };
    let most: String = (0..Policy::<Perm>::MAX_SEPARATIONS).map(one).collect();
    let role = "[[role]]\nname = \"x\"\n";
    assert_eq!(Policy::<Perm>::compile(&format!("{role}{most}")).unwrap().separations().len(), 256);
    let many = format!("{role}{most}{}", one(usize::MAX));
    let error = Policy::<Perm>::compile(&many).unwrap_err();
    assert_eq!(error.problems(), [Problem::TooLarge { what: "more than 256 separations" }]);
}
