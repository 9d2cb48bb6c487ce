//! Indexes and foreign keys.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::Relation;
use crate::ident::Ident;

#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) name: String,
    /// Holds for all rows, at once, and is valid: a foreign key may refer to it.
    pub(crate) total: bool,
    pub(crate) unique: bool,
    /// A unique key that one of more columns can stand in for: no primary key, no foreign key refers to it, it is total and NULLs
    /// are distinct in it.
    pub(crate) replaceable: bool,
    /// The definition of the constraint behind it, if there is one, and its own.
    pub(crate) constraint: Option<String>,
    pub(crate) definition: String,
    /// The key columns in order; an expression is `None`.
    pub(crate) columns: Vec<Option<String>>,
}

impl Index {
    /// Whether it is over exactly these columns, in any order.
    pub(crate) fn is_over(&self, columns: &[&Ident]) -> bool {
        let has = |column: &&Ident| self.columns.iter().any(|c| c.as_deref() == Some(column.as_str()));
        self.columns.len() == columns.len() && columns.iter().all(has)
    }
}

#[derive(Debug)]
pub(crate) struct ForeignKey {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    /// Schema and name.
    pub(crate) parent: (String, String),
    pub(crate) references: Vec<String>,
}

type IndexRow = (String, String, bool, bool, bool, Option<String>, String, Vec<Option<String>>);
type KeyRow = (String, String, Vec<String>, String, String, Vec<String>);

pub(super) async fn read(
    schema: &str,
    relations: &mut BTreeMap<String, Relation>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    // PostgreSQL describes a partitioned index by itself, `ON ONLY`; made again like that it would have no partitions.
    let rows: Vec<IndexRow> = sqlx::query_as(
        "SELECT c.relname::text, x.relname::text, i.indpred IS NULL AND i.indimmediate AND i.indisvalid, i.indisunique,
                i.indisunique AND i.indpred IS NULL AND i.indimmediate AND i.indisvalid AND NOT i.indisprimary
                AND NOT i.indnullsnotdistinct
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint f WHERE f.contype = 'f' AND f.conindid = i.indexrelid),
                pg_get_constraintdef(u.oid),
                CASE WHEN x.relkind = 'I' AND i.indisunique
                     THEN d.head || substr(pg_get_indexdef(i.indexrelid), length(d.head || 'ONLY ') + 1)
                     ELSE pg_get_indexdef(i.indexrelid) END,
                ARRAY(SELECT a.attname::text
                        FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, position)
                        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                       WHERE k.position <= i.indnkeyatts ORDER BY k.position)
           FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
           JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL (SELECT 'CREATE UNIQUE INDEX ' || quote_ident(x.relname) || ' ON ' AS head) d
           LEFT JOIN pg_catalog.pg_constraint u ON u.conindid = i.indexrelid AND u.conrelid = i.indrelid AND u.contype = 'u'
          WHERE n.nspname = $1
          ORDER BY 1, 2",
    )
    .bind(schema)
    .fetch_all(&mut *conn)
    .await?;
    for (table, name, total, unique, replaceable, constraint, definition, columns) in rows {
        if let Some(relation) = relations.get_mut(&table) {
            relation.indexes.push(Index { name, total, unique, replaceable, constraint, definition, columns });
        }
    }
    let rows: Vec<KeyRow> = sqlx::query_as(
        "SELECT c.relname::text, k.conname::text,
                ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY x(attnum, position)
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.attnum ORDER BY x.position),
                pn.nspname::text, p.relname::text,
                ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY x(attnum, position)
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.attnum ORDER BY x.position)
           FROM pg_catalog.pg_constraint k
           JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
           JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
          WHERE n.nspname = $1 AND k.contype = 'f'
          ORDER BY 1, 2",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    for (table, name, columns, parent_schema, parent, references) in rows {
        if let Some(relation) = relations.get_mut(&table) {
            let parent = (parent_schema, parent);
            relation.foreign_keys.push(ForeignKey { name, columns, parent, references });
        }
    }
    Ok(())
}
