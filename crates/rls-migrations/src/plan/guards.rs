//! The guards' functions, their lock table, and the triggers.

use super::Lock;
use super::steps::{Steps, drop_if_unused};
use crate::catalogue::{Catalogue, Trigger};
use crate::guard::{self, GuardFunction, GuardTrigger};
use crate::ident::Ident;
use crate::model::Model;
use crate::sql::{Sql, sql};

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    if model.has_period_guard() {
        plan_lock_table(catalogue, steps);
    }
    for function in guard::functions(model) {
        plan_function(&function, catalogue, steps);
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

fn plan_lock_table(catalogue: &Catalogue, steps: &mut Steps) {
    let found = catalogue.shared.period_lock.as_ref();
    if found.is_none() {
        let note = "One row for each tenant with periods: a posting shares it, a change of the periods takes it. No role but its owner reaches it.";
        let up = sql!(
            "CREATE TABLE IF NOT EXISTS stockade.rls_period_lock (
  periods text NOT NULL,
  tenant_id uuid NOT NULL,
  changes bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (periods, tenant_id)
)"
        );
        let drop = sql!(
            "IF NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'stockade'::regnamespace AND p.proname LIKE 'rls\\_period\\_guard\\_%') THEN
    DROP TABLE stockade.rls_period_lock;
  END IF"
        );
        steps.step(Lock::Catalogue, note, up, drop_if_unused(&drop));
    }
    if found.is_none_or(|table| table.owner != crate::catalogue::STOCKADE_OWNER) {
        let up = sql!("ALTER TABLE stockade.rls_period_lock OWNER TO stockade_owner");
        steps.one_way(Lock::Catalogue, "Its owner is nobody's login.", up);
    }
    if found.is_none_or(|table| !table.protected) {
        let note = "Closed to every role that might be granted it by mistake.";
        let up = sql!("ALTER TABLE stockade.rls_period_lock ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY");
        steps.one_way(Lock::Catalogue, note, up);
    }
    if found.is_none_or(|table| !table.policy) {
        let note = "The guards, which run as its owner, lock the row of any tenant.";
        let up = sql!(
            "DROP POLICY IF EXISTS stockade_guard ON stockade.rls_period_lock;
CREATE POLICY stockade_guard ON stockade.rls_period_lock TO stockade_owner USING (true) WITH CHECK (true)"
        );
        steps.one_way(Lock::Catalogue, note, up);
    }
}

fn plan_function(function: &GuardFunction, catalogue: &Catalogue, steps: &mut Steps) {
    let name = function.qualified();
    let found = catalogue.shared.functions.get(function.name.as_str());
    if !found.is_some_and(|found| function.is_defined_as(found)) {
        let rights = if function.definer { sql!("SECURITY DEFINER") } else { sql!("SECURITY INVOKER") };
        let up = sql!(
            "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql {} SET search_path = pg_catalog, pg_temp AS {}",
            name,
            rights,
            function.body.dollar_quoted()
        );
        let down = match found {
            Some(former) => Sql::from_catalogue(former.definition.trim_end().to_owned()),
            None => drop_if_unused(&sql!("DROP FUNCTION {}()", name)),
        };
        steps.step(Lock::Catalogue, "What the guard's triggers call.", up, down);
    }
    if !found.is_some_and(GuardFunction::is_kept_by) {
        let note = "The function's owner is nobody's login.";
        steps.one_way(Lock::Catalogue, note, sql!("ALTER FUNCTION {}() OWNER TO stockade_owner", name));
        let note = "Nobody may attach the function to a table of their own.";
        steps.one_way(Lock::Catalogue, note, sql!("REVOKE ALL ON FUNCTION {}() FROM PUBLIC", name));
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
