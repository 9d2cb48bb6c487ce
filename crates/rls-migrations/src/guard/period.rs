//! What the functions of the period guards say.
//!
//! A posting takes a share lock on the row of its tenant in `stockade.rls_period_lock`; every change of a periods table
//! updates that row. So a close waits for the postings that are on their way, and a posting waits for a close and then
//! sees it; at the stricter isolation levels it fails with 40001 instead of reading an old snapshot. A lock on the
//! period's own row would not do: a period that is inserted or lengthened meanwhile is a row nobody locked.
//!
//! What lets a posting into a softly closed period, or a close be taken back, is a row of `stockade.rls_period_event` that the same
//! transaction has written. A row counts by the transaction's number and its time: numbers begin anew in a restored cluster.

use super::{GuardFunction, lock_key};
use crate::ident::{Ident, Literal};
use crate::model::{Model, PeriodColumns, PeriodGuard};
use crate::refusal::Refusal;
use crate::sql::{Sql, sql};

/// The log of adjustments and reopenings, with its policies and triggers.
pub(crate) fn event_table() -> Sql {
    Sql::fixed(include_str!("period_event.sql").trim_end())
}

/// Opens what is softly closed to the transaction that calls it.
pub(super) fn adjust() -> GuardFunction {
    permit("rls_adjust_period", "periods text, reason text", "adjust", &sql!("NULL"), &sql!("false"))
}

/// Lets the transaction that calls it take one close back.
pub(super) fn reopen() -> GuardFunction {
    let ends_on = sql!("rls_reopen_period.ends_on");
    let parameters = "periods text, ends_on date, reason text";
    permit("rls_reopen_period", parameters, "reopen", &ends_on, &sql!("{} IS NULL", ends_on))
}

fn permit(
    name: &'static str,
    parameters: &'static str,
    action: &'static str,
    ends_on: &Sql,
    undated: &Sql,
) -> GuardFunction {
    let body = sql!(
        "
#variable_conflict use_column
DECLARE
  context uuid := (SELECT c.tenant_id FROM stockade.current_tenant c);
BEGIN
  IF context IS NULL THEN
    RAISE EXCEPTION USING ERRCODE = {outside}, MESSAGE = 'a period is adjusted and reopened in the context of its tenant';
  END IF;
  IF ({name}.reason ~ '\\S' AND length({name}.reason) <= 1000) IS NOT TRUE OR {undated} THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'a period is adjusted and reopened for a reason, of at most 1000 characters';
  END IF;
  IF NOT EXISTS (SELECT FROM stockade.rls_period_lock l WHERE l.periods = {name}.periods AND l.tenant_id = context) THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'this tenant has no periods of that name',
      HINT = 'The name is schema.table, without quotes.';
  END IF;
  INSERT INTO stockade.rls_period_event (tenant_id, periods, action, ends_on, reason, actor_id)
  SELECT context, {name}.periods, {action}, {ends_on}, {name}.reason, (SELECT c.actor_id FROM stockade.current_actor c);
END
",
        outside = Literal(Refusal::OutsideTenant.sqlstate().to_owned()),
        name = Sql::fixed(name),
        undated = undated,
        action = Literal(action.to_owned()),
        ends_on = ends_on,
    );
    GuardFunction::permission(Ident::own(name), parameters, "void", body)
}

/// Whether this transaction has opened, for the tenant, what `action` says.
fn permitted(key: &Literal, tenant: &Sql, action: &Sql) -> Sql {
    sql!(
        "EXISTS (SELECT FROM stockade.rls_period_event e
                  WHERE e.tenant_id = {} AND e.at = now() AND e.xact = pg_current_xact_id()
                    AND e.periods = {} AND {})",
        tenant,
        key,
        action
    )
}

