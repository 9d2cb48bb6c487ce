//! The guards inside the database: what their functions say and which triggers call them.
//!
//! A posting takes a share lock on the row of its tenant in `stockade.rls_period_lock`; every change of a periods table
//! updates that row. So a close waits for the postings that are on their way, and a posting waits for a close and then
//! sees it; at the stricter isolation levels it fails with 40001 instead of reading an old snapshot. A lock on the
//! period's own row would not do: a period that is inserted or lengthened meanwhile is a row nobody locked.

use crate::catalogue::{Function, STOCKADE_OWNER, Trigger};
use crate::ident::{Ident, Literal};
use crate::model::{Model, PeriodGuard, Table};
use crate::refusal::Refusal;
use crate::sql::{Sql, sql};

/// The search path of every guard function; `pg_temp` at the end, or PostgreSQL would look there first.
const SEARCH_PATH: &str = "search_path=pg_catalog, pg_temp";

const ROW: i16 = 1;
const BEFORE: i16 = 1 << 1;
const INSERT: i16 = 1 << 2;
const DELETE: i16 = 1 << 3;
const UPDATE: i16 = 1 << 4;
const TRUNCATE: i16 = 1 << 5;

/// A function that should be in schema `stockade`.
#[derive(Debug)]
pub(crate) struct GuardFunction {
    pub(crate) name: Ident,
    pub(crate) body: Sql,
    pub(crate) definer: bool,
}

impl GuardFunction {
    pub(crate) fn qualified(&self) -> Sql {
        sql!("stockade.{}", self.name)
    }

    pub(crate) fn is_defined_as(&self, found: &Function) -> bool {
        found.body == self.body.as_str()
            && found.language == "plpgsql"
            && found.definer == self.definer
            && found.settings == [SEARCH_PATH]
    }

    pub(crate) fn is_kept_by(found: &Function) -> bool {
        found.owner == STOCKADE_OWNER && !found.executable
    }
}

/// A trigger that should be on a table, `ENABLE ALWAYS`.
#[derive(Debug)]
pub(crate) struct GuardTrigger {
    pub(crate) name: Ident,
    pub(crate) events: &'static str,
    pub(crate) level: &'static str,
    kind: i16,
    old_table: bool,
    new_table: bool,
    pub(crate) function: Ident,
    pub(crate) arguments: Vec<Literal>,
}

impl GuardTrigger {
    /// The clause that names the transition tables, or nothing.
    pub(crate) const fn referencing(&self) -> &'static str {
        match (self.old_table, self.new_table) {
            (true, true) => "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows ",
            (true, false) => "REFERENCING OLD TABLE AS old_rows ",
            (false, true) => "REFERENCING NEW TABLE AS new_rows ",
            (false, false) => "",
        }
    }

    /// PostgreSQL makes row triggers of a partitioned table on each partition. Statement triggers fire for the table that the
    /// statement names, so a partition has its own.
    pub(crate) fn is_inherited(&self) -> bool {
        self.level == "ROW"
    }

    pub(crate) fn is(&self, found: &Trigger) -> bool {
        let mut arguments = Vec::new();
        for argument in &self.arguments {
            arguments.extend_from_slice(argument.0.as_bytes());
            arguments.push(0);
        }
        found.function.0 == "stockade"
            && found.function.1 == self.function.as_str()
            && found.kind == self.kind
            && found.enabled == "A"
            && found.arguments == arguments
            && found.old_table.as_deref() == self.old_table.then_some("old_rows")
            && found.new_table.as_deref() == self.new_table.then_some("new_rows")
            && !found.conditional
    }
}

/// The functions that the declaration needs, each one once.
pub(crate) fn functions(model: &Model) -> Vec<GuardFunction> {
    let mut functions = Vec::new();
    if model.tables.iter().any(|table| table.append_only) || model.has_period_guard() {
        functions.push(GuardFunction { name: refuse_change(), body: refuse_change_body(), definer: false });
    }
    if model.has_period_guard() {
        functions.push(GuardFunction { name: period_change(), body: period_change_body(), definer: true });
    }
    for table in &model.tables {
        if let (Some(guard), Some(tenant), None) = (&table.period, table.tenant_column(), &table.child_of) {
            let body = period_guard_body(model, tenant, guard);
            functions.push(GuardFunction { name: period_guard(model, table), body, definer: true });
        }
    }
    functions
}

