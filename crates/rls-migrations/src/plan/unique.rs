//! Unique keys that hold within a tenant. One that holds across tenants tells each of them what the others have.

use super::Lock;
use super::steps::Steps;
use crate::catalogue::{Catalogue, Index};
use crate::ident::{Ident, Literal};
use crate::model::{Model, Table};
use crate::sql::{Sql, sql};

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    for table in model.tables.iter().filter(|table| table.child_of.is_none()) {
        let (Some(tenant), Some(relation)) = (table.tenant_column(), catalogue.relation(table.name.as_str())) else {
            continue;
        };
        for columns in &table.unique {
            let with_tenant: Vec<&Ident> = std::iter::once(tenant).chain(columns).collect();
            if !relation.indexes.iter().any(|index| index.unique && index.total && index.is_over(&with_tenant)) {
                plan_index(model, table, &with_tenant, steps);
            }
            let across: Vec<&Ident> = columns.iter().collect();
            for index in relation.indexes.iter().filter(|index| index.replaceable && index.is_over(&across)) {
                plan_drop(model, table, index, steps);
            }
        }
    }
}

fn plan_index(model: &Model, table: &Table, columns: &[&Ident], steps: &mut Steps) {
    let parts: Vec<&str> = std::iter::once(&table.name).chain(columns.iter().copied()).map(Ident::as_str).collect();
    let name = Ident::derived_of("stockade_unique", &parts);
    let (of, list) = (model.qualified(&table.name), Sql::list(columns));
    let up = sql!("CREATE UNIQUE INDEX IF NOT EXISTS {} ON {} ({})", name, of, list);
    let down = sql!("DROP INDEX IF EXISTS {}", model.qualified(&name));
    let note = "A key within the tenant. Builds its index while writers wait; fails if a tenant has a value twice.";
    steps.step_with_undo(Lock::Share, note, up, Lock::AccessExclusive, down).scans();
}

fn plan_drop(model: &Model, table: &Table, index: &Index, steps: &mut Steps) {
    let Ok(name) = Ident::new(&index.name) else { return };
    let (index_name, of) = (model.qualified(&name), model.qualified(&table.name));
    let (up, again, lock) = match &index.constraint {
        Some(constraint) => (
            sql!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", of, name),
            sql!("ALTER TABLE {} ADD CONSTRAINT {} {}", of, name, Sql::from_catalogue(constraint.clone())),
            Lock::AccessExclusive,
        ),
        None => {
            let definition = Sql::from_catalogue(index.definition.clone());
            (sql!("DROP INDEX IF EXISTS {}", index_name), definition, Lock::Share)
        }
    };
    let body = sql!(
        "\nBEGIN\n  IF to_regclass({}) IS NULL THEN\n    {};\n  END IF;\nEND\n",
        Literal(index_name.as_str().to_owned()),
        again
    );
    let note = "A key across tenants tells that a value exists elsewhere; the one within the tenant stands in for it.";
    let down = sql!("DO {}", body.dollar_quoted());
    steps.step_with_undo(Lock::AccessExclusive, note, up, lock, down).undo_scans();
}
