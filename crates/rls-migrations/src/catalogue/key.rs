//! Indexes and foreign keys.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::Relation;

#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) name: String,
    /// Holds for all rows, at once, and is valid: a foreign key may refer to it.
    pub(crate) total: bool,
    pub(crate) unique: bool,
    /// The key columns in order; an expression is `None`.
    pub(crate) columns: Vec<Option<String>>,
}

#[derive(Debug)]
pub(crate) struct ForeignKey {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    /// Schema and name.
    pub(crate) parent: (String, String),
    pub(crate) references: Vec<String>,
}

type IndexRow = (String, String, bool, bool, Vec<Option<String>>);
type KeyRow = (String, String, Vec<String>, String, String, Vec<String>);

pub(super) async fn read(
    schema: &str,
    relations: &mut BTreeMap<String, Relation>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<IndexRow> = sqlx::query_as(
        "SELECT c.relname::text, x.relname::text, i.indpred IS NULL AND i.indimmediate AND i.indisvalid, i.indisunique,
                ARRAY(SELECT a.attname::text
                        FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, position)
                        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                       WHERE k.position <= i.indnkeyatts ORDER BY k.position)
           FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
           JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1
          ORDER BY 1, 2",
    )
    .bind(schema)
    .fetch_all(&mut *conn)
    .await?;
    for (table, name, total, unique, columns) in rows {
        if let Some(relation) = relations.get_mut(&table) {
            relation.indexes.push(Index { name, total, unique, columns });
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