/// The triggers that the declaration needs on one table.
pub(crate) fn triggers(model: &Model, table: &Table) -> Vec<GuardTrigger> {
    let mut triggers = Vec::new();
    let mut refuse = |name, events, level, kind, why: &str| {
        triggers.push(GuardTrigger {
            name: Ident::own(name),
            events,
            level,
            kind,
            old_table: false,
            new_table: false,
            function: refuse_change(),
            arguments: vec![Literal(why.to_owned())],
        });
    };
    if table.append_only {
        let kind = ROW | BEFORE | UPDATE | DELETE;
        refuse("stockade_append_only", "BEFORE UPDATE OR DELETE", "ROW", kind, "append-only");
        refuse("stockade_append_only_all", "BEFORE TRUNCATE", "STATEMENT", BEFORE | TRUNCATE, "append-only");
    }
    if table.period.is_some() || table.holds_periods {
        refuse("stockade_period_all", "BEFORE TRUNCATE", "STATEMENT", BEFORE | TRUNCATE, "under a period guard");
    }
    if let Some(tenant) = table.tenant_column().filter(|_| table.holds_periods) {
        triggers.push(GuardTrigger {
            name: Ident::own("stockade_period_change"),
            events: "AFTER INSERT OR UPDATE OR DELETE",
            level: "ROW",
            kind: ROW | INSERT | UPDATE | DELETE,
            old_table: false,
            new_table: false,
            function: period_change(),
            arguments: vec![lock_key(model, table.root()), Literal::of(tenant)],
        });
    }
    if table.period.is_some() {
        let mut guard = |name, events, kind, old_table, new_table| {
            triggers.push(GuardTrigger {
                name: Ident::own(name),
                events,
                level: "STATEMENT",
                kind,
                old_table,
                new_table,
                function: period_guard(model, table),
                arguments: Vec::new(),
            });
        };
        guard("stockade_period_insert", "AFTER INSERT", INSERT, false, true);
        guard("stockade_period_update", "AFTER UPDATE", UPDATE, true, true);
        guard("stockade_period_delete", "AFTER DELETE", DELETE, true, false);
    }
    triggers
}

fn refuse_change() -> Ident {
    Ident::own("rls_refuse_change")
}

fn period_change() -> Ident {
    Ident::own("rls_period_change")
}

fn period_guard(model: &Model, table: &Table) -> Ident {
    Ident::derived("rls_period_guard", &model.schema, table.root())
}

/// What both sides of a period lock call it. A constant, so that renaming a table cannot part them.
fn lock_key(model: &Model, periods: &Ident) -> Literal {
    Literal([model.schema.as_str(), ".", periods.as_str()].concat())
}

fn code(refusal: Refusal) -> Literal {
    Literal(refusal.sqlstate().to_owned())
}

fn refuse_change_body() -> Sql {
    sql!(
        "
BEGIN
  RAISE EXCEPTION USING ERRCODE = {}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
    MESSAGE = format('%s.%s is %s: %s refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0], TG_OP);
END
",
        code(Refusal::Unchangeable)
    )
}

fn period_change_body() -> Sql {
    sql!(
        "
BEGIN
  INSERT INTO stockade.rls_period_lock AS l (periods, tenant_id)
  SELECT DISTINCT TG_ARGV[0], t.tenant_id
    FROM (VALUES ((to_jsonb(NEW) ->> TG_ARGV[1])::uuid), ((to_jsonb(OLD) ->> TG_ARGV[1])::uuid)) AS t (tenant_id)
   WHERE t.tenant_id IS NOT NULL
   ORDER BY t.tenant_id
  ON CONFLICT (periods, tenant_id) DO UPDATE SET changes = l.changes + 1;
  IF NOT FOUND THEN
    RAISE EXCEPTION USING ERRCODE = {}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('%s.%s refuses a period without a tenant', TG_TABLE_SCHEMA, TG_TABLE_NAME);
  END IF;
  RETURN NULL;
END
",
        code(Refusal::OutsideTenant)
    )
}

fn period_guard_body(model: &Model, tenant: &Ident, guard: &PeriodGuard) -> Sql {
    let date = &guard.date;
    let key = lock_key(model, &guard.periods);
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
      HINT = 'SET LOCAL stockade.tenant_id to the tenant of the rows.';
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
  closed_through := (SELECT max(p.{ends_on}) FROM {periods} p
                      WHERE p.{of} = context AND p.{closed_at} IS NOT NULL AND p.{ends_on} >= earliest);
  IF closed_through IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = {closed}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
      MESSAGE = format('%s.%s is closed through %s: %s of a row dated %s refused', TG_TABLE_SCHEMA, TG_TABLE_NAME,
                       closed_through, TG_OP, earliest);
  END IF;
  RETURN NULL;
END
",
        tenant = tenant,
        date = date,
        key = key,
        ends_on = guard.ends_on,
        closed_at = guard.closed_at,
        of = guard.tenant,
        periods = model.qualified(&guard.periods),
        outside = code(Refusal::OutsideTenant),
        undated = code(Refusal::Undated),
        closed = code(Refusal::ClosedPeriod),
    )
}
