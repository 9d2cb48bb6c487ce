//! What the functions of soft deletion say.

use super::GuardFunction;
use crate::error::{Error, Name, Repr};
use crate::ident::Ident;
use crate::model::{Model, SoftDelete, Table};
use crate::sql::{Sql, sql};

/// Before each update: the time of a deletion is the statement's, whatever the application wrote. The policy that hides deleted
/// rows lets this one time through, because PostgreSQL refuses an update whose new row its author may not see.
pub(super) fn stamp(model: &Model, table: &Table, deletion: &SoftDelete) -> GuardFunction {
    let body = sql!(
        "
BEGIN
  IF NEW.{column} IS NOT NULL AND NEW.{column} IS DISTINCT FROM OLD.{column} THEN
    NEW.{column} := statement_timestamp();
  END IF;
  RETURN NEW;
END
",
        column = deletion.column,
    );
    let function = GuardFunction::of_trigger(stamp_name(model, table), body);
    GuardFunction { definer: false, ..function }
}

pub(super) fn stamp_name(model: &Model, table: &Table) -> Ident {
    Ident::derived("rls_soft_delete", &model.schema, table.root())
}

/// Brings the rows back whose columns have these values, inside the caller's tenant.
pub(super) fn undelete(model: &Model, table: &Table, deletion: &SoftDelete) -> GuardFunction {
    let body = sql!(
        "
#variable_conflict use_variable
DECLARE
  restored bigint;
BEGIN
  IF (jsonb_typeof(columns) = 'object' AND columns <> '{{}}') IS NOT TRUE THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'what to bring back is named by at least one column and its value';
  END IF;
  UPDATE {table} AS r SET {column} = NULL
   WHERE r.{column} IS NOT NULL
     AND NOT EXISTS (SELECT FROM jsonb_each(columns) AS wanted (name, value)
                      WHERE to_jsonb(r.*) -> wanted.name IS DISTINCT FROM wanted.value);
  GET DIAGNOSTICS restored = ROW_COUNT;
  RETURN restored;
END
",
        table = model.qualified(&table.name),
        column = deletion.column,
    );
    GuardFunction::permission(undelete_name(model, table), "columns jsonb", "bigint", body)
}

fn undelete_name(model: &Model, table: &Table) -> Ident {
    Ident::derived("rls_undelete", &model.schema, &table.name)
}

/// How SQL calls the function that brings rows of `table` back.
pub(crate) fn undelete_call(model: &Model, table: &str) -> Result<String, Error> {
    let found = model.soft_deletes().find(|(found, _)| found.name.as_str() == table);
    let (table, _) = found
        .ok_or_else(|| Repr::Declaration { name: Name(table.to_owned()), why: "not deleted softly".to_owned() })?;
    Ok(sql!("stockade.{}", undelete_name(model, table)).to_string())
}

/// The rows that are deleted, for whoever investigates.
pub(crate) fn view(model: &Model, table: &Table, deletion: &SoftDelete) -> Sql {
    sql!(
        "CREATE OR REPLACE VIEW {}.{} WITH (security_invoker = true) AS SELECT * FROM {} WHERE {} IS NOT NULL",
        model.schema,
        deletion.view,
        model.qualified(&table.name),
        deletion.column
    )
}
