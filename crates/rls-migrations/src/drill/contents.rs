//! Rows: counts and digests, and the ledgers of migrations.

use sqlx::{Connection as _, PgConnection};

use crate::ident::Ident;
use crate::model::{Model, Table};
use crate::sql::{Sql, sql};

type Described = Vec<(String, Option<String>)>;

/// An ordinary table, or a partition of one.
type TableRow = (String, String, String, String, bool);

/// For each table, and each tenant in it, how many rows there are and a digest of them that does not depend on their order.
///
/// The digest adds up two 64-bit halves of each row's SHA-256: it finds damage, and is no defence against somebody who can
/// choose rows so that the sums agree. A table that row-level security hides, or that this role may not read, is described by
/// nothing.
pub(super) async fn rows(model: &Model, conn: &mut PgConnection) -> Result<Described, sqlx::Error> {
    let tables: Vec<TableRow> = sqlx::query_as(
        "WITH RECURSIVE ancestor (oid, of) AS (
           SELECT c.oid, c.oid FROM pg_catalog.pg_class c
            UNION ALL
           SELECT a.oid, i.inhparent FROM ancestor a JOIN pg_catalog.pg_inherits i ON i.inhrelid = a.of)
         SELECT n.nspname::text, c.relname::text, rn.nspname::text, r.relname::text,
                c.relkind = 'r' AND NOT row_security_active(c.oid) AND has_schema_privilege(n.oid, 'USAGE')
                AND has_table_privilege(c.oid, 'SELECT')
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN ancestor a ON a.oid = c.oid
           JOIN pg_catalog.pg_class r ON r.oid = a.of
           JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
          WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'f')
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = a.of)
          ORDER BY 1, 2",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut described = Vec::new();
    for (schema, name, root_schema, root, readable) in tables {
        let object = [schema.as_str(), ".", name.as_str()].concat();
        let (Ok(schema), Ok(name), true) = (Ident::new(schema), Ident::new(name), readable) else {
            described.push((object, None));
            continue;
        };
        let tenant = model.table(&root).filter(|_| root_schema == model.schema.as_str()).and_then(Table::tenant_column);
        read_table(&object, &sql!("{}.{}", schema, name), tenant, conn, &mut described).await?;
    }
    large_objects(conn, &mut described).await?;
    Ok(described)
}

async fn read_table(
    object: &str,
    table: &Sql,
    tenant: Option<&Ident>,
    conn: &mut PgConnection,
    described: &mut Described,
) -> Result<(), sqlx::Error> {
    let tenant = tenant.map_or_else(|| sql!("NULL"), |column| sql!("of_table.{}", column));
    let digest = sql!(
        "SELECT tenant::text, count(*),
                coalesce(sum(('x' || substr(digest, 1, 16))::bit(64)::bigint::numeric), 0)::text || '/' ||
                coalesce(sum(('x' || substr(digest, 17, 16))::bit(64)::bigint::numeric), 0)::text
           FROM (SELECT {tenant} AS tenant, encode(sha256(convert_to(ROW(of_table.*)::text, 'UTF8')), 'hex') AS digest
                   FROM ONLY {table} AS of_table) rows
          GROUP BY tenant",
        tenant = tenant,
        table = table,
    );
    let groups: Vec<(Option<String>, i64, String)> = digest.fetch(conn).await?;
    let total: i64 = groups.iter().map(|(_, count, _)| count).sum();
    described.push((object.to_owned(), Some(format!("{total} rows"))));
    for (tenant, count, digest) in groups {
        let of = tenant.map_or_else(|| "all".to_owned(), |tenant| ["tenant ", &tenant].concat());
        described.push((format!("{object}, {of}"), Some(format!("{count} rows, digest {digest}"))));
    }
    Ok(())
}

/// Only if there are any: reading them takes privileges that a role may not have, and then they are not compared.
async fn large_objects(conn: &mut PgConnection, described: &mut Described) -> Result<(), sqlx::Error> {
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_catalog.pg_largeobject_metadata").fetch_one(&mut *conn).await?;
    if count == 0 {
        return Ok(());
    }
    let mut tx = conn.begin().await?;
    let read = sqlx::query_as::<_, (String, Option<String>)>(
        "SELECT format('large object %s', l.oid), encode(sha256(lo_get(l.oid)), 'hex') FROM pg_catalog.pg_largeobject_metadata l",
    )
    .fetch_all(&mut *tx)
    .await;
    tx.rollback().await?;
    described.extend(read.unwrap_or_else(|_| vec![("large objects".to_owned(), None)]));
    Ok(())
}

/// The ledgers of sqlx, by the columns that make one: the application's and those of the crates that keep their own.
pub(super) async fn migrations(conn: &mut PgConnection) -> Result<Described, sqlx::Error> {
    let ledgers: Vec<(String, String, bool)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text,
                NOT row_security_active(c.oid) AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind = 'r' AND n.nspname !~ '^pg_'
            AND (SELECT count(*) FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND NOT a.attisdropped
                    AND (a.attname, a.atttypid) IN (('version', 'int8'::regtype), ('checksum', 'bytea'::regtype),
                                                    ('success', 'bool'::regtype))) = 3",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut described = Vec::new();
    for (schema, name, readable) in ledgers {
        let object = [schema.as_str(), ".", name.as_str()].concat();
        let (Ok(schema), Ok(name), true) = (Ident::new(schema), Ident::new(name), readable) else {
            described.push((object, None));
            continue;
        };
        let query = sql!(
            "SELECT version, encode(checksum, 'hex') || CASE WHEN success THEN '' ELSE ', failed' END FROM {}.{}",
            schema,
            name
        );
        let rows: Vec<(i64, String)> = query.fetch(conn).await?;
        let line = |(version, checksum)| (format!("{object} {version}"), Some(checksum));
        described.extend(rows.into_iter().map(line));
    }
    Ok(described)
}
