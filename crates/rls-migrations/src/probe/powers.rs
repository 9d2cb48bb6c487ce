//! Attempts on the table itself rather than on its rows: keys, privileges, definitions, guards.

use super::context::Context;
use super::judge::{Control, Expect};
use super::kind::Attempt;
use super::program::Body;
use super::reads::Reach;
use super::seed::{FRESH, Parents, RowOf, Who};
use super::site::Site;
use super::trial::Trials;
use crate::ident::{Ident, Literal};
use crate::sql::{Sql, sql};

pub(super) fn add(site: &Site<'_>, context: &Context, reach: Reach<'_>, trials: &mut Trials) {
    add_keys(site, context, reach, trials);
    let (table, app, oid) = (site.table, &site.canaries.model.app, &site.facts.oid);
    trials.forbidden(Attempt::Truncate, sql!("TRUNCATE {}", table));
    trials.forbidden(Attempt::DisableSecurity, sql!("ALTER TABLE {} DISABLE ROW LEVEL SECURITY", table));
    trials.forbidden(Attempt::CreatePolicy, sql!("CREATE POLICY stockade_probe ON {} USING (true)", table));
    trials.forbidden(
        Attempt::CreateTrigger,
        sql!(
            "CREATE TRIGGER stockade_probe BEFORE UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
            table
        ),
    );
    let app = Literal::of(app);
    let holds = |privileges: &'static str| {
        let privileges = Literal(privileges.to_owned());
        sql!("SELECT has_any_column_privilege({}, {}::oid, {})::int", app, oid, privileges)
    };
    trials.query_after(Attempt::References, Expect::Zero, sql!(""), holds("REFERENCES"));
    let option = holds("SELECT WITH GRANT OPTION, INSERT WITH GRANT OPTION, UPDATE WITH GRANT OPTION");
    trials.query_after(Attempt::PassOn, Expect::Zero, sql!(""), option);
    add_guards(site, reach, trials);
}

/// Foreign keys are checked past policies, so a key without the tenant reaches across.
fn add_keys(site: &Site<'_>, context: &Context, reach: Reach<'_>, trials: &mut Trials) {
    for key in &site.facts.keys {
        let Some((_, parent, parent_tenant)) = site.canaries.tenant_table(&key.parent.0, &key.parent.1) else {
            continue;
        };
        // A key that is nothing but the tenant: the row of A names A.
        let mut pairs = key.columns.iter().zip(&key.references);
        if pairs
            .all(|(column, reference)| column.as_str() == site.tenant.as_str() && *reference == parent_tenant.as_str())
        {
            continue;
        }
        let object = [site.canaries.model.schema.as_str(), ".", site.facts.name.as_str(), ".", &key.name].concat();
        let hung = |who: Who| -> Vec<(String, Sql)> {
            let pairs = key.columns.iter().zip(&key.references);
            let foreign = pairs.filter(|(column, reference)| {
                *reference != parent_tenant.as_str() && column.as_str() != site.tenant.as_str()
            });
            let value = |(column, reference): (&String, &String)| {
                Some((column.clone(), site.canaries.seeded_value(&key.parent.1, reference, who, 0)?))
            };
            foreign.filter_map(value).collect()
        };
        let mut here = Trials::on(object);
        match site.row(&site.a, FRESH, Who::A, hung(Who::B)) {
            Ok(row) => {
                let expect = Expect::Refused(Control::Insert, &["23503"]);
                here.add(Attempt::ForeignKeyOracle, expect, sql!("SET CONSTRAINTS ALL IMMEDIATE;"), Body::Change(row));
            }
            Err(why) => here.cannot(Attempt::ForeignKeyOracle, why),
        }
        if key.cascades {
            match site.row(&site.b, FRESH, Who::B, hung(Who::A)) {
                Ok(row) => {
                    let before =
                        sql!(
                        "SET LOCAL ROLE {admin}; {b} SET CONSTRAINTS ALL IMMEDIATE; {row}; SET LOCAL ROLE {app}; {a}
                         DELETE FROM {parent} WHERE {tenant} = {id};",
                        admin = reach.admin, b = context.enter(Who::B), a = context.enter(Who::A), row = row,
                        app = site.canaries.model.app, parent = parent.qualified, tenant = parent_tenant, id = site.a,
                    );
                    let left = sql!(
                        "SELECT CASE WHEN EXISTS (SELECT FROM {} WHERE {} = {}) THEN 0 ELSE 1 END",
                        parent.qualified,
                        parent_tenant,
                        site.a
                    );
                    let expect = Expect::Refused(Control::None, &["23503"]);
                    here.query_after(Attempt::Cascade, expect, before, left);
                }
                Err(why) => here.cannot(Attempt::Cascade, why),
            }
        }
        trials.list.append(&mut here.list);
        let named = here.untested.into_iter().map(|(attempt, why)| (attempt, [&here.object, ": ", &why].concat()));
        trials.untested.extend(named);
    }
}

