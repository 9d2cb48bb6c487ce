//! What lies around the tenant tables: views, children, functions, sequences, shared and undeclared tables.

use sqlx::PgConnection;

use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::{Sql, sql};

#[derive(Debug, Default)]
pub(super) struct Neighbours {
    pub(super) views: Vec<View>,
    pub(super) children: Vec<Child>,
    pub(super) functions: Vec<Definer>,
    pub(super) sequences: Vec<Sequence>,
    /// Tables of the schema that nobody declared.
    pub(super) undeclared: Vec<String>,
}

/// A view that depends on a table of the schema, directly or through others.
#[derive(Debug)]
pub(super) struct View {
    pub(super) object: String,
    pub(super) name: Sql,
    pub(super) materialized: bool,
    pub(super) columns: Vec<String>,
    /// A table that it depends on.
    pub(super) table: String,
}

/// A partition or a child by inheritance, at any depth.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) object: String,
    pub(super) name: Sql,
    pub(super) oid: i64,
    pub(super) parent: String,
}

/// A `SECURITY DEFINER` function that the application may call.
#[derive(Debug)]
pub(super) struct Definer {
    pub(super) signature: String,
    pub(super) name: Sql,
    /// How many arguments must be given; `None` when one is of another type than `uuid`.
    pub(super) arguments: Option<i32>,
    pub(super) fixed_path: bool,
    pub(super) answers: bool,
}

#[derive(Debug)]
pub(super) struct Sequence {
    pub(super) object: String,
    pub(super) name: Sql,
    /// The application needs it to insert.
    pub(super) usable: bool,
}

fn name(schema: &str, name: &str) -> Option<(String, Sql)> {
    let (outer, inner) = (Ident::new(schema).ok()?, Ident::new(name).ok()?);
    Some(([schema, ".", name].concat(), sql!("{}.{}", outer, inner)))
}

pub(super) async fn read(model: &Model, conn: &mut PgConnection) -> Result<Neighbours, sqlx::Error> {
    let children = read_children(model, conn).await?;
    Ok(Neighbours {
        views: read_views(model, conn).await?,
        functions: read_functions(model, conn).await?,
        sequences: read_sequences(model, conn).await?,
        undeclared: read_undeclared(model, conn).await?,
        children,
    })
}

async fn read_views(model: &Model, conn: &mut PgConnection) -> Result<Vec<View>, sqlx::Error> {
    let rows: Vec<(String, String, bool, Vec<String>, String)> = sqlx::query_as(
        "WITH RECURSIVE reads (view, relation) AS (
            SELECT DISTINCT w.ev_class, d.refobjid
              FROM pg_catalog.pg_rewrite w
              JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
                   AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> w.ev_class
         ), reaches (view, relation) AS (
            SELECT view, relation FROM reads
             UNION
            SELECT r.view, x.relation FROM reads r JOIN reaches x ON x.view = r.relation
         )
         SELECT DISTINCT ON (n.nspname, v.relname) n.nspname::text, v.relname::text, v.relkind = 'm',
                ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
                       WHERE a.attrelid = v.oid AND a.attnum > 0 AND NOT a.attisdropped),
                c.relname::text
           FROM reaches x
           JOIN pg_catalog.pg_class v ON v.oid = x.view AND v.relkind IN ('v', 'm')
           JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
           JOIN pg_catalog.pg_class c ON c.oid = x.relation AND c.relkind IN ('r', 'p')
           JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
          WHERE cn.nspname = $1 AND c.relname::text = ANY ($2)
          ORDER BY n.nspname, v.relname, c.relname",
    )
    .bind(model.schema.as_str())
    .bind(tenant_tables(model))
    .fetch_all(conn)
    .await?;
    let view = |(schema, view, materialized, columns, table): (String, String, bool, Vec<String>, String)| {
        let (object, name) = name(&schema, &view)?;
        Some(View { object, name, materialized, columns, table })
    };
    Ok(rows.into_iter().filter_map(view).collect())
}

