//! A declaration as a TOML document.

mod rows;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;

use crate::context::Context;
use crate::declaration::{DateColumn, Hardening, Parent, Periods, Privilege, TenantColumn};
use crate::error::{Error, Repr};
use crate::ident::Ident;
use crate::model::Model;
use crate::roles::Roles;
use crate::schema::{Declared, Schema};
use rows::Rows;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: Name,
    #[serde(skip_serializing_if = "Option::is_none")]
    harden: Option<BTreeSet<Hardening>>,
    #[serde(default, skip_serializing_if = "Context::is_default")]
    context: Context,
    roles: RoleNames,
    #[serde(default)]
    tables: BTreeMap<Spanned<Name>, Table>,
}

/// Either all of the names, or `for_app` and those that differ from what it gives.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleNames {
    #[serde(skip_serializing)]
    for_app: Option<Name>,
    owner: Option<RoleName>,
    app: Option<RoleName>,
    reader: Option<RoleName>,
    migrator: Option<RoleName>,
    backup: Option<RoleName>,
    purge: Option<RoleName>,
    eraser: Option<RoleName>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    tenant: Option<Name>,
    parent: Option<ParentKey>,
    #[serde(default, skip_serializing_if = "is_absent")]
    shared: bool,
    exempt: Option<String>,
    #[serde(default, skip_serializing_if = "is_absent")]
    append_only: bool,
    period_guard: Option<PeriodGuard>,
    soft_delete: Option<Name>,
    app_may: Option<BTreeSet<Privilege>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unique_per_tenant: Vec<Vec<Name>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    row_policies: Vec<Rows>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ParentKey {
    table: Name,
    column: Name,
    references: Name,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeriodGuard {
    date: Name,
    periods: Name,
    ends_on: Option<Name>,
    closed_at: Option<Name>,
    soft_closed_at: Option<Name>,
}

/// A name, checked where it stands, so that an error has its line.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Name(String);

#[derive(Serialize)]
struct RoleName(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ident = Ident::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)?;
        Ok(Self(ident.as_str().to_owned()))
    }
}

impl<'de> Deserialize<'de> for RoleName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ident = Ident::role(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)?;
        Ok(Self(ident.as_str().to_owned()))
    }
}

impl Schema {
    /// Reads a declaration from a TOML document. Unlike the one that is written in Rust, it is checked at once.
    ///
    /// ```
    /// # fn main() -> Result<(), stockade_rls_migrations::Error> {
    /// use stockade_rls_migrations::{Roles, Schema, by, date, parent, periods};
    ///
    /// let schema = Schema::from_toml(r#"
    /// schema = "freight"
    /// roles.for_app = "freight"       # or: roles = { owner = "..", app = "..", reader = ".." }
    /// roles.backup = "freight_backup" # and `migrator`, `purge`, `eraser`: only where they are wanted
    /// harden = ["set_config"]         # absent: all of them
    /// # context = "lease"             # absent: "setting"
    ///
    /// [tables]
    /// loads = { tenant = "tenant_id", app_may = ["select", "insert"], unique_per_tenant = [["reference"]], row_policies = [
    ///     { name = "own", command = "insert", check = "owner_id = (SELECT a.actor_id FROM stockade.current_actor a)" },
    /// ] }
    /// stops = { tenant = "tenant_id", parent = { table = "loads", column = "load_id", references = "id" } }
    /// load_note = { append_only = true }
    /// gl_posting = { tenant = "tenant_id", period_guard = { date = "posted_on", periods = "fiscal_period" } }
    /// countries = { shared = true }
    /// _sqlx_migrations = { exempt = "the ledger of sqlx" }
    /// "#)?;
    /// # use stockade_rls_migrations::{Hardening, Privilege, RowPolicy};
    /// # assert_eq!(schema, Schema::new("freight", Roles::for_app("freight").with_backup("freight_backup"))
    /// #     .harden([Hardening::SetConfig])
    /// #     .tenant_table("loads", by("tenant_id"))
    /// #     .app_may("loads", [Privilege::Select, Privilege::Insert])
    /// #     .unique_per_tenant("loads", ["reference"])
    /// #     .row_policies("loads", [RowPolicy::insert("own", "owner_id = (SELECT a.actor_id FROM stockade.current_actor a)")])
    /// #     .tenant_table_via("stops", by("tenant_id"), parent("loads").on("load_id", "id"))
    /// #     .append_only("load_note")
    /// #     .tenant_table("gl_posting", by("tenant_id"))
    /// #     .period_guard("gl_posting", date("posted_on"), periods("fiscal_period"))
    /// #     .shared_reference("countries")
    /// #     .exempt("_sqlx_migrations", "the ledger of sqlx"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Declaration`](crate::ErrorKind::Declaration), with the line: the text is no TOML, has a key that is not known, or
    /// declares what contradicts itself.
    #[cfg_attr(docsrs, doc(cfg(feature = "toml")))]
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let document: Document = toml::from_str(text).map_err(|error| {
            let words = error.message().split(|c: char| c.is_whitespace() || c.is_control());
            let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
            refusal(line(text, error.span()), words.join(" "))
        })?;
        let places: Vec<(String, Option<usize>)> =
            document.tables.keys().map(|key| (key.get_ref().0.clone(), line(text, Some(key.span())))).collect();
        let place = |name: &str| places.iter().find(|(table, _)| table == name).and_then(|(_, line)| *line);
        let schema = document.declare(place)?;
        match Model::resolve(&schema) {
            Ok(_) => Ok(schema),
            Err(error) => Err(refusal(error.name().and_then(place), error.to_string())),
        }
    }

    /// The declaration as a TOML document, which [`from_toml`](Self::from_toml) reads back.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Declaration`](crate::ErrorKind::Declaration): the declaration contradicts itself.
    #[cfg_attr(docsrs, doc(cfg(feature = "toml")))]
    pub fn to_toml(&self) -> Result<String, Error> {
        Model::resolve(self)?;
        toml::to_string(&Document::of(self)).map_err(|error| refusal(None, error.to_string()))
    }
}

