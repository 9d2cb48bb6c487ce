//! A declaration read off a schema that has none.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::declaration::by;
use crate::error::{Error, Name, Repr};
use crate::roles::Roles;
use crate::schema::Schema;

/// Columns that name a tenant in the schemas one meets, in order of preference where two are equally common.
const USUAL_COLUMNS: [&str; 9] = [
    "tenant_id",
    "org_id",
    "organization_id",
    "organisation_id",
    "account_id",
    "workspace_id",
    "company_id",
    "customer_id",
    "team_id",
];

/// Reads a declaration off a live schema that has none, by looking at names and privileges.
///
/// What it gives is a starting point for a first lint or probe, and for a declaration that a person then writes. It is never one to
/// trust: it takes the schema as it is for what it was meant to be, so a table that was forgotten stays forgotten.
///
/// ```no_run
/// # async fn run(conn: &mut sqlx::PgConnection) -> Result<(), stockade_rls_migrations::Error> {
/// use stockade_rls_migrations::Discovery;
///
/// let schema = Discovery::of("public").tenant_column("org_id").app("web_user").read(conn).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Discovery {
    schema: String,
    column: Option<String>,
    app: Option<String>,
}

impl Discovery {
    /// Looks at the schema of this name.
    pub fn of(schema: impl Into<String>) -> Self {
        Self { schema: schema.into(), column: None, app: None }
    }

    /// The tables that have this column belong to tenants, whatever its type. Without this hint: the commonest `uuid` column among
    /// `tenant_id`, `org_id`, `organization_id`, `organisation_id`, `account_id`, `workspace_id`, `company_id`, `customer_id`
    /// and `team_id`.
    pub fn tenant_column(mut self, column: impl Into<String>) -> Self {
        self.column = Some(column.into());
        self
    }

    /// The role that the application connects as. Without this hint: the login role that owns none of the tables and holds the
    /// most privileges on them.
    pub fn app(mut self, role: impl Into<String>) -> Self {
        self.app = Some(role.into());
        self
    }

    /// Reads the catalogue and declares what it finds. Partitions and children by inheritance go with their parents. A table
    /// without the tenant column is [exempt](Schema::exempt), with the reason `no tenant column found`. A role that cannot be
    /// found is given the schema's name with `_owner`, `_app` or `_reader` behind it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Missing`](crate::ErrorKind::Missing) when there is no such schema, or the database's failure.
    pub async fn read(&self, conn: &mut PgConnection) -> Result<Schema, Error> {
        let tables = read_tables(&self.schema, conn).await.map_err(Repr::Read)?;
        let tables = tables.ok_or_else(|| Repr::Missing { what: "schema", name: Name(self.schema.clone()) })?;
        let grantees = read_grantees(&self.schema, conn).await.map_err(Repr::Read)?;
        let usual = self.column.is_none().then(|| commonest(&tables)).flatten();
        let column = self.column.as_deref().or(usual);
        let mut schema = Schema::new(&self.schema, self.roles(&tables, &grantees));
        for (name, table) in tables {
            schema = match column.filter(|column| table.columns.contains_key(*column)) {
                Some(column) if self.column.is_some() || table.is_uuid(column) => schema.tenant_table(name, by(column)),
                _ => schema.exempt(name, "no tenant column found"),
            };
        }
        Ok(schema)
    }

    fn roles(&self, tables: &BTreeMap<String, Found>, grantees: &[Grantee]) -> Roles {
        let app = self.app.clone();
        let app = app.or_else(|| grantees.first().map(|role| role.name.clone()));
        let app = app.unwrap_or_else(|| self.role("app"));
        let reader = grantees.iter().find(|role| role.name != app && !role.writes);
        let reader = reader.map_or_else(|| self.role("reader"), |role| role.name.clone());
        let mut owners: BTreeMap<&str, usize> = BTreeMap::new();
        for table in tables.values() {
            *owners.entry(&table.owner).or_default() += 1;
        }
        let taken = |owner: &&&str| **owner != app && **owner != reader;
        let owner = owners.keys().filter(taken).max_by_key(|owner| owners.get(**owner));
        let owner = owner.map_or_else(|| self.role("owner"), |owner| (*owner).to_owned());
        Roles::named(owner, app, reader)
    }

    /// A name for a role that could not be found, within PostgreSQL's 63 bytes.
    fn role(&self, suffix: &str) -> String {
        let mut name = self.schema.clone();
        while name.len() > 55 {
            name.pop();
        }
        format!("{name}_{suffix}")
    }
}

struct Found {
    owner: String,
    /// Each column's type.
    columns: BTreeMap<String, String>,
}

impl Found {
    fn is_uuid(&self, column: &str) -> bool {
        self.columns.get(column).is_some_and(|data_type| data_type == "uuid")
    }
}

/// A login role with privileges on tables that it does not own.
struct Grantee {
    name: String,
    writes: bool,
}

fn commonest(tables: &BTreeMap<String, Found>) -> Option<&'static str> {
    let count = |column: &&str| tables.values().filter(|table| table.is_uuid(column)).count();
    // The last of several maxima wins, hence the reverse.
    USUAL_COLUMNS.into_iter().rev().max_by_key(count).filter(|column| count(column) > 0)
}

type TableRow = (Option<String>, Option<String>, Option<String>, Option<String>);

async fn read_tables(schema: &str, conn: &mut PgConnection) -> Result<Option<BTreeMap<String, Found>>, sqlx::Error> {
    let rows: Vec<TableRow> = sqlx::query_as(
        "SELECT c.relname::text, o.rolname::text, a.attname::text, pg_catalog.format_type(a.atttypid, NULL)
           FROM pg_catalog.pg_namespace n
           LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'f')
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
           LEFT JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
           LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          WHERE n.nspname = $1",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    let exists = !rows.is_empty();
    let mut tables: BTreeMap<String, Found> = BTreeMap::new();
    for (table, owner, column, data_type) in rows {
        let (Some(table), Some(owner)) = (table, owner) else { continue };
        let found = tables.entry(table).or_insert_with(|| Found { owner, columns: BTreeMap::new() });
        if let (Some(column), Some(data_type)) = (column, data_type) {
            found.columns.insert(column, data_type);
        }
    }
    Ok(exists.then_some(tables))
}

/// Those with the most privileges first; among equals, those that hold them by themselves and not through another role.
async fn read_grantees(schema: &str, conn: &mut PgConnection) -> Result<Vec<Grantee>, sqlx::Error> {
    let rows: Vec<(String, bool)> = sqlx::query_as(
        "SELECT r.rolname::text, bool_or(a.privilege_type <> 'SELECT')
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) a
           JOIN pg_catalog.pg_roles r ON r.rolcanlogin AND NOT r.rolsuper
                AND CASE a.grantee WHEN 0 THEN false ELSE pg_catalog.pg_has_role(r.oid, a.grantee, 'USAGE') END
          WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f')
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_class x
                             WHERE x.relnamespace = n.oid AND x.relkind IN ('r', 'p', 'f')
                               AND pg_catalog.pg_has_role(r.oid, x.relowner, 'MEMBER'))
          GROUP BY r.rolname
          ORDER BY count(DISTINCT (c.oid, a.privilege_type)) DESC, bool_or(a.grantee = r.oid) DESC, r.rolname",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(name, writes)| Grantee { name, writes }).collect())
}