async fn read_children(model: &Model, conn: &mut PgConnection) -> Result<Vec<Child>, sqlx::Error> {
    let rows: Vec<(String, String, i64, String)> = sqlx::query_as(
        "WITH RECURSIVE below (child, root) AS (
            SELECT i.inhrelid, c.oid FROM pg_catalog.pg_inherits i
              JOIN pg_catalog.pg_class c ON c.oid = i.inhparent AND c.relkind IN ('r', 'p')
              JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname::text = ANY ($2)
             UNION
            SELECT i.inhrelid, b.root FROM pg_catalog.pg_inherits i JOIN below b ON b.child = i.inhparent
         )
         SELECT n.nspname::text, c.relname::text, c.oid::int8, r.relname::text
           FROM below b
           JOIN pg_catalog.pg_class c ON c.oid = b.child AND c.relkind IN ('r', 'p')
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_class r ON r.oid = b.root
          ORDER BY 1, 2",
    )
    .bind(model.schema.as_str())
    .bind(tenant_tables(model))
    .fetch_all(conn)
    .await?;
    let child = |(schema, child, oid, parent): (String, String, i64, String)| {
        let (object, name) = name(&schema, &child)?;
        Some(Child { object, name, oid, parent })
    };
    Ok(rows.into_iter().filter_map(child).collect())
}

async fn read_functions(model: &Model, conn: &mut PgConnection) -> Result<Vec<Definer>, sqlx::Error> {
    let rows: Vec<(String, String, String, Option<i32>, bool, bool)> = sqlx::query_as(
        "SELECT p.oid::regprocedure::text, n.nspname::text, p.proname::text,
                CASE WHEN p.pronargs = p.pronargdefaults THEN 0
                     WHEN (SELECT bool_and(t = 'uuid'::regtype) FROM unnest(p.proargtypes::oid[]) t) THEN p.pronargs END::int4,
                EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%'),
                p.prokind = 'f' AND p.prorettype <> ALL (ARRAY['trigger', 'event_trigger', 'void', 'record']::regtype[])
                    AND p.prorettype NOT IN (SELECT t.oid FROM pg_catalog.pg_type t WHERE t.typtype = 'p')
                    OR p.prokind = 'f' AND p.prorettype = 'record'::regtype AND p.proargmodes IS NOT NULL
           FROM pg_catalog.pg_proc p
           JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
           JOIN pg_catalog.pg_roles r ON r.rolname = $2
          WHERE n.nspname = $1 AND p.prosecdef AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
            AND has_schema_privilege(r.oid, n.oid, 'USAGE')
          ORDER BY 1",
    )
    .bind(model.schema.as_str())
    .bind(model.app.as_str())
    .fetch_all(conn)
    .await?;
    let definer = |(signature, schema, function, arguments, fixed_path, answers): (
        String,
        String,
        String,
        Option<i32>,
        bool,
        bool,
    )| {
        let (_, name) = name(&schema, &function)?;
        Some(Definer { signature, name, arguments, fixed_path, answers })
    };
    Ok(rows.into_iter().filter_map(definer).collect())
}

async fn read_sequences(model: &Model, conn: &mut PgConnection) -> Result<Vec<Sequence>, sqlx::Error> {
    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, has_sequence_privilege(r.oid, c.oid, 'USAGE')
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_roles r ON r.rolname = $2
          WHERE n.nspname = $1 AND c.relkind = 'S'
          ORDER BY 1, 2",
    )
    .bind(model.schema.as_str())
    .bind(model.app.as_str())
    .fetch_all(conn)
    .await?;
    let sequence = |(schema, sequence, usable): (String, String, bool)| {
        let (object, name) = name(&schema, &sequence)?;
        Some(Sequence { object, name, usable })
    };
    Ok(rows.into_iter().filter_map(sequence).collect())
}

async fn read_undeclared(model: &Model, conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let declared: Vec<String> = model.tables.iter().map(|table| table.name.as_str().to_owned()).collect();
    let rows: Vec<(String,)> = sqlx::query_as(
        "SELECT c.relname::text
           FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f') AND c.relname::text <> ALL ($2)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
          ORDER BY 1",
    )
    .bind(model.schema.as_str())
    .bind(declared)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

fn tenant_tables(model: &Model) -> Vec<String> {
    let tenants = model.tables.iter().filter(|table| table.tenant_column().is_some());
    tenants.map(|table| table.name.as_str().to_owned()).collect()
}

/// An object's number as PostgreSQL knows it.
pub(super) fn oid(number: i64) -> Literal {
    Literal(number.to_string())
}