/// After each change of a periods table: takes the lock of its tenant, and refuses to take a close back.
pub(super) fn change_body(model: &Model, periods: &Ident, tenant: &Ident, columns: &PeriodColumns) -> Sql {
    let key = lock_key(model, periods);
    let softly = columns.soft_closed_at.as_ref();
    let was_soft = softly.map_or_else(|| sql!("false"), |soft| sql!("OLD.{} IS NOT NULL", soft));
    let softens = softly.map_or_else(|| sql!("false"), |soft| sql!("NEW.{} IS NULL", soft));
    let reopens = sql!("e.action = 'reopen' AND e.ends_on = OLD.{}", columns.ends_on);
    sql!(
        "
#variable_conflict use_column
BEGIN
  INSERT INTO stockade.rls_period_lock AS l (periods, tenant_id)
  SELECT DISTINCT {key}, t.tenant_id
    FROM (VALUES (NEW.{tenant}), (OLD.{tenant})) AS t (tenant_id)
   WHERE t.tenant_id IS NOT NULL
   ORDER BY t.tenant_id
  ON CONFLICT (periods, tenant_id) DO UPDATE SET changes = l.changes + 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = {outside}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('%s.%s refuses a period without a tenant', TG_TABLE_SCHEMA, TG_TABLE_NAME);
  END IF;
  IF TG_OP <> 'INSERT' AND OLD.{ends_on} IS NOT NULL AND (OLD.{closed_at} IS NOT NULL OR {was_soft}) THEN
    IF (TG_OP = 'DELETE'
        OR NEW.{tenant} IS DISTINCT FROM OLD.{tenant}
        OR (NEW.{ends_on} >= OLD.{ends_on}) IS NOT TRUE
        OR (NEW.{closed_at} IS NULL AND (OLD.{closed_at} IS NOT NULL OR {softens})))
       AND NOT {reopened} THEN
      RAISE EXCEPTION USING ERRCODE = {reopening}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
        MESSAGE = format('%s.%s is closed through %s: %s refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, OLD.{ends_on}, TG_OP),
        HINT = format('SELECT stockade.rls_reopen_period(%L, %L, reason) in the same transaction.', {key}, OLD.{ends_on});
    END IF;
  END IF;
  RETURN NULL;
END
",
        key = key,
        tenant = tenant,
        ends_on = columns.ends_on,
        closed_at = columns.closed_at,
        was_soft = was_soft,
        softens = softens,
        reopened = permitted(&key, &sql!("OLD.{}", tenant), &reopens),
        outside = code(Refusal::OutsideTenant),
        reopening = code(Refusal::Reopening),
    )
}

/// After each posting.
pub(super) fn guard_body(model: &Model, tenant: &Ident, guard: &PeriodGuard) -> Sql {
    let key = lock_key(model, &guard.periods);
    let columns = &guard.columns;
    let softly = columns.soft_closed_at.as_ref().map(|soft| soft_check(soft, &key));
    let (soft_column, soft_check) = softly.unwrap_or_else(|| (sql!("NULL"), sql!("")));
    sql!(
        "
#variable_conflict use_variable
DECLARE
  context uuid := (SELECT c.tenant_id FROM stockade.current_tenant c);
  seen bigint;
  outside boolean;
  undated boolean;
  earliest date;
  closed_through date;
  softly_through date;
BEGIN
  IF TG_OP = 'INSERT' THEN
    SELECT count(*), bool_or(r.{tenant} IS DISTINCT FROM context), bool_or(r.{date} IS NULL), min(r.{date})
      INTO seen, outside, undated, earliest
      FROM new_rows r;
  ELSIF TG_OP = 'UPDATE' THEN
    SELECT count(*), bool_or(r.tenant IS DISTINCT FROM context), bool_or(r.is_new AND r.dated IS NULL), min(r.dated)
      INTO seen, outside, undated, earliest
      FROM (SELECT o.{tenant}, o.{date}, false FROM old_rows o
             UNION ALL
            SELECT n.{tenant}, n.{date}, true FROM new_rows n) AS r (tenant, dated, is_new);
  ELSE
    SELECT count(*), bool_or(r.{tenant} IS DISTINCT FROM context), false, min(r.{date})
      INTO seen, outside, undated, earliest
      FROM old_rows r;
  END IF;
  IF seen = 0 THEN
    RETURN NULL;
  END IF;
  IF outside THEN
    RAISE EXCEPTION USING ERRCODE = {outside}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('%s.%s is under a period guard: %s outside the context of its tenant', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP),
      HINT = 'Open the transaction in the context of the tenant of the rows.';
  END IF;
  IF undated THEN
    RAISE EXCEPTION USING ERRCODE = {undated}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('%s.%s is under a period guard: %s of a row without a date', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP);
  END IF;
  LOOP
    PERFORM 1 FROM stockade.rls_period_lock l WHERE l.periods = {key} AND l.tenant_id = context FOR SHARE;
    EXIT WHEN FOUND;
    INSERT INTO stockade.rls_period_lock (periods, tenant_id) VALUES ({key}, context) ON CONFLICT DO NOTHING;
  END LOOP;
  SELECT max(p.{ends_on}) FILTER (WHERE p.{closed_at} IS NOT NULL), max(p.{ends_on}) FILTER (WHERE {soft_column} IS NOT NULL)
    INTO closed_through, softly_through
    FROM {periods} p
   WHERE p.{of} = context AND p.{ends_on} >= earliest;
  IF closed_through IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = {closed}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('%s.%s is closed through %s: %s of a row dated %s refused', TG_TABLE_SCHEMA, TG_TABLE_NAME,
                       closed_through, TG_OP, earliest);
  END IF;{soft_check}
  RETURN NULL;
END
",
        tenant = tenant,
        date = guard.date,
        key = key,
        ends_on = columns.ends_on,
        closed_at = columns.closed_at,
        soft_column = soft_column,
        soft_check = soft_check,
        of = guard.tenant,
        periods = model.qualified(&guard.periods),
        outside = code(Refusal::OutsideTenant),
        undated = code(Refusal::Undated),
        closed = code(Refusal::ClosedPeriod),
    )
}

/// The column that says that a period is softly closed, and what follows from it.
fn soft_check(column: &Ident, key: &Literal) -> (Sql, Sql) {
    let check = sql!(
        "
  IF softly_through IS NOT NULL AND NOT {permitted} THEN
    RAISE EXCEPTION USING ERRCODE = {soft}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('%s.%s is softly closed through %s: %s of a row dated %s needs an adjustment', TG_TABLE_SCHEMA, TG_TABLE_NAME,
                       softly_through, TG_OP, earliest),
      HINT = format('SELECT stockade.rls_adjust_period(%L, reason) in the same transaction.', {key});
  END IF;",
        permitted = permitted(key, &sql!("context"), &sql!("e.action = 'adjust'")),
        soft = code(Refusal::SoftlyClosed),
        key = key,
    );
    (sql!("p.{}", column), check)
}

fn code(refusal: Refusal) -> Literal {
    Literal(refusal.sqlstate().to_owned())
}
