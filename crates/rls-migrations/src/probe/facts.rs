//! What has to be known about the tables to write rows into them.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::{Sql, sql};

/// A table that rows can be written into, as the catalogue describes it.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) name: Ident,
    pub(super) qualified: Sql,
    pub(super) oid: Literal,
    pub(super) owner: Ident,
    pub(super) estimate: f64,
    pub(super) columns: Vec<Column>,
    pub(super) uniques: Vec<Vec<String>>,
    pub(super) keys: Vec<Key>,
    pub(super) checks: Vec<Check>,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: Ident,
    /// As `format_type` writes it, with its schema and length.
    pub(super) sql_type: Sql,
    /// The type below domains: `int4`, `text`, an enum's or a composite's own name.
    pub(super) base: String,
    /// `pg_type.typtype` of that type, `a` for an array.
    pub(super) class: String,
    pub(super) max_chars: Option<i32>,
    pub(super) not_null: bool,
    pub(super) source: Source,
    /// The first label of an enum.
    pub(super) label: Option<String>,
    /// What the application's role may do with the column.
    pub(super) may: May,
    pub(super) unique: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct May {
    pub(super) select: bool,
    pub(super) insert: bool,
    pub(super) update: bool,
    pub(super) delete: bool,
}

/// Where a value comes from that nobody gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Nowhere,
    Default,
    /// A sequence, which an explicit value leaves where it is.
    Sequence,
    Identity,
    Generated,
}

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) parent: (String, String),
    pub(super) references: Vec<String>,
    /// Removing or changing the parent changes the child.
    pub(super) cascades: bool,
}

#[derive(Debug)]
pub(super) struct Check {
    pub(super) columns: Vec<String>,
    pub(super) definition: String,
}

impl Facts {
    pub(super) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.as_str() == name)
    }

    /// A foreign key that this column is part of; the one that it shares with fewest others.
    pub(super) fn key_of(&self, column: &str) -> Option<(&Key, &str)> {
        let keys = self.keys.iter().filter(|key| key.columns.iter().any(|name| name == column));
        let key = keys.min_by_key(|key| key.columns.len())?;
        let position = key.columns.iter().position(|name| name == column)?;
        Some((key, key.references.get(position)?))
    }
}

type TableRow = (String, i64, String, f64);

/// The ordinary and partitioned tables of the schema, by name.
pub(super) async fn read(model: &Model, conn: &mut PgConnection) -> Result<BTreeMap<String, Facts>, sqlx::Error> {
    let rows: Vec<TableRow> = sqlx::query_as(
        "SELECT c.relname::text, c.oid::int8, o.rolname::text, c.reltuples::float8
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
          WHERE n.nspname = $1 AND c.relkind IN ('r', 'p')",
    )
    .bind(model.schema.as_str())
    .fetch_all(&mut *conn)
    .await?;
    let mut tables = BTreeMap::new();
    for (name, oid, owner, estimate) in rows {
        let (Ok(ident), Ok(owner)) = (Ident::new(&name), Ident::new(owner)) else { continue };
        let facts = Facts {
            qualified: model.qualified(&ident),
            name: ident,
            oid: Literal(oid.to_string()),
            owner,
            estimate,
            columns: Vec::new(),
            uniques: Vec::new(),
            keys: Vec::new(),
            checks: Vec::new(),
        };
        tables.insert(name, facts);
    }
    read_columns(model, &mut tables, conn).await?;
    read_uniques(model, &mut tables, conn).await?;
    read_keys(model, &mut tables, conn).await?;
    read_checks(model, &mut tables, conn).await?;
    Ok(tables)
}

type ColumnRow = (String, String, String, String, String, Option<i32>, bool, String, Option<String>, Vec<bool>);