/// Append-only tables and closed periods hold against every role, so the administrator is who tries.
fn add_guards(site: &Site<'_>, reach: Reach<'_>, trials: &mut Trials) {
    let admin = sql!("SET LOCAL ROLE {};", reach.admin);
    if site.entry.append_only {
        let expect = Expect::Refused(Control::None, &[]);
        let column = site.changeable();
        let update = sql!("UPDATE {} SET {1} = {1} WHERE {2} = {3}", site.table, column, site.tenant, site.a);
        trials.add(Attempt::AppendOnly, expect, admin.clone(), Body::Change(update));
        trials.add(Attempt::AppendOnly, expect, admin.clone(), Body::Change(sql!("DELETE FROM {}", site.is(&site.a))));
    }
    let Some(guard) = &site.entry.period else { return };
    let Some((_, periods, tenant)) =
        site.canaries.tenant_table(site.canaries.model.schema.as_str(), guard.periods.as_str())
    else {
        return;
    };
    let closed = periods.column(guard.columns.closed_at.as_str());
    let closed = closed
        .and_then(|column| Some(super::facts::typed(super::value::of(column, site.canaries.numbers, FRESH)?, column)));
    let fresh = site.canaries.insert(
        site.facts.name.as_str(),
        &RowOf { parents: Parents::Of(Who::A), ..site.row_of(&site.a, FRESH, Who::A, Vec::new()) },
    );
    match (closed, fresh) {
        (Some(closed), Ok(fresh)) => {
            let before = sql!(
                "{} UPDATE {} SET {} = CAST('9999-12-31' AS date), {} = {} WHERE {} = {};",
                admin,
                periods.qualified,
                guard.columns.ends_on,
                guard.columns.closed_at,
                closed,
                tenant,
                site.a
            );
            trials.add(Attempt::ClosedPeriod, Expect::Refused(Control::None, &[]), before, Body::Change(fresh));
        }
        (None, _) => trials.cannot(Attempt::ClosedPeriod, "no value is known that closes a period"),
        (_, Err(why)) => trials.cannot(Attempt::ClosedPeriod, why),
    }
}

/// Writes in a read-only context, where the database knows one.
pub(super) fn add_read_only(site: &Site<'_>, trials: &mut Trials) {
    let before = || sql!("SET LOCAL {} = 'on';", Ident::own("stockade.read_only"));
    let column = site.changeable();
    let update = sql!("UPDATE {} SET {1} = {1} WHERE {2} = {3}", site.table, column, site.tenant, site.a);
    let delete = sql!("DELETE FROM {}", site.is(&site.a));
    trials.add(Attempt::ReadOnlyWrite, Expect::NoRows(Control::Update), before(), Body::Change(update));
    trials.add(Attempt::ReadOnlyWrite, Expect::NoRows(Control::Delete), before(), Body::Change(delete));
    if let Ok(row) = site.fresh(&site.a, Who::A) {
        let expect = Expect::Refused(Control::Insert, &[]);
        trials.add(Attempt::ReadOnlyWrite, expect, before(), Body::Change(row));
    }
}
