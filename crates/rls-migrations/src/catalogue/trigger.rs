//! Triggers that somebody made; PostgreSQL's own, for foreign keys, are left out.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::Relation;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trigger {
    /// Schema and name of the function.
    pub(crate) function: (String, String),
    /// `pg_trigger.tgtype`: the bits of timing, level and events.
    pub(crate) kind: i16,
    /// `pg_trigger.tgenabled`; `A` is `ENABLE ALWAYS`.
    pub(crate) enabled: String,
    /// `pg_trigger.tgargs`: each argument ends with a NUL.
    pub(crate) arguments: Vec<u8>,
    pub(crate) old_table: Option<String>,
    pub(crate) new_table: Option<String>,
    /// Has a `WHEN` condition or a list of columns, so does not always fire.
    pub(crate) conditional: bool,
    pub(crate) definition: String,
    /// PostgreSQL made it on a partition, after the one of the parent.
    pub(crate) inherited: bool,
}

type Row = (String, String, String, String, i16, String, Vec<u8>, Option<String>, Option<String>, bool, String, bool);

pub(super) async fn read(
    schema: &str,
    relations: &mut BTreeMap<String, Relation>,
    conn: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT c.relname::text, t.tgname::text, fn.nspname::text, f.proname::text, t.tgtype, t.tgenabled::text, t.tgargs,
                t.tgoldtable::text, t.tgnewtable::text, t.tgqual IS NOT NULL OR cardinality(t.tgattr::int2[]) > 0,
                pg_get_triggerdef(t.oid), t.tgparentid <> 0
           FROM pg_catalog.pg_trigger t
           JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
           JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
          WHERE n.nspname = $1 AND NOT t.tgisinternal",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    for row in rows {
        let (table, name, schema, function, kind, enabled, arguments, old_table, new_table, conditional, ..) = row;
        let (.., definition, inherited) = row;
        if let Some(relation) = relations.get_mut(&table) {
            let function = (schema, function);
            let trigger = Trigger {
                function,
                kind,
                enabled,
                arguments,
                old_table,
                new_table,
                conditional,
                definition,
                inherited,
            };
            relation.triggers.insert(name, trigger);
        }
    }
    Ok(())
}
