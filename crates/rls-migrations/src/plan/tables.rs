//! Tables: owner, row-level security, policies, privileges.

use super::Lock;
use super::grants::{Target, reconcile};
use super::policies;
use super::steps::Steps;
use crate::catalogue::{Catalogue, Relation, STOCKADE_OWNER, Sequence};
use crate::declaration::Privilege;
use crate::ident::Ident;
use crate::model::{Model, Table};
use crate::sql::{Sql, sql};

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    for table in model.tables.iter().filter(|table| !table.is_exempt()) {
        let Some(relation) = catalogue.relation(table.name.as_str()) else { continue };
        let name = model.qualified(&table.name);
        plan_owner(model, &name, relation, steps);
        if table.tenant_column().is_some() {
            policies::plan(model, table, relation, steps);
            plan_security(&name, relation, steps);
        }
        plan_grants(model, table, &name, relation, steps);
    }
}

fn plan_owner(model: &Model, name: &Sql, relation: &Relation, steps: &mut Steps) {
    if let Ok(former) = Ident::new(&relation.owner)
        && former != model.owner
    {
        // What the new owner was granted before would melt into its ownership, and could not be told apart on the way back.
        reconcile(&Target::Table(name.clone()), Some(&model.owner), &relation.grants, &[], steps);
        for (target, sequence) in sequences(relation) {
            reconcile(&target, Some(&model.owner), &sequence.grants, &[], steps);
        }
        let note = "The table goes to an owner that nobody logs in as; an owner that is an application could switch row-level security off.";
        let up = sql!("ALTER TABLE {} OWNER TO {}", name, model.owner);
        steps.step(Lock::AccessExclusive, note, up, sql!("ALTER TABLE {} OWNER TO {}", name, former));
    }
}

fn plan_security(name: &Sql, relation: &Relation, steps: &mut Steps) {
    if !relation.enabled {
        let note = "From here on only the policies let rows through.";
        let up = sql!("ALTER TABLE {} ENABLE ROW LEVEL SECURITY", name);
        steps.step(Lock::AccessExclusive, note, up, sql!("ALTER TABLE {} DISABLE ROW LEVEL SECURITY", name));
    }
    if !relation.forced {
        let note = "Binds the owner too: an owner's data migration sees no rows, and says UPDATE 0 instead of failing.";
        let up = sql!("ALTER TABLE {} FORCE ROW LEVEL SECURITY", name);
        steps.step(Lock::AccessExclusive, note, up, sql!("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY", name));
    }
}

fn plan_grants(model: &Model, table: &Table, name: &Sql, relation: &Relation, steps: &mut Steps) {
    let target = Target::Table(name.clone());
    let app: Vec<&'static str> = table.app_may.iter().map(|privilege| privilege.keyword()).collect();
    reconcile(&target, None, &relation.grants, &[], steps);
    reconcile(&target, Some(&model.app), &relation.grants, &app, steps);
    for (role, wanted) in duties(model, table) {
        reconcile(&target, Some(role), &relation.grants, wanted, steps);
    }
    let guard = Ident::own(STOCKADE_OWNER);
    if table.soft_delete.is_some() && table.child_of.is_none() {
        reconcile(&target, Some(&guard), &relation.grants, &["SELECT", "UPDATE"], steps);
    } else if table.holds_periods.is_some() {
        reconcile(&target, Some(&guard), &relation.grants, &["SELECT"], steps);
    }
    let usage: &[&'static str] = if table.app_may.contains(&Privilege::Insert) { &["USAGE"] } else { &[] };
    for (target, sequence) in sequences(relation) {
        reconcile(&target, None, &sequence.grants, &[], steps);
        reconcile(&target, Some(&model.app), &sequence.grants, usage, steps);
        for (role, _) in duties(model, table) {
            reconcile(&target, Some(role), &sequence.grants, &[], steps);
        }
    }
}

/// What the roles beside the application may do.
pub(crate) fn duties<'a>(
    model: &'a Model,
    table: &Table,
) -> impl Iterator<Item = (&'a Ident, &'static [&'static str])> {
    let reads: &[&'static str] = if table.child_of.is_none() { &["SELECT"] } else { &[] };
    let changeable = table.child_of.is_none() && table.tenant_column().is_some() && !table.append_only;
    let changes = move |privileges: &'static [&'static str]| if changeable { privileges } else { &[] };
    let reader = [(&model.reader, reads)].into_iter();
    let purge = model.purge.iter().map(move |role| (role, changes(&["SELECT", "DELETE"])));
    let eraser = model.eraser.iter().map(move |role| (role, changes(&["SELECT", "UPDATE"])));
    let investigates: &[&'static str] = if table.soft_delete.is_some() { reads } else { &[] };
    let investigator = model.investigator.iter().map(move |role| (role, investigates));
    reader.chain(purge).chain(eraser).chain(investigator)
}

fn sequences(relation: &Relation) -> impl Iterator<Item = (Target, &Sequence)> {
    relation.sequences.iter().filter_map(|sequence| {
        let (schema, name) = (Ident::new(&sequence.schema).ok()?, Ident::new(&sequence.name).ok()?);
        Some((Target::Sequence(sql!("{}.{}", schema, name)), sequence))
    })
}
