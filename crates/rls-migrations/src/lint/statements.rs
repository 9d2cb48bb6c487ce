//! Frequent statements with a condition that cannot use an index below a policy, from `pg_stat_statements` where it is
//! installed and readable.
//!
//! The text of a statement is looked through for a few words and operators behind its WHERE; whether they are leakproof is
//! asked of the server. That finds candidates, not proofs, and a finding names the statement by its `queryid` only.

use std::collections::BTreeMap;

use sqlx::{Connection as _, PgConnection};

use super::{Report, dotted};
use crate::finding::{Finding, Rule};
use crate::ident::Ident;
use crate::model::Model;
use crate::sql::sql;

/// Words of SQL and the operator or function behind them, which `pg_proc` knows as leakproof or not.
const SUSPECTS: [(&str, &str); 14] = [
    ("like", "~~"),
    ("ilike", "~~*"),
    ("~", "~"),
    ("~*", "~*"),
    ("@>", "@>"),
    ("<@", "<@"),
    ("&&", "&&"),
    ("@@", "@@"),
    ("->>", "->>"),
    ("lower", "lower"),
    ("upper", "upper"),
    ("date_trunc", "date_trunc"),
    ("to_char", "to_char"),
    ("substring", "substring"),
];

pub(super) async fn check(model: &Model, conn: &mut PgConnection, report: &mut Report) -> Result<(), sqlx::Error> {
    let home: Option<(String,)> = sqlx::query_as(
        "SELECT n.nspname::text FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
          WHERE e.extname = 'pg_stat_statements'",
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some(home) = home.and_then(|(schema,)| Ident::new(schema).ok()) else { return Ok(()) };
    let mut tx = conn.begin().await?;
    // Not preloaded, or not for this role: then there is nothing to look at, which is not an error of the schema.
    let Ok(statements) = read(model, &home, &mut tx).await else { return tx.rollback().await };
    tx.rollback().await?;
    let leaky = leaky(conn).await?;
    for Frequent { text, id, calls, mean } in statements {
        let words = words(&text);
        let condition = words.iter().skip_while(|word| *word != "where");
        let found = condition.filter_map(|word| leaky.get(word.as_str())).next();
        let tables = model.tables.iter().filter(|table| table.tenant_column().is_some());
        for table in tables.filter(|table| words.iter().any(|word| word == table.name.as_str())) {
            let Some(symbol) = found else { continue };
            let detail = format!("statement {id} uses {symbol}: {calls} calls of {mean:.1} ms");
            let object = dotted(model, table.name.as_str());
            report.add(Finding { rule: Rule::LeakyPredicate, object, detail: Some(detail), fix: None });
        }
    }
    Ok(())
}

struct Frequent {
    text: String,
    id: i64,
    calls: i64,
    /// Milliseconds.
    mean: f64,
}

async fn read(model: &Model, home: &Ident, conn: &mut PgConnection) -> Result<Vec<Frequent>, sqlx::Error> {
    sql!("SET LOCAL search_path = pg_catalog, {}", home).run(conn).await?;
    let rows: Vec<(String, i64, i64, f64)> = sqlx::query_as(
        "SELECT s.query, s.queryid, s.calls, s.mean_exec_time
           FROM pg_stat_statements s
           JOIN pg_catalog.pg_roles r ON r.oid = s.userid
           JOIN pg_catalog.pg_database d ON d.oid = s.dbid
          WHERE d.datname = current_database() AND r.rolname::text = ANY ($1)
            AND s.queryid IS NOT NULL AND s.query IS NOT NULL AND s.mean_exec_time >= 1
          ORDER BY s.total_exec_time DESC
          LIMIT 200",
    )
    .bind(model.users().map(|role| role.as_str()).collect::<Vec<_>>())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(text, id, calls, mean)| Frequent { text, id, calls, mean }).collect())
}

/// The suspects of which no form is leakproof on this server.
async fn leaky(conn: &mut PgConnection) -> Result<BTreeMap<&'static str, &'static str>, sqlx::Error> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT x.name FROM (
             SELECT o.oprname::text, f.proleakproof FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_proc f ON f.oid = o.oprcode
              UNION ALL
             SELECT f.proname::text, f.proleakproof FROM pg_catalog.pg_proc f WHERE f.pronamespace = 'pg_catalog'::regnamespace
         ) x (name, leakproof)
          WHERE x.name = ANY ($1)
          GROUP BY x.name HAVING NOT bool_or(x.leakproof)",
    )
    .bind(SUSPECTS.map(|(_, symbol)| symbol))
    .fetch_all(conn)
    .await?;
    Ok(SUSPECTS.into_iter().filter(|(_, symbol)| rows.iter().any(|(name,)| name == symbol)).collect())
}

/// The names and operators of a statement, names in lower case unless quoted; strings, numbers and comments left out.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(first) = chars.next() {
        let mut word = String::new();
        let class: fn(char) -> bool = match first {
            '\'' | '"' => {
                word.extend(chars.by_ref().take_while(|next| *next != first));
                if first == '"' {
                    words.push(word);
                }
                continue;
            }
            _ if is_name(first) => is_name,
            _ if is_operator(first) => is_operator,
            _ => continue,
        };
        word.push(first);
        while let Some(next) = chars.next_if(|next| class(*next)) {
            word.push(next);
        }
        words.push(word.to_lowercase());
    }
    words
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

fn is_operator(c: char) -> bool {
    "+-*/<>=~!@#%^&|`?".contains(c)
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_statement_is_cut_into_names_and_operators() {
        assert_eq!(
            words("SELECT * FROM s.\"Loads\" l WHERE lower(l.name) = $1 AND tags @> 'lower LIKE' -- x"),
            [
                "select", "*", "from", "s", "Loads", "l", "where", "lower", "l", "name", "=", "$1", "and", "tags",
                "@>", "--", "x"
            ]
        );
        assert_eq!(words("'unterminated"), [""; 0]);
    }
}