async fn read_columns(
    model: &Model,
    tables: &mut BTreeMap<String, Facts>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<ColumnRow> = sqlx::query_as(
        "SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod), b.typname::text,
                CASE WHEN b.typcategory = 'A' AND b.typelem <> 0 THEN 'a' ELSE b.typtype::text END,
                CASE WHEN b.typname IN ('varchar', 'bpchar') AND m.typmod > 4 THEN m.typmod - 4 END,
                a.attnotnull OR t.typnotnull,
                CASE WHEN a.attgenerated <> '' THEN 'g' WHEN a.attidentity <> '' THEN 'i'
                     WHEN pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%' THEN 's'
                     WHEN d.adbin IS NOT NULL OR t.typdefault IS NOT NULL THEN 'd' ELSE 'n' END,
                (SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = b.oid ORDER BY e.enumsortorder LIMIT 1),
                ARRAY[has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT'),
                      has_column_privilege(r.oid, c.oid, a.attnum, 'INSERT'),
                      has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE'), has_table_privilege(r.oid, c.oid, 'DELETE')]
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_roles r ON r.rolname = $2
           JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
           JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
           LEFT JOIN pg_catalog.pg_type t1 ON t1.oid = t.typbasetype AND t.typtype = 'd'
           LEFT JOIN pg_catalog.pg_type t2 ON t2.oid = t1.typbasetype AND t1.typtype = 'd'
           JOIN pg_catalog.pg_type b ON b.oid = coalesce(t2.oid, t1.oid, t.oid)
          CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype <> 'd' THEN a.atttypmod WHEN t1.typtype = 'd' THEN t1.typtypmod
                                          ELSE t.typtypmod END AS typmod) m
           LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
          WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
          ORDER BY c.oid, a.attnum",
    )
    .bind(model.schema.as_str())
    .bind(model.app.as_str())
    .fetch_all(conn)
    .await?;
    for (table, name, sql_type, base, class, max_chars, not_null, source, label, may) in rows {
        let [select, insert, update, delete] = may[..] else { continue };
        let may = May { select, insert, update, delete };
        let (Some(facts), Ok(name)) = (tables.get_mut(&table), Ident::new(name)) else { continue };
        let source = match source.as_str() {
            "g" => Source::Generated,
            "i" => Source::Identity,
            "s" => Source::Sequence,
            "d" => Source::Default,
            _ => Source::Nowhere,
        };
        let sql_type = Sql::from_catalogue(sql_type);
        facts.columns.push(Column {
            name,
            sql_type,
            base,
            class,
            max_chars,
            not_null,
            source,
            label,
            may,
            unique: false,
        });
    }
    Ok(())
}

async fn read_uniques(
    model: &Model,
    tables: &mut BTreeMap<String, Facts>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, Vec<String>)> = sqlx::query_as(
        "SELECT c.relname::text,
                ARRAY(SELECT DISTINCT a.attname::text FROM pg_catalog.pg_attribute a
                       WHERE a.attrelid = c.oid AND a.attnum > 0
                         AND (a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                              OR EXISTS (SELECT FROM pg_catalog.pg_depend d
                                          WHERE i.indexprs IS NOT NULL AND d.classid = 'pg_catalog.pg_class'::regclass
                                            AND d.objid = i.indexrelid AND d.refobjid = c.oid AND d.refobjsubid = a.attnum)))
           FROM pg_catalog.pg_index i
           JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND (i.indisunique OR i.indisexclusion)",
    )
    .bind(model.schema.as_str())
    .fetch_all(conn)
    .await?;
    for (table, columns) in rows {
        let Some(facts) = tables.get_mut(&table) else { continue };
        for column in &mut facts.columns {
            column.unique |= columns.iter().any(|name| name == column.name.as_str());
        }
        facts.uniques.push(columns);
    }
    Ok(())
}

type KeyRow = (String, String, Vec<String>, String, String, Vec<String>, bool);

async fn read_keys(
    model: &Model,
    tables: &mut BTreeMap<String, Facts>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<KeyRow> = sqlx::query_as(
        "SELECT c.relname::text, k.conname::text,
                ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY x(attnum, position)
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.attnum ORDER BY x.position),
                pn.nspname::text, p.relname::text,
                ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY x(attnum, position)
                        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.attnum ORDER BY x.position),
                k.confdeltype NOT IN ('a', 'r')
           FROM pg_catalog.pg_constraint k
           JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_class p ON p.oid = k.confrelid
           JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
          WHERE n.nspname = $1 AND k.contype = 'f' AND k.conparentid = 0
          ORDER BY 1, 2",
    )
    .bind(model.schema.as_str())
    .fetch_all(conn)
    .await?;
    for (table, name, columns, parent_schema, parent, references, cascades) in rows {
        if let Some(facts) = tables.get_mut(&table) {
            facts.keys.push(Key { name, columns, parent: (parent_schema, parent), references, cascades });
        }
    }
    Ok(())
}

async fn read_checks(
    model: &Model,
    tables: &mut BTreeMap<String, Facts>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<(String, Vec<String>, String)> = sqlx::query_as(
        "SELECT c.relname::text,
                ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                       WHERE a.attrelid = c.oid AND (a.attnum = ANY (k.conkey) OR (k.contypid <> 0 AND a.atttypid = k.contypid))),
                pg_get_constraintdef(k.oid)
           FROM pg_catalog.pg_constraint k
           JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
                OR (k.contypid <> 0 AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
                                                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.atttypid = k.contypid))
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND k.contype = 'c' AND c.relkind IN ('r', 'p')
          ORDER BY 1, k.conname",
    )
    .bind(model.schema.as_str())
    .fetch_all(conn)
    .await?;
    for (table, columns, definition) in rows {
        if let Some(facts) = tables.get_mut(&table) {
            facts.checks.push(Check { columns, definition });
        }
    }
    Ok(())
}

/// A literal with its type.
pub(super) fn typed(text: String, column: &Column) -> Sql {
    sql!("CAST({} AS {})", Literal(text), column.sql_type)
}
