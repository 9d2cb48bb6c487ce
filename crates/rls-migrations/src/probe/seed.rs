//! Canary rows: two of tenants that nobody has.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use super::facts::{Column, Facts, Source, typed};
use super::value::{self, Numbers};
use crate::ident::{Ident, Literal};
use crate::model::{Model, Table};
use crate::sql::{Sql, sql};

/// One of the two tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    A,
    B,
}

impl Who {
    /// The variant of the values of this tenant's canary row. Rows that attempts insert have the third.
    pub(super) const fn variant(self) -> u32 {
        match self {
            Self::A => 1,
            Self::B => 2,
        }
    }
}

/// The variant of a row that an attempt inserts.
pub(super) const FRESH: u32 = 3;

/// How the columns of a row are filled. Several are tried, because a `CHECK` cannot be solved in general.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filling {
    /// Only what must be given.
    Least,
    /// Every column without a default.
    Most,
    /// What must be given, and constants out of the checks.
    Checked(Vec<(String, String)>),
    /// Columns that are in no key as in a row that is there.
    Copied,
}

/// What became of a table's canary rows.
#[derive(Debug, Clone)]
pub(super) enum Seeded {
    Rows {
        filling: Filling,
        /// The physical address of B's row, if the administrator may know it.
        ctid: Option<Literal>,
    },
    Failed(String),
}

/// The two tenants and the tables that they get rows in.
#[derive(Debug)]
pub(super) struct Canaries<'a> {
    pub(super) model: &'a Model,
    pub(super) facts: &'a BTreeMap<String, Facts>,
    pub(super) numbers: Numbers,
    pub(super) a: Literal,
    pub(super) b: Literal,
    pub(super) seeded: BTreeMap<String, Seeded>,
}

