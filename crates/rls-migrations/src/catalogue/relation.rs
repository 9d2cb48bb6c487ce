//! Tables, their columns and the sequences behind them.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{ForeignKey, Grants, Index, Policy, Trigger};

#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) kind: RelationKind,
    /// A partition, rather than a child by inheritance, of its parent.
    pub(crate) partition: bool,
    /// Schema and name of each table that it is a partition or a child of.
    pub(crate) parents: Vec<(String, String)>,
    /// The same of its own partitions and children.
    pub(crate) children: Vec<(String, String)>,
    pub(crate) owner: String,
    pub(crate) enabled: bool,
    pub(crate) forced: bool,
    pub(crate) columns: BTreeMap<String, Column>,
    pub(crate) sequences: Vec<Sequence>,
    pub(crate) policies: BTreeMap<String, Policy>,
    pub(crate) triggers: BTreeMap<String, Trigger>,
    pub(crate) grants: Grants,
    pub(crate) indexes: Vec<Index>,
    pub(crate) foreign_keys: Vec<ForeignKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelationKind {
    Table,
    /// A table that is only the sum of its partitions.
    Partitioned,
    Foreign,
}

#[derive(Debug)]
pub(crate) struct Column {
    /// As `format_type` writes it: `uuid`, `date`.
    pub(crate) data_type: String,
    pub(crate) not_null: bool,
    /// The name as PostgreSQL writes it in an expression: quoted only where it must be.
    pub(crate) rendered: String,
}

/// A sequence that fills a `serial` column. Identity columns need no privilege on theirs.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) grants: Grants,
}

impl Relation {
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }
}

pub(super) async fn read(schema: &str, conn: &mut PgConnection) -> Result<BTreeMap<String, Relation>, sqlx::Error> {
    let mut relations = BTreeMap::new();
    let rows: Vec<(String, String, bool, String, bool, bool)> = sqlx::query_as(
        "SELECT c.relname::text, c.relkind::text, c.relispartition, o.rolname::text, c.relrowsecurity, c.relforcerowsecurity
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
          WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f')",
    )
    .bind(schema)
    .fetch_all(&mut *conn)
    .await?;
    for (name, kind, partition, owner, enabled, forced) in rows {
        let kind = match kind.as_str() {
            "f" => RelationKind::Foreign,
            "p" => RelationKind::Partitioned,
            _ => RelationKind::Table,
        };
        relations.insert(
            name,
            Relation {
                kind,
                partition,
                parents: Vec::new(),
                children: Vec::new(),
                owner,
                enabled,
                forced,
                columns: BTreeMap::new(),
                sequences: Vec::new(),
                policies: BTreeMap::new(),
                triggers: BTreeMap::new(),
                grants: Grants::default(),
                indexes: Vec::new(),
                foreign_keys: Vec::new(),
            },
        );
    }
    read_families(schema, &mut relations, conn).await?;
    read_columns(schema, &mut relations, conn).await?;
    read_sequences(schema, &mut relations, conn).await?;
    Ok(relations)
}

async fn read_families(
    schema: &str,
    relations: &mut BTreeMap<String, Relation>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT pn.nspname::text, p.relname::text, cn.nspname::text, c.relname::text
           FROM pg_catalog.pg_inherits i
           JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
           JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
           JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
           JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
          WHERE $1 IN (pn.nspname, cn.nspname) AND p.relkind IN ('r', 'p', 'f')
          ORDER BY 1, 2, 3, 4",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    for (parent_schema, parent, child_schema, child) in rows {
        if parent_schema == schema
            && let Some(relation) = relations.get_mut(&parent)
        {
            relation.children.push((child_schema.clone(), child.clone()));
        }
        if child_schema == schema
            && let Some(relation) = relations.get_mut(&child)
        {
            relation.parents.push((parent_schema, parent));
        }
    }
    Ok(())
}

async fn read_columns(
    schema: &str,
    relations: &mut BTreeMap<String, Relation>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, String, String, bool, String)> = sqlx::query_as(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, NULL), a.attnotnull, quote_ident(a.attname)
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
          WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    for (table, name, data_type, not_null, rendered) in rows {
        if let Some(relation) = relations.get_mut(&table) {
            relation.columns.insert(name, Column { data_type, not_null, rendered });
        }
    }
    Ok(())
}

async fn read_sequences(
    schema: &str,
    relations: &mut BTreeMap<String, Relation>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT c.relname::text, sn.nspname::text, s.relname::text
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid
                AND d.refobjsubid > 0 AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype = 'a'
           JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
           JOIN pg_catalog.pg_namespace sn ON sn.oid = s.relnamespace
          WHERE n.nspname = $1
          ORDER BY 1, 2, 3",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    for (table, schema, name) in rows {
        if let Some(relation) = relations.get_mut(&table) {
            relation.sequences.push(Sequence { schema, name, grants: Grants::default() });
        }
    }
    Ok(())
}
