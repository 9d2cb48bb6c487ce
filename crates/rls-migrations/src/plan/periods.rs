//! The tables behind the period guards: their lock, and the log of adjustments and reopenings.

use super::Lock;
use super::grants::{Target, reconcile};
use super::steps::{Steps, drop_if_unused};
use crate::catalogue::{Catalogue, Grants, PeriodEvent};
use crate::guard;
use crate::model::Model;
use crate::sql::{Sql, sql};

pub(super) fn plan_lock(catalogue: &Catalogue, steps: &mut Steps) {
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

pub(super) fn plan_events(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    let found = catalogue.shared.period_event.as_ref();
    let note =
        "Who let a posting into a softly closed period or took a close back, and why. A tenant's own, and append-only.";
    if found.is_none() {
        let drop = sql!(
            "-- Whatever was logged stays.
    ALTER TABLE stockade.rls_period_event NO FORCE ROW LEVEL SECURITY;
    IF EXISTS (SELECT FROM stockade.rls_period_event) THEN
      ALTER TABLE stockade.rls_period_event FORCE ROW LEVEL SECURITY;
    ELSE
      DROP TABLE stockade.rls_period_event;
    END IF"
        );
        steps.step(Lock::Catalogue, note, guard::event_table(), drop_if_unused(&unless_used(&drop)));
    } else if !found.is_some_and(PeriodEvent::is_whole) {
        steps.one_way(Lock::Catalogue, note, guard::event_table());
    }
    let target = Target::Table(sql!("stockade.rls_period_event"));
    let (none, mut reading) = (Grants::default(), Steps::default());
    let grants = found.map_or(&none, |found| &found.grants);
    reconcile(&target, None, grants, &[], &mut reading);
    for role in [&model.app, &model.reader] {
        reconcile(&target, Some(role), grants, &["SELECT"], &mut reading);
    }
    // Not undone: another schema may have the same roles.
    steps.append(reading.without_undo());
}

/// Runs `drop` when no period guard of any schema is left.
pub(super) fn unless_used(drop: &Sql) -> Sql {
    sql!(
        "IF NOT EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgname = 'stockade_period_change') THEN
    {};
  END IF",
        drop
    )
}
