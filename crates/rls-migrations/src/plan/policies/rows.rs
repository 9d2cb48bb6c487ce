//! The application's own conditions on rows, as policies with a record of what was declared.

use super::Wanted;
use crate::catalogue::Policy;
use crate::ident::{Ident, Literal};
use crate::model::{Model, RowRule, Table};
use crate::sql::{Sql, sql};

pub(super) fn wanted(model: &Model, table: &Table, rule: &RowRule) -> Wanted {
    let clauses = rule.clauses();
    let declared = clauses.as_str().to_owned();
    let mut roles: Vec<String> = rule.roles.iter().map(|role| role.as_str().to_owned()).collect();
    roles.sort();
    let create = sql!(
        "CREATE POLICY {} ON {} AS RESTRICTIVE {};\n{}",
        rule.name,
        model.qualified(&table.name),
        clauses,
        record(model, table, &rule.name, &declared)
    );
    Wanted {
        name: rule.name.clone(),
        policy: Policy {
            permissive: false,
            command: rule.command,
            roles,
            using: None,
            check: None,
            declared: Some(declared),
        },
        create,
        note: "Which rows of the tenant a statement reaches, as the application declared it: restrictive, so it only takes away.",
    }
}

/// Leaves what was declared in the policy's comment, behind a digest of how PostgreSQL wrote it down, with the fewest parentheses, so that
/// a restored one has the same. The digest is taken with the search path under which the catalogue is read, because names are
/// qualified by it.
pub(super) fn record(model: &Model, table: &Table, name: &Ident, declared: &str) -> Sql {
    let body = sql!(
        "
DECLARE
  former text := pg_catalog.current_setting('search_path');
BEGIN
  SET LOCAL search_path = pg_catalog;
  EXECUTE (
    SELECT format('COMMENT ON POLICY %I ON %I.%I IS %L', p.polname, n.nspname, c.relname,
                  'stockade ' || encode(sha256(convert_to(concat_ws(E'\\n', pg_get_expr(p.polqual, p.polrelid, true),
                    pg_get_expr(p.polwithcheck, p.polrelid, true)), 'UTF8')), 'hex') || E'\\n' || {declared})
      FROM pg_catalog.pg_policy p
      JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = {schema} AND c.relname = {table} AND p.polname = {name});
  EXECUTE 'SET LOCAL search_path = ' || CASE WHEN former IN ('', '\"\"') THEN '''''' ELSE former END;
END
",
        declared = Literal(declared.to_owned()),
        schema = Literal::of(&model.schema),
        table = Literal::of(&table.name),
        name = Literal::of(name)
    );
    sql!("DO {}", body.dollar_quoted())
}
