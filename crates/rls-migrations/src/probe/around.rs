//! Attempts on what lies around the tenant tables.

use super::judge::{Control, Expect};
use super::kind::Attempt;
use super::neighbours::{Neighbours, oid};
use super::program::Body;
use super::seed::{Canaries, FRESH, Parents, RowOf, Seeded, Who};
use super::trial::Trials;
use crate::declaration::Privilege;
use crate::model::Kind;
use crate::sql::{Sql, sql};

pub(super) fn trials(neighbours: &Neighbours, canaries: &Canaries<'_>, plantable: bool) -> Vec<Trials> {
    let mut all = Vec::new();
    add_views(neighbours, canaries, &mut all);
    add_children(neighbours, canaries, &mut all);
    for sequence in &neighbours.sequences {
        let mut trials = Trials::on(&sequence.object);
        let query = sql!("SELECT 1 FROM {}", sequence.name);
        trials.query_after(Attempt::Sequence, Expect::Refused(Control::None, &[]), sql!(""), query);
        all.push(trials);
    }
    for function in &neighbours.functions {
        let mut trials = Trials::on(&function.signature);
        // Whether the application can plant anything was tried before: a temporary table, a function in the schema or in `public`.
        let hijackable = if function.fixed_path || !plantable { sql!("SELECT 0") } else { sql!("SELECT 1") };
        trials.query_after(Attempt::DefinerPath, Expect::NoRows(Control::None), sql!(""), hijackable);
        all.push(trials);
    }
    add_tables(neighbours, canaries, &mut all);
    all
}

fn add_views(neighbours: &Neighbours, canaries: &Canaries<'_>, all: &mut Vec<Trials>) {
    for view in &neighbours.views {
        let mut trials = Trials::on(&view.object);
        if view.materialized {
            let query = sql!("SELECT count(*) FROM (SELECT FROM {} LIMIT 1) x", view.name);
            trials.add(Attempt::MaterializedView, Expect::NoPrivilege, sql!(""), Body::Query(query));
            all.push(trials);
            continue;
        }
        let schema = canaries.model.schema.as_str();
        let Some((_, _, tenant)) = canaries.tenant_table(schema, &view.table) else { continue };
        if !view.columns.iter().any(|column| column == tenant.as_str()) {
            trials.cannot(Attempt::ViewWrite, "the view does not show the tenant");
            trials.cannot(Attempt::ViewInsert, "the view does not show the tenant");
            all.push(trials);
            continue;
        }
        // A view that cannot be written refuses with 55000.
        let b = canaries.tenant(Who::B);
        let update = sql!("UPDATE {} SET {1} = {1} WHERE {1} = {2}", view.name, tenant, b);
        let delete = sql!("DELETE FROM {} WHERE {} = {}", view.name, tenant, b);
        trials.add(Attempt::ViewWrite, Expect::NotWritten, sql!(""), Body::Change(update));
        trials.add(Attempt::ViewWrite, Expect::NotWritten, sql!(""), Body::Change(delete));
        add_insert(Attempt::ViewInsert, &view.name, &view.table, canaries, &mut trials);
        all.push(trials);
    }
}

fn add_insert(attempt: Attempt, into: &Sql, table: &str, canaries: &Canaries<'_>, trials: &mut Trials) {
    let Some(Seeded::Rows { filling, .. }) = canaries.seeded.get(table) else {
        return trials.cannot(attempt, "its table has no canary rows");
    };
    let row = RowOf {
        tenant: canaries.tenant(Who::B),
        variant: FRESH,
        parents: Parents::Of(Who::B),
        filling,
        given: Vec::new(),
        into: Some(into),
    };
    match canaries.insert(table, &row) {
        Ok(insert) => {
            let expect = Expect::Refused(Control::None, &["55000", "42703"]);
            trials.add(attempt, expect, sql!(""), Body::Change(insert));
        }
        Err(why) => trials.cannot(attempt, why),
    }
}

fn add_children(neighbours: &Neighbours, canaries: &Canaries<'_>, all: &mut Vec<Trials>) {
    for child in &neighbours.children {
        let Some((_, _, tenant)) = canaries.tenant_table(canaries.model.schema.as_str(), &child.parent) else {
            continue;
        };
        let mut trials = Trials::on(&child.object);
        // B's row may lie in another child; without active row security, any row of this one would do.
        let query = sql!(
            "SELECT count(*) + CASE WHEN row_security_active({}::oid) THEN 0 ELSE 1 END FROM {} WHERE {} = {}",
            oid(child.oid),
            child.name,
            tenant,
            canaries.tenant(Who::B)
        );
        trials.query_after(Attempt::PartitionRead, Expect::NoRows(Control::None), sql!(""), query);
        add_insert(Attempt::PartitionWrite, &child.name, &child.parent, canaries, &mut trials);
        all.push(trials);
    }
}

fn add_tables(neighbours: &Neighbours, canaries: &Canaries<'_>, all: &mut Vec<Trials>) {
    let model = canaries.model;
    for name in &neighbours.undeclared {
        let Ok(table) = crate::ident::Ident::new(name) else { continue };
        let mut trials = Trials::on([model.schema.as_str(), ".", name].concat());
        let query = sql!("SELECT count(*) FROM (SELECT FROM {} LIMIT 1) x", model.qualified(&table));
        trials.add(Attempt::Undeclared, Expect::NoPrivilege, sql!(""), Body::Query(query));
        all.push(trials);
    }
    for table in model.tables.iter().filter(|table| matches!(table.kind, Kind::Shared)) {
        let mut trials = Trials::on([model.schema.as_str(), ".", table.name.as_str()].concat());
        let name = model.qualified(&table.name);
        // Privileges are looked at before the rows: no row is touched, and nothing is waited for.
        let insert = sql!("INSERT INTO {} DEFAULT VALUES", name);
        let delete = sql!("DELETE FROM {} WHERE false", name);
        for (privilege, statement) in [(Privilege::Insert, insert), (Privilege::Delete, delete)] {
            let expect = if table.app_may.contains(&privilege) { Expect::Declared } else { Expect::NoPrivilege };
            trials.add(Attempt::SharedWrite, expect, sql!(""), Body::Change(statement));
        }
        all.push(trials);
    }
}
