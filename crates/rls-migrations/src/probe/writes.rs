//! Attempts to change what is B's, and to learn of it by what a write answers.

use super::judge::{Control, Expect};
use super::kind::Attempt;
use super::program::Body;
use super::seed::{FRESH, Who};
use super::site::Site;
use super::trial::Trials;
use crate::sql::{Sql, sql};

pub(super) fn add(site: &Site<'_>, trials: &mut Trials) {
    add_changes(site, trials);
    match site.fresh(&site.b, Who::B) {
        Ok(of_b) => add_inserts(site, of_b, trials),
        Err(why) => {
            let inserts = [
                Attempt::Insert,
                Attempt::InsertWithoutTenant,
                Attempt::InsertSelect,
                Attempt::Upsert,
                Attempt::ConflictOracle,
                Attempt::UniqueOracle,
                Attempt::MergeInsert,
            ];
            inserts.into_iter().for_each(|attempt| trials.cannot(attempt, why.as_str()));
        }
    }
}

fn add_changes(site: &Site<'_>, trials: &mut Trials) {
    let (table, tenant, a, b, column) = (site.table, site.tenant, &site.a, &site.b, site.changeable());
    let of_b = &site.is(b);
    let (update, delete) = (Control::Update, Control::Delete);
    trials.change(Attempt::Update, update, sql!("UPDATE {} SET {1} = {1} WHERE {2} = {3}", table, column, tenant, b));
    trials.change(
        Attempt::UpdateJoin,
        update,
        sql!("UPDATE {0} x SET {1} = x.{1} FROM {0} y WHERE y.{2} = {3} AND x.{2} = {4}", table, column, tenant, b, a),
    );
    trials.change(Attempt::Delete, delete, sql!("DELETE FROM {}", of_b));
    trials.change(
        Attempt::DeleteJoin,
        delete,
        sql!("DELETE FROM {0} x USING {0} y WHERE y.{1} = {2} AND x.{1} = {3}", table, tenant, b, a),
    );
    trials.change(Attempt::Returning, delete, sql!("DELETE FROM {} RETURNING {}", of_b, tenant));
    trials.change(
        Attempt::MergeChange,
        update,
        sql!(
            "MERGE INTO {} x USING (VALUES ({})) y (t) ON x.{} = y.t WHEN MATCHED THEN UPDATE SET {3} = x.{3}",
            table,
            b,
            tenant,
            column
        ),
    );
    trials.refused(Attempt::Move, update, sql!("UPDATE {} SET {1} = {2} WHERE {1} = {3}", table, tenant, b, a));
}

fn add_inserts(site: &Site<'_>, of_b: Sql, trials: &mut Trials) {
    let insert = Control::Insert;
    trials.refused(Attempt::Insert, insert, of_b);
    // A NOT NULL tenant column refuses it after the policy was asked.
    let nobody = vec![(site.tenant.as_str().to_owned(), sql!("NULL"))];
    if let Ok(row) = site.row(&site.a, FRESH, Who::A, nobody) {
        let expect = Expect::Refused(insert, &["23502"]);
        trials.add(Attempt::InsertWithoutTenant, expect, sql!(""), Body::Change(row));
    }
    let row_of = site.row_of(&site.a, FRESH, Who::A, Vec::new());
    if let Ok((columns, values, overriding)) = site.canaries.values(site.facts.name.as_str(), &row_of) {
        let from = site.is(&site.b);
        let select = sql!("INSERT INTO {} ({}){} SELECT {} FROM {}", site.table, columns, overriding, values, from);
        trials.change(Attempt::InsertSelect, insert, select);
    }
    let row_of = site.row_of(&site.b, FRESH, Who::B, Vec::new());
    if let Ok((columns, values, overriding)) = site.canaries.values(site.facts.name.as_str(), &row_of) {
        let merge = sql!(
            "MERGE INTO {} x USING (VALUES ({})) y (t) ON false WHEN NOT MATCHED THEN INSERT ({}){} VALUES ({})",
            site.table,
            site.b,
            columns,
            overriding,
            values
        );
        trials.refused(Attempt::MergeInsert, insert, merge);
    }
    add_oracles(site, trials);
}

/// A row of A with all of B's values: where a unique key leaves the tenant out, they meet.
fn add_oracles(site: &Site<'_>, trials: &mut Trials) {
    let Ok(row) = site.row(&site.a, Who::B.variant(), Who::A, Vec::new()) else { return };
    let oracle = |attempt, row, trials: &mut Trials| {
        trials.add(attempt, Expect::Unnoticed, sql!(""), Body::Change(row));
    };
    oracle(Attempt::UniqueOracle, row.clone(), trials);
    oracle(Attempt::ConflictOracle, sql!("{} ON CONFLICT DO NOTHING", row), trials);
    // ON CONFLICT DO UPDATE needs a key by name: the first one that leaves the tenant out, else the first one.
    let without = |key: &&Vec<String>| !key.iter().any(|name| name == site.tenant.as_str());
    let key = site.facts.uniques.iter().find(without).or(site.facts.uniques.first());
    let columns =
        key.map(|key| site.facts.columns.iter().filter(|column| key.contains(&column.name.as_str().to_owned())));
    match columns.map(|columns| Sql::list(columns.map(|column| &column.name))) {
        Some(columns) => {
            let column = site.changeable();
            let upsert = sql!("{} ON CONFLICT ({}) DO UPDATE SET {2} = excluded.{2}", row, columns, column);
            oracle(Attempt::Upsert, upsert, trials);
        }
        None => trials.cannot(Attempt::Upsert, "the table has no unique key"),
    }
}

/// What A does to its own row, in the order of [`Controls`](super::judge::Controls).
pub(super) fn controls(site: &Site<'_>) -> [Body; 4] {
    let (table, tenant, a, column) = (site.table, site.tenant, &site.a, site.changeable());
    let insert = site.fresh(&site.a, Who::A).unwrap_or_else(|_| sql!("SELECT WHERE false"));
    [
        Body::Query(sql!("SELECT count(*) FROM {}", site.is(a))),
        Body::Change(insert),
        Body::Change(sql!("UPDATE {} SET {1} = {1} WHERE {2} = {3}", table, column, tenant, a)),
        Body::Change(sql!("DELETE FROM {}", site.is(a))),
    ]
}
