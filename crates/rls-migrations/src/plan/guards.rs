//! The guards' functions and triggers.

use super::steps::{Steps, drop_if_unused};
use super::{Lock, periods};
use crate::catalogue::{Catalogue, Trigger};
use crate::guard::{self, GuardFunction, GuardTrigger};
use crate::ident::Ident;
use crate::model::Model;
use crate::sql::{Sql, sql};

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    if model.has_period_guard() {
        periods::plan_lock(catalogue, steps);
    }
    for function in guard::functions(model) {
        plan_function(model, &function, catalogue, steps);
    }
    if model.has_period_guard() {
        periods::plan_events(model, catalogue, steps);
    }
    for table in &model.tables {
        let Some(relation) = catalogue.relation(table.name.as_str()) else { continue };
        let name = model.qualified(&table.name);
        for trigger in guard::triggers(model, table) {
            let found = relation.triggers.get(trigger.name.as_str());
            if found.is_some_and(|found| trigger.is(found)) {
                continue;
            }
            if relation.partition && trigger.is_inherited() {
                plan_inherited(&trigger, &name, found, steps);
            } else {
                plan_trigger(&trigger, &name, found, steps);
            }
        }
    }
}

fn plan_function(model: &Model, function: &GuardFunction, catalogue: &Catalogue, steps: &mut Steps) {
    let name = function.signature();
    let found = function.found(&catalogue.shared);
    if !found.is_some_and(|found| function.is_defined_as(found)) {
        let rights = if function.definer { sql!("SECURITY DEFINER") } else { sql!("SECURITY INVOKER") };
        let up = sql!(
            "CREATE OR REPLACE FUNCTION {} RETURNS {} LANGUAGE plpgsql {} SET search_path = pg_catalog, pg_temp AS {}",
            name,
            Sql::fixed(function.returns),
            rights,
            function.body.dollar_quoted()
        );
        let down = match found {
            Some(former) => Sql::from_catalogue(former.definition.trim_end().to_owned()),
            None if function.is_shared_permission() => {
                drop_if_unused(&periods::unless_used(&sql!("DROP FUNCTION {}", name)))
            }
            None => drop_if_unused(&sql!("DROP FUNCTION {}", name)),
        };
        steps.step(Lock::Catalogue, "What the guard's triggers call.", up, down);
    }
    if !found.is_some_and(|found| function.is_kept_by(found)) {
        let note = "The function's owner is nobody's login.";
        steps.one_way(Lock::Catalogue, note, sql!("ALTER FUNCTION {} OWNER TO stockade_owner", name));
        let from = match function.is_permission() {
            true => sql!("PUBLIC"),
            false => sql!("PUBLIC, {}, {}", model.app, model.reader),
        };
        let note = "Nobody may call it or attach it to a table of their own, unless it is granted to them.";
        steps.one_way(Lock::Catalogue, note, sql!("REVOKE ALL ON FUNCTION {} FROM {}", name, from));
    }
}

fn plan_trigger(trigger: &GuardTrigger, table: &Sql, found: Option<&Trigger>, steps: &mut Steps) {
    let create = sql!(
        "CREATE OR REPLACE TRIGGER {} {} ON {} {}FOR EACH {} EXECUTE FUNCTION stockade.{}({})",
        trigger.name,
        Sql::from_catalogue(trigger.events.to_owned()),
        table,
        Sql::from_catalogue(trigger.referencing().to_owned()),
        Sql::from_catalogue(trigger.level.to_owned()),
        trigger.function,
        Sql::list(&trigger.arguments)
    );
    let always = enable(table, &sql!("ALWAYS"), &trigger.name);
    let drop = sql!("DROP TRIGGER IF EXISTS {} ON {}", trigger.name, table);
    let down = match found {
        Some(former) => sql!("{};\n{}", drop, create_again(former, table, &trigger.name)),
        None => drop,
    };
    let note = "Fires in every session, also with session_replication_role = replica.";
    let up = sql!("{};\n{}", create, always);
    steps.step_with_undo(Lock::ShareRowExclusive, note, up, Lock::AccessExclusive, down);
}

/// PostgreSQL makes a row trigger of a partitioned table on each partition, also on those to come; there it can only be switched.
fn plan_inherited(trigger: &GuardTrigger, table: &Sql, found: Option<&Trigger>, steps: &mut Steps) {
    let Some(former) = found.filter(|found| found.inherited) else { return };
    let state = match former.enabled.as_str() {
        "D" => sql!("ALTER TABLE {} DISABLE TRIGGER {}", table, trigger.name),
        "R" => enable(table, &sql!("REPLICA"), &trigger.name),
        _ => sql!("ALTER TABLE {} ENABLE TRIGGER {}", table, trigger.name),
    };
    let note = "A partition's trigger can be switched off by itself.";
    steps.step(Lock::ShareRowExclusive, note, enable(table, &sql!("ALWAYS"), &trigger.name), state);
}

fn create_again(former: &Trigger, table: &Sql, name: &Ident) -> Sql {
    let definition = Sql::from_catalogue(former.definition.clone());
    let state = match former.enabled.as_str() {
        "A" => enable(table, &sql!("ALWAYS"), name),
        "R" => enable(table, &sql!("REPLICA"), name),
        "D" => sql!("ALTER TABLE {} DISABLE TRIGGER {}", table, name),
        _ => return definition,
    };
    sql!("{};\n{}", definition, state)
}

fn enable(table: &Sql, when: &Sql, name: &Ident) -> Sql {
    sql!("ALTER TABLE {} ENABLE {} TRIGGER {}", table, when, name)
}
