use proptest::prelude::*;

use super::*;
use crate::ErrorKind;
use crate::declaration::{RowPolicy, by, date, parent, periods};

const HEAD: &str = "schema = \"s\"\nroles.for_app = \"s\"\n[tables]\n";

fn read(tables: &str) -> Result<Schema, Error> {
    Schema::from_toml(&[HEAD, tables].concat())
}

#[test]
fn an_error_has_its_line() {
    for (tables, message) in [
        ("a = { shared = true }\nb = { tenant = \"\" }", "line 5: ``: a name must not be empty"),
        (
            "a = { shared = true }\nb = { tennant = \"t\" }",
            "line 5: unknown field `tennant`, expected one of `tenant`, `parent`, `shared`, `exempt`, `append_only`, `period_guard`, `soft_delete`, `app_may`, `unique_per_tenant`, `row_policies`",
        ),
        ("a = { shared = true }\n\nb = { shared = true, tenant = \"t\" }", "line 6: `b`: declared twice"),
        (
            "a = { parent = { table = \"b\", column = \"c\", references = \"d\" } }",
            "line 4: a table with a parent needs its tenant column",
        ),
        ("a = {}", "line 4: a table without `tenant`, `shared` or `exempt`"),
        (
            "a = { shared = true, app_may = [\"truncate\"] }",
            "line 4: unknown variant `truncate`, expected one of `select`, `insert`, `update`, `delete`",
        ),
        ("a = { exempt = \" \" }", "line 4: `a`: an exemption needs a reason"),
        ("a = ", "line 4: string values must be quoted, expected literal string"),
    ] {
        let error = read(tables).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Declaration, message), "{tables}");
    }
    let error = Schema::from_toml("schema = \"s\"\nroles.owner = \"o\"").unwrap_err();
    assert_eq!(error.to_string(), "roles need `for_app`, or all of `owner`, `app` and `reader`");
    let error = Schema::from_toml("schema = \"s\"\nroles.for_app = \"o\"\nroles.app = \"public\"").unwrap_err();
    assert_eq!(error.to_string(), "line 3: `public`: PostgreSQL reserves this role name");
}

#[test]
fn a_declaration_that_contradicts_itself_is_not_written() {
    let schema = Schema::new("s", Roles::for_app("s")).append_only("a").exempt("a", "why");
    assert_eq!(schema.to_toml().unwrap_err().to_string(), "`a`: exempt and append-only");
}

#[test]
fn the_order_of_lines_is_not_part_of_a_declaration() {
    let lines =
        |first: &str, second: &str| Schema::new("s", Roles::for_app("s")).append_only(first).append_only(second);
    assert_eq!(lines("a", "b"), lines("b", "a"));
    assert_ne!(lines("a", "b"), lines("a", "c"));
}

fn name() -> impl Strategy<Value = String> {
    "[a-b\"'\\\\$%.#=\\[{};é\n\t\u{1}\u{7f} -]{1,10}"
}

fn privileges() -> impl Strategy<Value = Option<Vec<Privilege>>> {
    proptest::option::of(proptest::sample::subsequence(vec![Privilege::Select, Privilege::Insert], 0..=2))
}

/// A declaration of one table of each kind, which are not named in order.
fn declaration() -> impl Strategy<Value = Schema> {
    let names = proptest::collection::btree_set(name(), 6).prop_map(Vec::from_iter).prop_shuffle();
    let hardening = proptest::sample::subsequence(Hardening::ALL.to_vec(), 0..=Hardening::ALL.len());
    (names, privileges(), hardening, name(), any::<bool>()).prop_map(|(names, may, hardening, column, sugar)| {
        let [a, b, c, d, e, f] = &names[..] else { unreachable!("six names were drawn") };
        // Columns that a declaration must not mix up begin with letters of their own.
        let (column, first, second, own) = (format!("t{column}"), format!("u{b}"), format!("v{c}"), format!("w{f}"));
        let roles = Roles::named(format!("o{a}"), format!("p{a}"), format!("q{a}"));
        let roles = if sugar { roles.with_backup(format!("r{b}")).with_purge("s") } else { roles };
        let schema = Schema::new("s", roles)
            .tenant_table(a, by(&column))
            .tenant_table_via(b, by(&column), parent(a).on(c, d))
            .shared_reference(c)
            .exempt(d, format!(" {column}\u{0}."))
            .append_only(b)
            .unique_per_tenant(a, [&first, &second])
            .unique_per_tenant(a, [&second])
            .row_policies(a, [RowPolicy::select(format!("x{b}"), "a = 'b\n' AND (c)").only_for([format!("p{a}")])])
            .row_policies(b, [RowPolicy::update("y", "true", "false"), RowPolicy::insert("z", "true")])
            .harden(hardening);
        let guarded = |periods| schema.period_guard(a, date(&column), periods);
        let schema = if sugar {
            guarded(periods(e).ending(a).soft_closed_by(c)).append_only(f).context(Context::Lease)
        } else {
            guarded(periods(e).ending(a)).tenant_table(f, by(&own)).soft_delete(f, &column)
        };
        match may {
            Some(may) => schema.app_may(f, may),
            None => schema,
        }
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_as_the_same(schema in declaration()) {
        let text = schema.to_toml().unwrap();
        let read = Schema::from_toml(&text);
        prop_assert_eq!(read.unwrap_or_else(|error| panic!("{error}\n{text}")), schema);
    }

    #[test]
    fn no_text_makes_it_panic_or_answer_in_two_lines(text in "[a-z={}\"\\[\\].# \n\\\\\u{1}]{0,80}") {
        if let Err(error) = read(&text) {
            prop_assert!(!error.to_string().contains(char::is_control), "{}", error);
        }
    }
}