impl Document {
    fn of(schema: &Schema) -> Self {
        let Schema { name, roles, statements, hardening, context } = schema;
        let mut tables: BTreeMap<Spanned<Name>, Table> = BTreeMap::new();
        for statement in statements {
            let key = Spanned::new(0..0, Name(statement.table().to_owned()));
            tables.entry(key).or_default().describe(statement);
        }
        Self {
            schema: Name(name.clone()),
            harden: (*hardening != BTreeSet::from(Hardening::ALL)).then(|| hardening.clone()),
            context: *context,
            roles: RoleNames::of(roles),
            tables,
        }
    }

    fn declare(self, place: impl Fn(&str) -> Option<usize>) -> Result<Schema, Error> {
        let mut schema = Schema::new(self.schema.0, self.roles.declare()?);
        schema = schema.context(self.context);
        if let Some(hardening) = self.harden {
            schema = schema.harden(hardening);
        }
        for (name, table) in self.tables {
            let name = name.into_inner().0;
            let line = place(&name);
            schema.statements.extend(table.declare(&name).map_err(|why| refusal(line, why.to_owned()))?);
        }
        Ok(schema)
    }
}

impl RoleNames {
    fn of(roles: &Roles) -> Self {
        let Roles { owner, app, reader, migrator, backup, purge, eraser, investigator: _ } = roles.clone();
        Self {
            for_app: None,
            owner: Some(RoleName(owner)),
            app: Some(RoleName(app)),
            reader: Some(RoleName(reader)),
            migrator: migrator.map(RoleName),
            backup: backup.map(RoleName),
            purge: purge.map(RoleName),
            eraser: eraser.map(RoleName),
        }
    }

    fn declare(self) -> Result<Roles, Error> {
        let usual = self.for_app.map(|name| Roles::for_app(&name.0));
        let pick = |name: Option<RoleName>, usual: Option<&str>| {
            let name = name.map(|name| name.0).or_else(|| usual.map(str::to_owned));
            name.ok_or_else(|| refusal(None, "roles need `for_app`, or all of `owner`, `app` and `reader`".to_owned()))
        };
        let usual = usual.as_ref();
        let named = Roles::named(
            pick(self.owner, usual.map(Roles::owner))?,
            pick(self.app, usual.map(Roles::app))?,
            pick(self.reader, usual.map(Roles::reader))?,
        );
        Ok(Roles {
            migrator: self.migrator.map(|role| role.0),
            backup: self.backup.map(|role| role.0),
            purge: self.purge.map(|role| role.0),
            eraser: self.eraser.map(|role| role.0),
            ..named
        })
    }
}

