//! The matrix, and what a spreadsheet or a page must not take for something else.

use stockade_rbac::{Matrix, Policy, Scope};

use crate::desk::{Perm, World};

#[test]
fn rows_and_columns_can_be_drawn_by_a_page() {
    let world = World::new();
    let matrix = world.policy.matrix();
    let keys: Vec<_> = matrix.permissions().iter().map(ToString::to_string).collect();
    assert_eq!(keys[..2], ["load.view", "load.edit"]);
    let lines = matrix.rows().map(|row| {
        let cells: String = row.scopes().map(Scope::letter).collect();
        format!("{} {cells}", row.role().title())
    });
    assert!(lines.eq(["viewer O------", "dispatcher FT---F-", "controller AAAAA--", "support P-----P"]));
}

#[test]
fn markdown_has_a_row_per_role_and_a_legend() {
    let policy =
        Policy::<Perm>::compile("role = [{ name = \"x\", title = \"A|B & `<b>`\", grants.own = [\"load.view\"] }]");
    let expected = "\
| role | `load.view` | `load.edit` | `driver.ssn.reveal` | `ledger.post` | `ledger.close` | `load.export` | `user.impersonate` |
|---|:-:|:-:|:-:|:-:|:-:|:-:|:-:|
| A\\|B &amp; \\`&lt;b&gt;\\` | O | - | - | - | - | - | - |

O own, T team, F office, A all of the tenant, P platform, - none
";
    assert_eq!(policy.unwrap().matrix().to_markdown(), expected);
    for scope in Scope::ALL {
        assert!(Matrix::<Perm>::LEGEND.contains(&format!("{} ", scope.letter())));
    }
}

#[test]
fn csv_names_scopes_and_neutralises_formulas() {
    let source = r#"
        role = [
            { name = "a", title = "=HYPERLINK(\"http://x\",\"y\")", grants.team = ["load.view"] },
            { name = "b", title = "+1, \"two\"" },
            { name = "-c", title = "@sum" },
        ]
    "#;
    let csv = Policy::<Perm>::compile(source).unwrap().matrix().to_csv();
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert_eq!(
        lines,
        [
            "role,title,load.view,load.edit,driver.ssn.reveal,ledger.post,ledger.close,load.export,user.impersonate",
            r#"a,"'=HYPERLINK(""http://x"",""y"")",team,,,,,,"#,
            r#"b,"'+1, ""two""",,,,,,,"#,
            "'-c,'@sum,,,,,,,",
            "",
        ]
    );
}

#[test]
fn json_has_the_flags_and_scopes_of_each_role_in_order() {
    let source = r#"
        role = [
            { name = "chief", title = "The \"chief\"", owner = true, grants.tenant = ["load.edit"], grants.own = ["load.view"] },
            { name = "base", assignable = false },
            { name = "seer", staff = true, inherits = ["base"] },
        ]
    "#;
    let json = Policy::<Perm>::compile(source).unwrap().matrix().to_json();
    let keys = "\"load.view\",\"load.edit\",\"driver.ssn.reveal\",\"ledger.post\",\"ledger.close\",\"load.export\",\"user.impersonate\"";
    let roles = [
        r#"{"assignable":true,"name":"chief","owner":true,"scopes":{"load.edit":"tenant","load.view":"own"},"staff":false,"title":"The \"chief\""}"#,
        r#"{"assignable":false,"name":"base","owner":false,"scopes":{},"staff":false,"title":"base"}"#,
        r#"{"assignable":true,"name":"seer","owner":false,"scopes":{},"staff":true,"title":"seer"}"#,
    ];
    assert_eq!(json, format!("{{\"permissions\":[{keys}],\"roles\":[{}]}}", roles.join(",")));
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
}
