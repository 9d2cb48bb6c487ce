//! Row-level security policies.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::Relation;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) permissive: bool,
    pub(crate) command: Command,
    /// In order of their bytes; empty when the policy is for `PUBLIC`.
    pub(crate) roles: Vec<String>,
    pub(crate) using: Option<String>,
    pub(crate) check: Option<String>,
    /// What was declared when its conditions were written as they are now, if a plan wrote them.
    pub(crate) declared: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    All,
    Select,
    Insert,
    Update,
    Delete,
}

impl Command {
    pub(crate) const fn keyword(self) -> &'static str {
        match self {
            Self::All => "ALL",
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) const fn writes(self) -> bool {
        matches!(self, Self::All | Self::Insert | Self::Update)
    }
}

type Row = (String, String, bool, String, Vec<String>, Option<String>, Option<String>, Option<String>);

pub(super) async fn read(
    schema: &str,
    relations: &mut BTreeMap<String, Relation>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    // PostgreSQL breaks the line before the FROM of a sub-select; the expectation is written on one line.
    let rows: Vec<Row> = sqlx::query_as(
        r"SELECT c.relname::text, p.polname::text, p.polpermissive, p.polcmd::text,
                 ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles r WHERE r.oid = ANY (p.polroles)),
                 regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s+FROM stockade\.(current_\w+) c\)\)$',
                                ' FROM stockade.\1 c))'),
                 regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\s+FROM stockade\.(current_\w+) c\)\)$',
                                ' FROM stockade.\1 c))'),
                 CASE WHEN starts_with(d.description, m.mark) THEN substr(d.description, length(m.mark) + 1) END
            FROM pg_catalog.pg_policy p
            JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            LEFT JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_policy'::regclass AND d.objoid = p.oid
           CROSS JOIN LATERAL (SELECT 'stockade ' || encode(sha256(convert_to(concat_ws(E'\n', pg_get_expr(p.polqual, p.polrelid, true),
                                     pg_get_expr(p.polwithcheck, p.polrelid, true)), 'UTF8')), 'hex') || E'\n' AS mark) m
           WHERE n.nspname = $1",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    for (table, name, permissive, command, mut roles, using, check, declared) in rows {
        roles.sort();
        let command = match command.as_str() {
            "r" => Command::Select,
            "a" => Command::Insert,
            "w" => Command::Update,
            "d" => Command::Delete,
            _ => Command::All,
        };
        if let Some(relation) = relations.get_mut(&table) {
            relation.policies.insert(name, Policy { permissive, command, roles, using, check, declared });
        }
    }
    Ok(())
}
