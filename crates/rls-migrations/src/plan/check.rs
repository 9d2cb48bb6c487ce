//! What a plan refuses to begin with.

use crate::catalogue::{Catalogue, Relation, RelationKind};
use crate::error::{Error, Name, Names, Repr};
use crate::ident::Ident;
use crate::model::{Kind, Model, Table};

pub(super) fn refuse(model: &Model, catalogue: &Catalogue) -> Result<(), Error> {
    if catalogue.schema.is_none() {
        return Err(missing("schema", model.schema.as_str().to_owned()));
    }
    if [&model.app, &model.reader].iter().any(|role| role.as_str() == catalogue.server.user) {
        return Err(Repr::ApplicationRole(Name(catalogue.server.user.clone())).into());
    }
    let undeclared = undeclared(model, catalogue);
    if !undeclared.is_empty() {
        let schema = Name(model.schema.as_str().to_owned());
        return Err(Repr::Undeclared { schema, tables: Names(undeclared) }.into());
    }
    for table in model.tables.iter().filter(|table| !table.is_exempt()) {
        let relation = catalogue.relation(table.name.as_str());
        let relation = relation.ok_or_else(|| missing("table", table.name.as_str().to_owned()))?;
        refuse_table(table, relation)?;
        if let Kind::Tenant { parent: Some(parent), .. } = &table.kind {
            has_column(&table.name, relation, &parent.column)?;
            if let Some(relation) = catalogue.relation(parent.table.as_str()) {
                has_column(&parent.table, relation, &parent.references)?;
            }
        }
        if let Some(guard) = &table.period {
            has_type(&table.name, relation, &guard.date, "date", "a period guard needs a column of type date")?;
            if let Some(periods) = catalogue.relation(guard.periods.as_str()) {
                has_type(&guard.periods, periods, &guard.ends_on, "date", "a period ends on a date")?;
                has_column(&guard.periods, periods, &guard.closed_at)?;
            }
        }
    }
    Ok(())
}

/// The tables of the schema that the declaration does not mention, in order.
pub(crate) fn undeclared(model: &Model, catalogue: &Catalogue) -> Vec<String> {
    catalogue.relations.keys().filter(|name| model.table(name).is_none()).cloned().collect()
}

fn refuse_table(table: &Table, relation: &Relation) -> Result<(), Error> {
    let protected = table.tenant_column().is_some() || table.append_only;
    let why = match relation.kind {
        RelationKind::Partitioned if protected => "partitioned and inherited tables are not supported yet",
        RelationKind::Foreign if protected => "row-level security does not reach a foreign table",
        _ => {
            let tenant = table.tenant_column();
            return tenant.map_or(Ok(()), |column| {
                has_type(&table.name, relation, column, "uuid", "a tenant column must be of type uuid")
            });
        }
    };
    Err(Repr::Unsupported { name: Name(table.name.as_str().to_owned()), why }.into())
}

fn has_column(table: &Ident, relation: &Relation, column: &Ident) -> Result<(), Error> {
    let there = relation.column(column.as_str()).is_some();
    if there { Ok(()) } else { Err(missing("column", dotted(table, column))) }
}

fn has_type(
    table: &Ident,
    relation: &Relation,
    column: &Ident,
    data_type: &str,
    why: &'static str,
) -> Result<(), Error> {
    let found = relation.column(column.as_str()).ok_or_else(|| missing("column", dotted(table, column)))?;
    if found.data_type == data_type {
        return Ok(());
    }
    Err(Repr::Unsupported { name: Name(dotted(table, column)), why }.into())
}

fn dotted(table: &Ident, column: &Ident) -> String {
    [table.as_str(), ".", column.as_str()].concat()
}

fn missing(what: &'static str, name: String) -> Error {
    Repr::Missing { what, name: Name(name) }.into()
}
