//! A declaration with its names checked and its lines joined, one entry a table.

use std::collections::BTreeSet;

use crate::catalogue::STOCKADE_OWNER;
use crate::context::Context;
use crate::declaration::{Hardening, Parent, Periods, Privilege};
use crate::error::{Error, Name, Repr};
use crate::ident::Ident;
use crate::schema::{Declared, Schema};
use crate::sql::{Sql, sql};

mod children;
mod keys;
mod rows;

pub(crate) use rows::RowRule;

const DEFAULT_TENANT_COLUMN: &str = "tenant_id";

#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) schema: Ident,
    pub(crate) owner: Ident,
    pub(crate) app: Ident,
    pub(crate) reader: Ident,
    pub(crate) migrator: Option<Ident>,
    pub(crate) backup: Option<Ident>,
    pub(crate) purge: Option<Ident>,
    pub(crate) eraser: Option<Ident>,
    pub(crate) tables: Vec<Table>,
    pub(crate) hardening: BTreeSet<Hardening>,
    pub(crate) context: Context,
    /// There when a table has soft deletion.
    pub(crate) investigator: Option<Ident>,
}

#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: Ident,
    /// The declared table whose partition, or child by inheritance, this one is.
    pub(crate) child_of: Option<Ident>,
    pub(crate) kind: Kind,
    pub(crate) append_only: bool,
    pub(crate) period: Option<PeriodGuard>,
    /// How other tables' period guards read this one, if they do.
    pub(crate) holds_periods: Option<PeriodColumns>,
    pub(crate) soft_delete: Option<SoftDelete>,
    pub(crate) app_may: BTreeSet<Privilege>,
    /// Each set of columns that is unique within a tenant.
    pub(crate) unique: Vec<Vec<Ident>>,
    pub(crate) rows: Vec<RowRule>,
}

#[derive(Debug, Clone)]
pub(crate) struct SoftDelete {
    pub(crate) column: Ident,
    /// The view over the deleted rows.
    pub(crate) view: Ident,
}

#[derive(Debug, Clone)]
pub(crate) enum Kind {
    Tenant { column: Ident, parent: Option<ParentKey> },
    Shared,
    Exempt { reason: String },
}

#[derive(Debug, Clone)]
pub(crate) struct ParentKey {
    pub(crate) table: Ident,
    pub(crate) tenant: Ident,
    pub(crate) column: Ident,
    pub(crate) references: Ident,
}

#[derive(Debug, Clone)]
pub(crate) struct PeriodGuard {
    pub(crate) date: Ident,
    pub(crate) periods: Ident,
    pub(crate) tenant: Ident,
    pub(crate) columns: PeriodColumns,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeriodColumns {
    pub(crate) ends_on: Ident,
    pub(crate) closed_at: Ident,
    pub(crate) soft_closed_at: Option<Ident>,
}

impl Model {
    pub(crate) fn resolve(schema: &Schema) -> Result<Self, Error> {
        let name = Ident::new(&schema.name)?;
        if matches!(name.as_str(), "stockade" | "information_schema") || name.as_str().starts_with("pg_") {
            return Err(contradiction(&name, "this schema is not the application's"));
        }
        let optional = |role: &Option<String>| role.as_ref().map(Ident::role).transpose();
        let mut model = Self {
            schema: name,
            owner: Ident::role(schema.roles.owner())?,
            app: Ident::role(schema.roles.app())?,
            reader: Ident::role(schema.roles.reader())?,
            migrator: optional(&schema.roles.migrator)?,
            backup: optional(&schema.roles.backup)?,
            purge: optional(&schema.roles.purge)?,
            eraser: optional(&schema.roles.eraser)?,
            tables: Vec::new(),
            hardening: schema.hardening.clone(),
            context: schema.context,
            investigator: None,
        };
        let mut roles = BTreeSet::from([STOCKADE_OWNER]);
        if let Some(twice) = model.roles().find(|role| !roles.insert(role.as_str())) {
            return Err(contradiction(twice, "each duty has a role of its own"));
        }
        model.declare_kinds(schema)?;
        model.declare_guards(schema)?;
        model.declare_privileges(schema)?;
        model.declare_keys(schema)?;
        model.declare_rows(schema)?;
        Ok(model)
    }

    /// Every declared role, the owner first.
    pub(crate) fn roles(&self) -> impl Iterator<Item = &Ident> {
        let optional = [&self.migrator, &self.backup, &self.purge, &self.eraser, &self.investigator];
        [&self.owner, &self.app, &self.reader].into_iter().chain(optional.into_iter().flatten())
    }