impl Table {
    /// Adds what one line of a declaration says.
    fn describe(&mut self, statement: &Declared) {
        match statement {
            Declared::Tenant { table: _, column, parent } => {
                self.tenant = Some(Name(column.0.clone()));
                self.parent = parent.as_ref().map(|Parent { table, column, references }| ParentKey {
                    table: Name(table.clone()),
                    column: Name(column.clone()),
                    references: Name(references.clone()),
                });
            }
            Declared::Shared { table: _ } => self.shared = true,
            Declared::Exempt { table: _, reason } => self.exempt = Some(reason.clone()),
            Declared::AppendOnly { table: _ } => self.append_only = true,
            Declared::PeriodGuard { table: _, date, periods } => {
                let Periods { table, ends_on, closed_at, soft_closed_at } = periods;
                self.period_guard = Some(PeriodGuard {
                    date: Name(date.0.clone()),
                    periods: Name(table.clone()),
                    ends_on: Some(Name(ends_on.clone())),
                    closed_at: Some(Name(closed_at.clone())),
                    soft_closed_at: soft_closed_at.clone().map(Name),
                });
            }
            Declared::SoftDelete { table: _, column } => self.soft_delete = Some(Name(column.clone())),
            Declared::AppMay { table: _, privileges } => self.app_may = Some(privileges.clone()),
            Declared::UniquePerTenant { table: _, columns } => {
                self.unique_per_tenant.push(columns.iter().cloned().map(Name).collect());
            }
            Declared::RowPolicy { table: _, policy } => self.row_policies.push(policy.clone().into()),
        }
    }

    fn declare(self, name: &str) -> Result<Vec<Declared>, &'static str> {
        let table = || name.to_owned();
        let mut lines = Vec::new();
        match (self.tenant, self.parent) {
            (Some(column), parent) => lines.push(Declared::Tenant {
                table: table(),
                column: TenantColumn(column.0),
                parent: parent.map(|ParentKey { table, column, references }| Parent {
                    table: table.0,
                    column: column.0,
                    references: references.0,
                }),
            }),
            (None, Some(_)) => return Err("a table with a parent needs its tenant column"),
            (None, None) => {}
        }
        if self.shared {
            lines.push(Declared::Shared { table: table() });
        }
        if let Some(reason) = self.exempt {
            lines.push(Declared::Exempt { table: table(), reason });
        }
        if self.append_only {
            lines.push(Declared::AppendOnly { table: table() });
        }
        if let Some(PeriodGuard { date, periods, ends_on, closed_at, soft_closed_at }) = self.period_guard {
            let usual = crate::declaration::periods(periods.0);
            let periods = Periods {
                ends_on: ends_on.map_or(usual.ends_on, |name| name.0),
                closed_at: closed_at.map_or(usual.closed_at, |name| name.0),
                soft_closed_at: soft_closed_at.map(|name| name.0),
                table: usual.table,
            };
            lines.push(Declared::PeriodGuard { table: table(), date: DateColumn(date.0), periods });
        }
        if let Some(column) = self.soft_delete {
            lines.push(Declared::SoftDelete { table: table(), column: column.0 });
        }
        if let Some(privileges) = self.app_may {
            lines.push(Declared::AppMay { table: table(), privileges });
        }
        for columns in self.unique_per_tenant {
            let columns = columns.into_iter().map(|column| column.0).collect();
            lines.push(Declared::UniquePerTenant { table: table(), columns });
        }
        let policies = self.row_policies.into_iter().map(Into::into);
        lines.extend(policies.map(|policy| Declared::RowPolicy { table: table(), policy }));
        if lines.is_empty() { Err("a table without `tenant`, `shared` or `exempt`") } else { Ok(lines) }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_absent(flag: &bool) -> bool {
    !flag
}

fn refusal(line: Option<usize>, message: String) -> Error {
    Repr::Document { line, message }.into()
}

/// The line of a span's first byte, from 1.
fn line(text: &str, span: Option<std::ops::Range<usize>>) -> Option<usize> {
    let before = text.get(..span?.start)?;
    Some(before.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests;