impl Canaries<'_> {
    pub(super) fn tenant(&self, who: Who) -> Sql {
        let id = match who {
            Who::A => &self.a,
            Who::B => &self.b,
        };
        sql!("{}::pg_catalog.uuid", id)
    }

    pub(super) fn tenant_table(&self, schema: &str, table: &str) -> Option<(&Table, &Facts, &Ident)> {
        let entry = self.model.table(table).filter(|_| schema == self.model.schema.as_str())?;
        Some((entry, self.facts.get(table)?, entry.tenant_column()?))
    }

    /// The tenant tables, parents before children. A circle is broken where it is entered.
    pub(super) fn order(&self) -> Vec<String> {
        let mut done = BTreeSet::new();
        let mut order = Vec::new();
        for table in &self.model.tables {
            self.visit(table.name.as_str(), &mut done, &mut order);
        }
        order
    }

    fn visit(&self, name: &str, done: &mut BTreeSet<String>, order: &mut Vec<String>) {
        let Some((_, facts, _)) = self.tenant_table(self.model.schema.as_str(), name) else { return };
        if !done.insert(name.to_owned()) {
            return;
        }
        for key in &facts.keys {
            if key.parent.0 == self.model.schema.as_str() {
                self.visit(&key.parent.1, done, order);
            }
        }
        order.push(name.to_owned());
    }

    /// An `INSERT` of one row. `Err` says why there can be none.
    pub(super) fn insert(&self, table: &str, row: &RowOf<'_>) -> Result<Sql, String> {
        let (columns, values, overriding) = self.values(table, row)?;
        let facts = self.facts.get(table).ok_or_else(|| "it is not an ordinary table".to_owned())?;
        let into = row.into.unwrap_or(&facts.qualified);
        Ok(sql!("INSERT INTO {} ({}){} VALUES ({})", into, columns, overriding, values))
    }

    /// The columns, their values, and `OVERRIDING SYSTEM VALUE` where an identity column is among them.
    pub(super) fn values(&self, table: &str, row: &RowOf<'_>) -> Result<(Sql, Sql, Sql), String> {
        let missing = || "it is not an ordinary table".to_owned();
        let (entry, facts, tenant) = self.tenant_table(self.model.schema.as_str(), table).ok_or_else(missing)?;
        let (mut columns, mut values, mut identity) = (Vec::new(), Vec::new(), false);
        for column in &facts.columns {
            let name = column.name.as_str();
            let given = row.given.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone());
            if given.is_none() && !self.is_given(entry, facts, tenant, column, row.filling) {
                continue;
            }
            let value = match given {
                Some(value) => value,
                None if column.name == *tenant => row.tenant.clone(),
                None => self
                    .value(facts, column, row)
                    .ok_or_else(|| format!("no value is known for column `{}`", name.escape_debug()))?,
            };
            identity |= column.source == Source::Identity;
            columns.push(column.name.clone());
            values.push(value);
        }
        let overriding = if identity { sql!(" OVERRIDING SYSTEM VALUE") } else { sql!("") };
        Ok((Sql::list(columns), Sql::list(values), overriding))
    }

    fn is_given(&self, entry: &Table, facts: &Facts, tenant: &Ident, column: &Column, filling: &Filling) -> bool {
        let checked = match filling {
            Filling::Least => false,
            Filling::Most => column.source == Source::Nowhere,
            Filling::Checked(values) => values.iter().any(|(name, _)| name == column.name.as_str()),
            Filling::Copied => column.source == Source::Nowhere && !column.unique,
        };
        let hangs = facts.key_of(column.name.as_str()).is_some_and(|(key, _)| {
            key.parent.1 != facts.name.as_str() && self.tenant_table(&key.parent.0, &key.parent.1).is_some()
        });
        let dated = entry.period.as_ref().is_some_and(|period| period.date == column.name);
        let filled = matches!(column.source, Source::Sequence | Source::Identity);
        let required = column.not_null && column.source == Source::Nowhere;
        column.source != Source::Generated
            && (column.name == *tenant || column.unique || required || checked || hangs || dated || filled)
    }

    fn value(&self, facts: &Facts, column: &Column, row: &RowOf<'_>) -> Option<Sql> {
        let name = column.name.as_str();
        if let Some((key, reference)) = facts.key_of(name) {
            let reference = Ident::new(reference).ok()?;
            let Some((_, parent, tenant)) = self.tenant_table(&key.parent.0, &key.parent.1) else {
                let (schema, parent) = (Ident::new(&key.parent.0).ok()?, Ident::new(&key.parent.1).ok()?);
                return Some(sql!("(SELECT r.{} FROM {}.{} r LIMIT 1)", reference, schema, parent));
            };
            if parent.name != facts.name {
                return match row.parents {
                    Parents::Found => Some(sql!(
                        "(SELECT r.{} FROM {} r WHERE r.{} = {} LIMIT 1)",
                        reference,
                        parent.qualified,
                        tenant,
                        row.tenant
                    )),
                    Parents::Of(who) => self.seeded_value(&key.parent.1, reference.as_str(), who, 0),
                };
            }
        }
        self.plain_value(facts, column, row.filling, row.variant)
    }

    fn plain_value(&self, facts: &Facts, column: &Column, filling: &Filling, variant: u32) -> Option<Sql> {
        let chosen = match filling {
            Filling::Checked(values) => values.iter().find(|(name, _)| name == column.name.as_str()),
            Filling::Copied if !column.unique && column.source == Source::Nowhere => {
                return Some(sql!("(SELECT r.{} FROM {} r LIMIT 1)", column.name, facts.qualified));
            }
            _ => None,
        };
        let text = chosen.map(|(_, value)| value.clone());
        let text = text.or_else(|| value::of(column, self.numbers, variant))?;
        Some(typed(text, column))
    }

    /// The value that a column of a seeded row has, without reading it.
    pub(super) fn seeded_value(&self, table: &str, column: &str, who: Who, depth: usize) -> Option<Sql> {
        const DEEPEST: usize = 16;
        let (_, facts, tenant) = self.tenant_table(self.model.schema.as_str(), table)?;
        if column == tenant.as_str() {
            return Some(self.tenant(who));
        }
        if let Some((key, reference)) = facts.key_of(column)
            && depth < DEEPEST
            && key.parent.1 != table
            && self.tenant_table(&key.parent.0, &key.parent.1).is_some()
        {
            return self.seeded_value(&key.parent.1, reference, who, depth + 1);
        }
        let Some(Seeded::Rows { filling, .. }) = self.seeded.get(table) else { return None };
        self.plain_value(facts, facts.column(column)?, filling, who.variant())
    }

    /// The ways to fill a row of this table, in the order in which they are tried.
    pub(super) fn fillings(&self, table: &str) -> Vec<Filling> {
        let checked = self.facts.get(table).map(value::candidates).unwrap_or_default();
        let mut fillings = vec![Filling::Least, Filling::Most];
        fillings.extend(checked.into_iter().map(Filling::Checked));
        fillings.push(Filling::Copied);
        fillings
    }
}

