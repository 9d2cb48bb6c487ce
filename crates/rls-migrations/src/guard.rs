//! The guards inside the database: their functions and which triggers call them.

mod period;
mod soft_delete;

use crate::catalogue::{Function, STOCKADE_OWNER, Shared, Trigger};
use crate::ident::{Ident, Literal};
use crate::model::{Model, Table};
use crate::refusal::Refusal;
use crate::sql::{Sql, sql};

pub(crate) use period::event_table;
pub(crate) use soft_delete::{undelete_call, view as deleted_view};

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
    name: Ident,
    pub(crate) parameters: Sql,
    pub(crate) returns: &'static str,
    pub(crate) body: Sql,
    pub(crate) definer: bool,
    callers: Callers,
}

/// Who may execute a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Callers {
    /// Triggers only.
    Nobody,
    /// Whoever was granted it: to execute it is the permission, so never `PUBLIC`.
    Granted,
}

impl GuardFunction {
    fn of_trigger(name: Ident, body: Sql) -> Self {
        Self { name, parameters: sql!(""), returns: "trigger", body, definer: true, callers: Callers::Nobody }
    }

    fn permission(name: Ident, parameters: &'static str, returns: &'static str, body: Sql) -> Self {
        Self { name, parameters: Sql::fixed(parameters), returns, body, definer: true, callers: Callers::Granted }
    }

    /// With its parameters, as SQL.
    pub(crate) fn signature(&self) -> Sql {
        sql!("stockade.{}({})", self.name, self.parameters)
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Whether every schema's guards share it, so that the last one takes it along.
    pub(crate) fn is_shared_permission(&self) -> bool {
        self.is_permission() && self.returns == "void"
    }

    /// Whether to execute it is a permission that somebody grants.
    pub(crate) fn is_permission(&self) -> bool {
        self.callers == Callers::Granted
    }

    pub(crate) fn found<'a>(&self, shared: &'a Shared) -> Option<&'a Function> {
        shared.functions.get(&(self.name.as_str().to_owned(), self.parameters.as_str().to_owned()))
    }

    pub(crate) fn is_defined_as(&self, found: &Function) -> bool {
        found.body == self.body.as_str()
            && found.language == "plpgsql"
            && found.returns == self.returns
            && found.definer == self.definer
            && found.settings == [SEARCH_PATH]
    }

    pub(crate) fn is_kept_by(&self, found: &Function) -> bool {
        let open = match self.callers {
            Callers::Nobody => found.executable,
            Callers::Granted => found.public,
        };
        found.owner == STOCKADE_OWNER && !open
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
        let refuse = GuardFunction::of_trigger(refuse_change(), refuse_change_body());
        functions.push(GuardFunction { definer: false, ..refuse });
    }
    if model.has_period_guard() {
        functions.extend([period::adjust(), period::reopen()]);
    }
    for table in &model.tables {
        let (Some(tenant), None) = (table.tenant_column(), &table.child_of) else { continue };
        if let Some(columns) = &table.holds_periods {
            let body = period::change_body(model, &table.name, tenant, columns);
            functions.push(GuardFunction::of_trigger(period_change(model, table), body));
        }
        if let Some(guard) = &table.period {
            let body = period::guard_body(model, tenant, guard);
            functions.push(GuardFunction::of_trigger(period_guard(model, table), body));
        }
    }
    for (table, deletion) in model.soft_deletes() {
        functions.push(soft_delete::stamp(model, table, deletion));
        functions.push(soft_delete::undelete(model, table, deletion));
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
    if table.period.is_some() || table.holds_periods.is_some() {
        refuse("stockade_period_all", "BEFORE TRUNCATE", "STATEMENT", BEFORE | TRUNCATE, "under a period guard");
    }
    if table.holds_periods.is_some() {
        triggers.push(GuardTrigger {
            name: Ident::own("stockade_period_change"),
            events: "AFTER INSERT OR UPDATE OR DELETE",
            level: "ROW",
            kind: ROW | INSERT | UPDATE | DELETE,
            old_table: false,
            new_table: false,
            function: period_change(model, table),
            arguments: Vec::new(),
        });
    }
    if table.soft_delete.is_some() {
        triggers.push(GuardTrigger {
            name: Ident::own("stockade_soft_delete"),
            events: "BEFORE UPDATE",
            level: "ROW",
            kind: ROW | BEFORE | UPDATE,
            old_table: false,
            new_table: false,
            function: soft_delete::stamp_name(model, table),
            arguments: Vec::new(),
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

fn period_change(model: &Model, table: &Table) -> Ident {
    Ident::derived("rls_period_change", &model.schema, table.root())
}

fn period_guard(model: &Model, table: &Table) -> Ident {
    Ident::derived("rls_period_guard", &model.schema, table.root())
}

/// What both sides of a period lock call it. A constant, so that renaming a table cannot part them.
fn lock_key(model: &Model, periods: &Ident) -> Literal {
    Literal([model.schema.as_str(), ".", periods.as_str()].concat())
}

fn refuse_change_body() -> Sql {
    sql!(
        "
BEGIN
  RAISE EXCEPTION USING ERRCODE = {}, SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
    MESSAGE = format('%s.%s is %s: %s refused', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_ARGV[0], TG_OP);
END
",
        Literal(Refusal::Unchangeable.sqlstate().to_owned())
    )
}
