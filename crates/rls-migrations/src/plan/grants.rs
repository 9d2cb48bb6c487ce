//! Bringing one grantee's privileges on one object to exactly what is wanted.

use super::Lock;
use super::steps::Steps;
use crate::catalogue::{Grant, Grants};
use crate::ident::Ident;
use crate::sql::{Fragment, Sql, sql};

pub(super) enum Target {
    Schema(Ident),
    Table(Sql),
    Sequence(Sql),
    /// What `creator` will create, in one schema or in all: `TABLES` or `SEQUENCES`.
    Defaults {
        creator: Ident,
        schema: Option<Ident>,
        kind: &'static str,
    },
}

impl Target {
    fn sql(&self) -> Sql {
        match self {
            Self::Schema(name) => sql!("SCHEMA {}", name),
            Self::Table(name) => sql!("TABLE {}", name),
            Self::Sequence(name) => sql!("SEQUENCE {}", name),
            Self::Defaults { kind, .. } => sql!("{}", Keyword(kind)),
        }
    }

    /// What stands before GRANT and REVOKE.
    fn prefix(&self) -> Sql {
        match self {
            Self::Defaults { creator, schema: None, .. } => sql!("ALTER DEFAULT PRIVILEGES FOR ROLE {} ", creator),
            Self::Defaults { creator, schema: Some(schema), .. } => {
                sql!("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} ", creator, schema)
            }
            _ => sql!(""),
        }
    }
}

/// The privileges of PostgreSQL 15 to 18 on these objects, so that a grant can be given back by name.
const KEYWORDS: [&str; 10] =
    ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN", "USAGE", "CREATE"];

/// A privilege or a kind of object, by a word of the program.
#[derive(Clone, Copy)]
struct Keyword(&'static str);

impl std::fmt::Display for Keyword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl Fragment for Keyword {}

/// Plans the difference between what `grantee` (`None`: `PUBLIC`) holds and `wanted`.
pub(super) fn reconcile(
    target: &Target,
    grantee: Option<&Ident>,
    held: &Grants,
    wanted: &[&'static str],
    steps: &mut Steps,
) {
    let (prefix, object) = (target.prefix(), target.sql());
    let grantee_sql = grantee.map_or_else(|| sql!("PUBLIC"), |role| sql!("{}", role));
    let held: Vec<&Grant> = held.of(grantee.map(Ident::as_str)).collect();
    let is_wanted = |grant: &Grant| wanted.contains(&grant.privilege.as_str());
    let excess = held.iter().any(|grant| grant.grantable || !is_wanted(grant));
    if excess {
        let note = "Takes back everything that this role or PUBLIC holds and should not; CASCADE, because it may have been passed on.";
        let up = sql!("{}REVOKE ALL PRIVILEGES ON {} FROM {} CASCADE", prefix, object, grantee_sql);
        steps.step(Lock::Catalogue, note, up, give_back(target, &grantee_sql, &held));
    }
    let missing: Vec<Keyword> = wanted
        .iter()
        .filter(|wanted| excess || !held.iter().any(|grant| grant.column.is_none() && grant.privilege == **wanted))
        .map(|wanted| Keyword(wanted))
        .collect();
    if !missing.is_empty() {
        let list = Sql::list(missing);
        let up = sql!("{}GRANT {} ON {} TO {}", prefix, list, object, grantee_sql);
        let down = sql!("{}REVOKE {} ON {} FROM {}", prefix, list, object, grantee_sql);
        steps.step(Lock::Catalogue, "What the role may do, and no more.", up, down);
    }
}

/// One statement for each grant; the last one has no semicolon.
fn give_back(target: &Target, grantee: &Sql, held: &[&Grant]) -> Sql {
    let mut statements: Option<Sql> = None;
    for grant in held {
        let Some(keyword) = KEYWORDS.iter().find(|keyword| **keyword == grant.privilege) else { continue };
        let option = if grant.grantable { sql!(" WITH GRANT OPTION") } else { sql!("") };
        let columns = match grant.column.as_ref().map(Ident::new) {
            Some(Ok(column)) => sql!(" ({})", column),
            Some(Err(_)) => continue,
            None => sql!(""),
        };
        let (prefix, object) = (target.prefix(), target.sql());
        let grant = sql!("{}GRANT {}{} ON {} TO {}{}", prefix, Keyword(keyword), columns, object, grantee, option);
        statements = Some(match statements {
            Some(before) => sql!("{};\n{}", before, grant),
            None => grant,
        });
    }
    statements.unwrap_or_else(|| sql!("SELECT"))
}
