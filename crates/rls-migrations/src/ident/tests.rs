use proptest::prelude::*;

use super::*;

/// What PostgreSQL's lexer reads: the content of one quoted token, and that nothing is left after it.
fn unquote(token: &str, quote: char) -> Option<String> {
    let inner = token.strip_prefix(quote)?;
    let mut content = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != quote {
            content.push(c);
            continue;
        }
        match chars.next() {
            Some(next) if next == quote => content.push(quote),
            Some(_) => return None,
            None => return Some(content),
        }
    }
    None
}

proptest! {
    #[test]
    fn an_identifier_reads_back_as_one_token(name in "\\PC{1,15}|[\"'\\\\$ ;\n-]{1,15}") {
        let ident = Ident::new(&name).unwrap();
        prop_assert_eq!(unquote(&ident.to_string(), '"'), Some(name));
    }

    #[test]
    fn a_literal_reads_back_as_one_token(text in "\\PC{0,15}|[\"'\\\\$ ;\n-]{0,15}") {
        let written = Literal(text.clone()).to_string();
        let read = match written.strip_prefix('E') {
            Some(escaped) => unquote(escaped, '\'').map(|content| content.replace("\\\\", "\\")),
            None => unquote(&written, '\''),
        };
        prop_assert_eq!(read, Some(text));
    }

    #[test]
    fn a_derived_name_fits(schema in "\\PC{1,15}", table in "\\PC{1,15}") {
        let (schema, table) = (Ident::new(schema).unwrap(), Ident::new(table).unwrap());
        let derived = Ident::derived("rls_period_guard", &schema, &table);
        prop_assert!(Ident::new(derived.as_str()).is_ok());
        prop_assert_ne!(derived, Ident::derived("rls_period_guard", &table, &Ident::own("x")));
    }
}

#[test]
fn what_postgresql_cannot_hold_is_refused() {
    for name in ["", "a\0b", &"x".repeat(64), &"é".repeat(32)] {
        assert!(Ident::new(name).is_err(), "{name:?}");
    }
    assert!(Ident::new("x".repeat(63)).is_ok());
}

#[test]
fn reserved_roles_are_refused() {
    for name in ["public", "none", "pg_monitor"] {
        assert!(Ident::role(name).is_err(), "{name:?}");
    }
    assert!(Ident::role("Public").is_ok());
}

#[test]
fn derived_names_tell_schema_and_table_apart() {
    let of = |schema: &str, table: &str| Ident::derived("g", &Ident::new(schema).unwrap(), &Ident::new(table).unwrap());
    assert_ne!(of("a_b", "c"), of("a", "b_c"));
}