    /// The roles that reach tenant tables, each inside a tenant's context only.
    pub(crate) fn users(&self) -> impl Iterator<Item = &Ident> {
        [&self.app, &self.reader].into_iter().chain(self.purge.iter()).chain(self.eraser.iter())
    }

    /// The qualified name of a table of the schema.
    pub(crate) fn qualified(&self, table: &Ident) -> Sql {
        sql!("{}.{}", self.schema, table)
    }

    pub(crate) fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.as_str() == name)
    }

    pub(crate) fn has_period_guard(&self) -> bool {
        self.tables.iter().any(|table| table.period.is_some())
    }

    /// The tables with soft deletion.
    pub(crate) fn soft_deletes(&self) -> impl Iterator<Item = (&Table, &SoftDelete)> {
        let roots = self.tables.iter().filter(|table| table.child_of.is_none());
        roots.filter_map(|table| Some((table, table.soft_delete.as_ref()?)))
    }

    fn declare_kinds(&mut self, schema: &Schema) -> Result<(), Error> {
        let mut parents = Vec::new();
        for statement in &schema.statements {
            let (table, kind) = match statement {
                Declared::Tenant { table, column, parent } => {
                    if let Some(parent) = parent {
                        parents.push((table, parent));
                    }
                    (table, Kind::Tenant { column: Ident::new(&column.0)?, parent: None })
                }
                Declared::Shared { table } => (table, Kind::Shared),
                Declared::Exempt { table, reason } => (table, Kind::Exempt { reason: reason.clone() }),
                Declared::AppendOnly { .. }
                | Declared::PeriodGuard { .. }
                | Declared::SoftDelete { .. }
                | Declared::AppMay { .. }
                | Declared::UniquePerTenant { .. }
                | Declared::RowPolicy { .. } => continue,
            };
            let name = Ident::new(table)?;
            if self.table(table).is_some() {
                return Err(contradiction(&name, "declared twice"));
            }
            if matches!(&kind, Kind::Exempt { reason } if reason.trim().is_empty()) {
                return Err(contradiction(&name, "an exemption needs a reason"));
            }
            self.tables.push(Table::new(name, kind));
        }
        for (table, parent) in parents {
            let key = self.parent_key(parent)?;
            if let Kind::Tenant { parent, .. } = &mut self.entry(table)?.kind {
                *parent = Some(key);
            }
        }
        Ok(())
    }

    fn declare_guards(&mut self, schema: &Schema) -> Result<(), Error> {
        for statement in &schema.statements {
            match statement {
                Declared::AppendOnly { table } => {
                    let entry = self.entry_or_tenant(table)?;
                    if matches!(entry.kind, Kind::Exempt { .. }) {
                        return Err(contradiction(&entry.name, "exempt and append-only"));
                    }
                    entry.append_only = true;
                }
                Declared::PeriodGuard { table, date, periods } => {
                    let date = Ident::new(&date.0)?;
                    let guard = self.guard(date, periods)?;
                    let entry = self.entry_or_tenant(table)?;
                    if entry.tenant_column().is_none() {
                        return Err(contradiction(&entry.name, "a period guard needs a tenant table"));
                    }
                    if entry.period.replace(guard).is_some() {
                        return Err(contradiction(&entry.name, "has two period guards"));
                    }
                }
                Declared::SoftDelete { table, column } => {
                    let deletion =
                        SoftDelete { column: Ident::new(column)?, view: Ident::new(format!("{table}_deleted"))? };
                    let investigator = Ident::role(schema.roles.investigator())?;
                    if [&self.owner, &self.app, &self.reader].contains(&&investigator) {
                        return Err(contradiction(&investigator, "the investigator is a role of its own"));
                    }
                    self.investigator = Some(investigator);
                    let entry = self.entry(table)?;
                    if entry.tenant_column().is_none() {
                        return Err(contradiction(&entry.name, "soft deletion needs a tenant table"));
                    }
                    if entry.soft_delete.replace(deletion).is_some() {
                        return Err(contradiction(&entry.name, "is deleted softly in two ways"));
                    }
                }
                _ => {}
            }
        }
        if let Some(table) = self.tables.iter().find(|table| table.append_only && table.soft_delete.is_some()) {
            return Err(contradiction(&table.name, "append-only and deleted softly"));
        }
        let circular = self.tables.iter().find(|table| table.period.is_some() && table.holds_periods.is_some());
        circular.map_or(Ok(()), |table| Err(contradiction(&table.name, "a periods table cannot be guarded by periods")))
    }

    fn declare_privileges(&mut self, schema: &Schema) -> Result<(), Error> {
        for table in &mut self.tables {
            table.app_may = match &table.kind {
                Kind::Tenant { .. } if table.soft_delete.is_some() => {
                    [Privilege::Select, Privilege::Insert, Privilege::Update].into()
                }
                Kind::Tenant { .. } if !table.append_only => Privilege::ALL.into(),
                Kind::Tenant { .. } => [Privilege::Select, Privilege::Insert].into(),
                Kind::Shared => [Privilege::Select].into(),
                Kind::Exempt { .. } => BTreeSet::new(),
            };
        }
        let mut named = BTreeSet::new();
        for statement in &schema.statements {
            let Declared::AppMay { table, privileges } = statement else { continue };
            let entry = self.entry(table)?;
            if !named.insert(table) {
                return Err(contradiction(&entry.name, "its privileges are declared twice"));
            }
            if matches!(entry.kind, Kind::Exempt { .. }) {
                return Err(contradiction(&entry.name, "the plan leaves an exempt table alone"));
            }
            let changes = [Privilege::Update, Privilege::Delete];
            if entry.append_only && changes.iter().any(|change| privileges.contains(change)) {
                return Err(contradiction(&entry.name, "append-only, and the application may change it"));
            }
            if entry.soft_delete.is_some() && privileges.contains(&Privilege::Delete) {
                return Err(contradiction(&entry.name, "deleted softly, and the application may delete it"));
            }
            entry.app_may.clone_from(privileges);
        }
        Ok(())
    }

    fn parent_key(&self, parent: &Parent) -> Result<ParentKey, Error> {
        let table = Ident::new(&parent.table)?;
        let tenant = self.table(&parent.table).and_then(Table::tenant_column);
        let tenant = tenant.ok_or_else(|| contradiction(&table, "a parent must be a declared tenant table"))?;
        Ok(ParentKey {
            tenant: tenant.clone(),
            table,
            column: Ident::new(&parent.column)?,
            references: Ident::new(&parent.references)?,
        })
    }

    fn guard(&mut self, date: Ident, periods: &Periods) -> Result<PeriodGuard, Error> {
        let entry = self.entry_or_tenant(&periods.table)?;
        let Some(tenant) = entry.tenant_column().cloned() else {
            return Err(contradiction(&entry.name, "a periods table must be a tenant table"));
        };
        let columns = PeriodColumns {
            ends_on: Ident::new(&periods.ends_on)?,
            closed_at: Ident::new(&periods.closed_at)?,
            soft_closed_at: periods.soft_closed_at.as_ref().map(Ident::new).transpose()?,
        };
        if entry.holds_periods.replace(columns.clone()).is_some_and(|former| former != columns) {
            return Err(contradiction(&entry.name, "its periods are declared in two ways"));
        }
        Ok(PeriodGuard { date, periods: entry.name.clone(), tenant, columns })
    }

    fn entry(&mut self, table: &str) -> Result<&mut Table, Error> {
        let name = Ident::new(table)?;
        let found = self.tables.iter_mut().find(|entry| entry.name == name);
        found.ok_or_else(|| contradiction(&name, "named, but not declared"))
    }

    fn entry_or_tenant(&mut self, table: &str) -> Result<&mut Table, Error> {
        if self.table(table).is_none() {
            let column = Ident::own(DEFAULT_TENANT_COLUMN);
            self.tables.push(Table::new(Ident::new(table)?, Kind::Tenant { column, parent: None }));
        }
        self.entry(table)
    }
}

impl Table {
    fn new(name: Ident, kind: Kind) -> Self {
        Self {
            name,
            child_of: None,
            kind,
            append_only: false,
            period: None,
            holds_periods: None,
            soft_delete: None,
            app_may: BTreeSet::new(),
            unique: Vec::new(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn tenant_column(&self) -> Option<&Ident> {
        match &self.kind {
            Kind::Tenant { column, .. } => Some(column),
            Kind::Shared | Kind::Exempt { .. } => None,
        }
    }

    pub(crate) fn is_exempt(&self) -> bool {
        matches!(self.kind, Kind::Exempt { .. })
    }
}

fn contradiction(name: &Ident, why: &str) -> Error {
    Repr::Declaration { name: Name(name.as_str().to_owned()), why: why.to_owned() }.into()
}

#[cfg(test)]
mod tests;