/// A row to insert.
#[derive(Debug, Clone)]
pub(super) struct RowOf<'a> {
    pub(super) tenant: Sql,
    pub(super) variant: u32,
    pub(super) parents: Parents,
    pub(super) filling: &'a Filling,
    /// Values that are to be these.
    pub(super) given: Vec<(String, Sql)>,
    /// A view or a partition instead of the table.
    pub(super) into: Option<&'a Sql>,
}

/// Which parents a row hangs from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parents {
    /// The tenant's own, looked up by the statement.
    Found,
    /// The canary rows of this tenant.
    Of(Who),
}

/// Statements of which the first one that works is kept, table by table. Gives for each table the number of the one that worked and
/// the address of the row, or the first SQLSTATE.
pub(super) async fn plant(
    enter: &Sql,
    tables: &[Vec<Sql>],
    conn: &mut PgConnection,
) -> Result<Vec<Result<(usize, String), String>>, sqlx::Error> {
    let mut program = Vec::new();
    for statements in tables {
        for (number, statement) in statements.iter().enumerate() {
            let mark = if number == 0 { sql!("t{}", statement) } else { sql!("c{}", statement) };
            program.push(Literal(mark.as_str().to_owned()));
        }
    }
    if program.is_empty() {
        return Ok(Vec::new());
    }
    let body = sql!(
        "
DECLARE
  program text[] := ARRAY[{program}];
  seen text[] := '{{}}';
  step text;
  address text;
  number int;
  planted boolean := true;
BEGIN
  EXECUTE {enter};
  FOREACH step IN ARRAY program LOOP
    IF pg_catalog.left(step, 1) = 't' THEN
      seen := pg_catalog.array_append(seen, '');
      planted := false;
      number := 0;
    END IF;
    IF NOT planted THEN
      BEGIN
        address := '';
        EXECUTE pg_catalog.substr(step, 2) INTO STRICT address;
        planted := true;
        seen[pg_catalog.cardinality(seen)] := pg_catalog.concat('=', number, address);
      EXCEPTION
        WHEN OTHERS THEN
          -- The first way is the plainest one, so its failure says most.
          IF seen[pg_catalog.cardinality(seen)] = '' THEN
            seen[pg_catalog.cardinality(seen)] := SQLSTATE;
          END IF;
      END;
      number := number + 1;
    END IF;
  END LOOP;
  EXECUTE pg_catalog.format('SET LOCAL stockade.probe_seen = %L', pg_catalog.array_to_string(seen, ' '));
END
",
        program = Sql::list(program),
        enter = Literal(enter.as_str().to_owned()),
    );
    let program = sql!("DO {}; SELECT pg_catalog.current_setting('stockade.probe_seen')", body.dollar_quoted());
    let answer = program.answer(conn).await?;
    let outcome = |answer: &str| match answer.strip_prefix('=') {
        Some(found) => {
            let end = found.find('(').unwrap_or(found.len());
            let (number, address) = found.split_at(end);
            Ok((number.parse().unwrap_or(0), address.to_owned()))
        }
        None => Err(answer.to_owned()),
    };
    Ok(answer.split(' ').map(outcome).collect())
}
