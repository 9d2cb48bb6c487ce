//! Privileges on tables, their columns and the sequences behind them.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::Relation;

/// One privilege of one grantee.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Grant {
    /// As PostgreSQL names it: `SELECT`, `TRUNCATE`.
    pub(crate) privilege: String,
    /// The column, where the privilege is not on the whole table.
    pub(crate) column: Option<String>,
    pub(crate) grantable: bool,
}

/// What each grantee holds; `None` is `PUBLIC`. The owner's own privileges are left out.
#[derive(Debug, Default)]
pub(crate) struct Grants(BTreeMap<Option<String>, BTreeSet<Grant>>);

impl Grants {
    /// What `grantee` holds directly.
    pub(crate) fn of(&self, grantee: Option<&str>) -> impl Iterator<Item = &Grant> {
        self.0.get(&grantee.map(str::to_owned)).into_iter().flatten()
    }

    pub(crate) fn grantees(&self) -> impl Iterator<Item = Option<&str>> {
        self.0.keys().map(Option::as_deref)
    }

    /// What anybody holds.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Grant> {
        self.0.values().flatten()
    }

    pub(crate) fn add(&mut self, grantee: Option<String>, grant: Grant) {
        self.0.entry(grantee).or_default().insert(grant);
    }
}

type Row = (String, Option<String>, String, Option<String>, bool);

pub(super) async fn read(
    schema: &str,
    relations: &mut BTreeMap<String, Relation>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT c.relname::text, r.rolname::text, a.privilege_type, a.attname::text, bool_or(a.is_grantable)
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL (
                SELECT x.grantee, x.privilege_type, x.is_grantable, NULL::name AS attname
                  FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x
                 UNION ALL
                SELECT x.grantee, x.privilege_type, x.is_grantable, t.attname
                  FROM pg_catalog.pg_attribute t, aclexplode(t.attacl) x
                 WHERE t.attrelid = c.oid AND NOT t.attisdropped) a
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
          WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f') AND a.grantee <> c.relowner
          GROUP BY 1, 2, 3, 4",
    )
    .bind(schema)
    .fetch_all(&mut *conn)
    .await?;
    for (table, grantee, privilege, column, grantable) in rows {
        if let Some(relation) = relations.get_mut(&table) {
            relation.grants.add(grantee, Grant { privilege, column, grantable });
        }
    }
    read_sequences(schema, relations, conn).await
}

async fn read_sequences(
    schema: &str,
    relations: &mut BTreeMap<String, Relation>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, String, String, Option<String>, String, bool)> = sqlx::query_as(
        "SELECT c.relname::text, sn.nspname::text, s.relname::text, r.rolname::text, a.privilege_type, bool_or(a.is_grantable)
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid
                AND d.refobjsubid > 0 AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'a'
           JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
           JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
          CROSS JOIN LATERAL aclexplode(coalesce(s.relacl, acldefault('s', s.relowner))) a
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
          WHERE n.nspname = $1 AND a.grantee <> s.relowner
          GROUP BY 1, 2, 3, 4, 5",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    for (table, sequence_schema, sequence, grantee, privilege, grantable) in rows {
        let Some(relation) = relations.get_mut(&table) else { continue };
        let grant = Grant { privilege, column: None, grantable };
        let found = relation.sequences.iter_mut().find(|s| s.schema == sequence_schema && s.name == sequence);
        if let Some(sequence) = found {
            sequence.grants.add(grantee, grant);
        }
    }
    Ok(())
}
