//! The statement guard: never panics, never overflows the stack, and admits no protected table without the tenant's parameter.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stockade_tenant_guard::{Dialect, Refused, StatementGuard};

fuzz_target!(|sql: &str| {
    for (dialect, tenant, other) in [(Dialect::PostgreSql, "$1", "$2"), (Dialect::Sqlite, "?1", "?2")] {
        let unaware = StatementGuard::new(dialect).share("countries");
        let guard = unaware.clone().protect("loads", "tenant_id").protect("drivers", "tenant_id");
        let sql = sql.replace("$1", tenant);
        if guard.check(&sql).is_ok() {
            let text = unquoted(&sql);
            assert!(!text.contains(';') && !text.contains("--") && !text.contains("/*"), "not plain");
            // A guard that does not know the tables tells whether the statement names one.
            if unaware.check(&sql) == Err(Refused::UnknownTable) {
                assert!(guard.check(&sql.replace(tenant, other)).is_err(), "admitted without the tenant");
            }
        }
    }
});

/// The text without literals and quoted names: what is admitted has no backslash, so a quote ends where the next one is.
fn unquoted(sql: &str) -> String {
    assert!(!sql.contains('\\'), "not plain");
    let mut open = None;
    let outside = |character: char| match open {
        Some(quote) => {
            open = open.filter(|_| character != quote);
            ' '
        }
        None => {
            open = Some(character).filter(|character| matches!(character, '\'' | '"'));
            character
        }
    };
    sql.chars().map(outside).collect()
}
