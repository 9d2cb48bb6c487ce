//! What a plan refuses to begin with.

use crate::catalogue::{Catalogue, Relation, RelationKind};
use crate::error::{Error, Name, Names, Repr};
use crate::ident::Ident;
use crate::model::{Kind, Model, Table};
use crate::plan::keys::has_target;

pub(super) fn refuse(model: &Model, catalogue: &Catalogue) -> Result<(), Error> {
    if catalogue.schema.is_none() {
        return Err(missing("schema", model.schema.as_str().to_owned()));
    }
    if [&model.app, &model.reader].iter().any(|role| role.as_str() == catalogue.server.user) {
        return Err(Repr::ApplicationRole(Name(catalogue.server.user.clone())).into());
    }
    // The plan would take its attributes away, and with them perhaps the only way into the server.
    if catalogue.roles.get(model.owner.as_str()).is_some_and(|owner| owner.superuser && owner.login) {
        let why = "a superuser that logs in does not become the owner; declare a role of its own".to_owned();
        return Err(Repr::Declaration { name: Name(model.owner.as_str().to_owned()), why }.into());
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
        refuse_family(model, table, relation)?;
        if let Kind::Tenant { parent: Some(parent), .. } = &table.kind {
            has_column(&table.name, relation, &parent.column)?;
            if let Some(relation) = catalogue.relation(parent.table.as_str()) {
                has_column(&parent.table, relation, &parent.references)?;
                if relation.kind == RelationKind::Partitioned && !has_target(catalogue, parent) {
                    let why = "as a partitioned parent it needs a unique key of tenant and key";
                    return Err(unsupported(parent.table.as_str().to_owned(), why));
                }
            }
        }
        for column in table.unique.iter().flatten() {
            has_column(&table.name, relation, column)?;
        }
        if let Some(deletion) = &table.soft_delete {
            let why = "soft deletion needs a column of type timestamptz";
            has_type(&table.name, relation, &deletion.column, "timestamp with time zone", why)?;
        }
        if let Some(guard) = &table.period {
            has_type(&table.name, relation, &guard.date, "date", "a period guard needs a column of type date")?;
            if let Some(periods) = catalogue.relation(guard.periods.as_str()) {
                has_type(&guard.periods, periods, &guard.columns.ends_on, "date", "a period ends on a date")?;
                has_column(&guard.periods, periods, &guard.columns.closed_at)?;
                if let Some(soft) = &guard.columns.soft_closed_at {
                    has_column(&guard.periods, periods, soft)?;
                }
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
    if protected && relation.kind == RelationKind::Foreign {
        return Err(unsupported(table.name.as_str().to_owned(), "row-level security does not reach a foreign table"));
    }
    table.tenant_column().map_or(Ok(()), |column| {
        has_type(&table.name, relation, column, "uuid", "a tenant column must be of type uuid")
    })
}

/// A statement that names a parent is let through by the parent's policies alone.
fn refuse_family(model: &Model, table: &Table, relation: &Relation) -> Result<(), Error> {
    let parents = || {
        let within = relation.parents.iter().filter(|(schema, _)| schema == model.schema.as_str());
        within.filter_map(|(_, parent)| model.table(parent))
    };
    let alike = parents().filter(|parent| parent.tenant_column() == table.tenant_column()).count();
    let guarded = |parent: &Table| {
        (parent.append_only && !table.append_only) || (parent.period.is_some() && table.period.is_none())
    };
    let why = if relation.partition && table.child_of.is_none() {
        "a partition goes with its parent and is not declared"
    } else if table.tenant_column().is_some() && alike < relation.parents.len() {
        "a parent that is no tenant table by the same column shows its rows"
    } else if parents().any(guarded) {
        "its parent has a guard that it is declared without"
    } else {
        let stray = relation.children.iter().find(|(schema, _)| schema != model.schema.as_str());
        return stray.map_or(Ok(()), |(schema, child)| {
            Err(unsupported([schema.as_str(), ".", child].concat(), "a child in another schema than its parent"))
        });
    };
    Err(unsupported(table.name.as_str().to_owned(), why))
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
    Err(unsupported(dotted(table, column), why))
}

fn dotted(table: &Ident, column: &Ident) -> String {
    [table.as_str(), ".", column.as_str()].concat()
}

fn unsupported(name: String, why: &'static str) -> Error {
    Repr::Unsupported { name: Name(name), why }.into()
}

fn missing(what: &'static str, name: String) -> Error {
    Repr::Missing { what, name: Name(name) }.into()
}
