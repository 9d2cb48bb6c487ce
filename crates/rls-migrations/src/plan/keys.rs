//! Foreign keys that carry the tenant.

use super::Lock;
use super::steps::Steps;
use crate::catalogue::Catalogue;
use crate::ident::{Ident, Literal};
use crate::model::{Kind, Model, ParentKey, Table};
use crate::sql::{Sql, sql};

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    let mut planned = Vec::new();
    for table in &model.tables {
        let Kind::Tenant { column, parent: Some(parent) } = &table.kind else { continue };
        let target = (parent.table.as_str(), parent.references.as_str());
        if !planned.contains(&target) && !has_target(catalogue, parent) {
            plan_target(model, parent, steps);
            planned.push(target);
        }
        if !has_key(model, catalogue, table, column, parent) {
            plan_key(model, table, column, parent, steps);
        }
    }
}

/// Whether a foreign key can refer to the parent's tenant and key.
pub(super) fn has_target(catalogue: &Catalogue, parent: &ParentKey) -> bool {
    let wanted = [parent.tenant.as_str(), parent.references.as_str()];
    catalogue.relation(parent.table.as_str()).is_some_and(|relation| {
        relation.indexes.iter().any(|index| {
            index.unique
                && index.total
                && index.columns.len() == wanted.len()
                && wanted.iter().all(|column| index.columns.iter().any(|c| c.as_deref() == Some(column)))
        })
    })
}

pub(crate) fn has_key(model: &Model, catalogue: &Catalogue, table: &Table, tenant: &Ident, parent: &ParentKey) -> bool {
    let pairs = [(tenant, &parent.tenant), (&parent.column, &parent.references)];
    catalogue.relation(table.name.as_str()).is_some_and(|relation| {
        relation.foreign_keys.iter().any(|key| {
            key.parent.0 == model.schema.as_str()
                && key.parent.1 == parent.table.as_str()
                && key.columns.len() == pairs.len()
                && pairs.iter().all(|(from, to)| {
                    key.columns.iter().zip(&key.references).any(|(f, t)| f == from.as_str() && t == to.as_str())
                })
        })
    })
}

fn plan_target(model: &Model, parent: &ParentKey, steps: &mut Steps) {
    let name = Ident::derived("stockade_tenant_key", &parent.table, &parent.references);
    let table = model.qualified(&parent.table);
    let up = sql!("ALTER TABLE {} ADD CONSTRAINT {} UNIQUE ({}, {})", table, name, parent.tenant, parent.references);
    let up = once(&table, &name, &up);
    let note = "Builds an index while the table is locked: on a large one, build it concurrently before the plan.";
    let down = sql!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", table, name);
    steps.step(Lock::AccessExclusive, note, up, down).scans();
}

fn plan_key(model: &Model, table: &Table, tenant: &Ident, parent: &ParentKey, steps: &mut Steps) {
    let name = Ident::derived("stockade_tenant_fk", &table.name, &parent.column);
    let child = model.qualified(&table.name);
    let up = sql!(
        "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}, {}) REFERENCES {} ({}, {})",
        child,
        name,
        tenant,
        parent.column,
        model.qualified(&parent.table),
        parent.tenant,
        parent.references
    );
    let up = once(&child, &name, &up);
    let note = "Reads both tables to check the rows there are; fails if a child names another tenant's parent.";
    let down = sql!("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", child, name);
    steps.step_with_undo(Lock::ShareRowExclusive, note, up, Lock::AccessExclusive, down).scans();
}

/// `ADD CONSTRAINT` has no `IF NOT EXISTS`.
fn once(table: &Sql, name: &Ident, add: &Sql) -> Sql {
    let body = sql!(
        "
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conrelid = {}::regclass AND conname = {}) THEN
    {};
  END IF;
END
",
        Literal(table.as_str().to_owned()),
        Literal::of(name),
        add
    );
    sql!("DO {}", body.dollar_quoted())
}
