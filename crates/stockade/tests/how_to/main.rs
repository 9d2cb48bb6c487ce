//! The how-to pages of `docs/`, from their first step to their last, on a real PostgreSQL. Each block of Rust and SQL on a page
//! stands word for word in the file here that runs it, which `every_block_of_a_page_is_run` holds.

#![expect(clippy::unwrap_used, reason = "a failed assumption should stop the test")]
#![expect(clippy::print_stderr, reason = "the pages' own programs report on their streams")]

mod add_audit_chain;
mod rotate_keys;
mod turn_on_rls;

use std::path::Path;

use sqlx::{ConnectOptions as _, PgConnection, PgPool, postgres::PgConnectOptions};

/// Each page with the file that runs it.
const PAGES: [(&str, &str); 3] = [
    ("add-audit-chain.md", include_str!("add_audit_chain.rs")),
    ("rotate-keys.md", include_str!("rotate_keys.rs")),
    ("turn-on-rls.md", include_str!("turn_on_rls.rs")),
];

/// The lines without what a page and a test may differ in: indentation and empty lines.
fn bare(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_block_of_a_page_is_run() {
    for (page, source) in PAGES {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(page);
        let (text, source) = (std::fs::read_to_string(path).unwrap(), bare(source));
        let mut blocks = 0;
        for block in text.split("```").skip(1).step_by(2) {
            let Some(code) = block.strip_prefix("rust\n").or_else(|| block.strip_prefix("sql\n")) else { continue };
            assert!(source.contains(&bare(code)), "{page} has a block that no test runs:\n{code}");
            blocks += 1;
        }
        assert!(blocks > 0, "{page} has no code");
    }
}

/// Runs a page's SQL. Roles belong to the whole server, so one may be there already, or be made by another test at this moment.
async fn run_sql(connection: &mut PgConnection, sql: &'static str) {
    for statement in sql.split_inclusive(";\n") {
        if let Err(error) = sqlx::raw_sql(statement).execute(&mut *connection).await {
            let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
            assert!(["42710", "23505"].contains(&code.as_str()), "{error} in {statement}");
        }
    }
}

/// The same database as another login. The tests' server asks for no password.
fn login(pool: &PgPool, role: &str) -> PgConnectOptions {
    pool.connect_options().as_ref().clone().username(role)
}

async fn connect(pool: &PgPool, role: &str) -> PgConnection {
    login(pool, role).connect().await.unwrap()
}
