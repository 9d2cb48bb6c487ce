//! Row-level security that says the same as the decisions.

use std::fmt;

use super::arm::{Arm, Through};
use super::packed::{LETTERS, MARK};
use super::quoting::{Name, Text};
use super::{Rows, Shared};
use crate::permission::{Kind, Permission};
use crate::scope::Scope;
use crate::share::ShareLevel;

/// The row-level security policies of a table: which permission each command needs, and which rows it reaches then.
///
/// Their text depends on the names of permissions and columns alone. Who has which role reaches the database as
/// [`packed_scopes`](crate::Actor::packed_scopes), so a change of roles changes no policy. A transaction in which none are set
/// sees no row and changes none. Displayed, they are the statements that create them.
///
/// They are restrictive: a careless permissive policy does not widen them, and without a permissive one nothing is visible
/// (`stockade-rls-migrations` makes one for every table). `ENABLE` and `FORCE ROW LEVEL SECURITY` are the table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPolicies {
    rows: Rows,
    view: &'static str,
    insert: Option<&'static str>,
    update: Option<&'static str>,
    delete: Option<&'static str>,
}

/// One policy of [`RowPolicies`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowPolicy {
    /// Its name.
    pub name: &'static str,
    /// `SELECT`, `INSERT`, `UPDATE` or `DELETE`.
    pub command: &'static str,
    /// The condition on rows as they are, if the command reads any.
    pub using: Option<String>,
    /// The condition on rows as they will be, if the command writes any.
    pub with_check: Option<String>,
}

impl Rows {
    /// Policies under which `permission` lets rows be seen and nothing may be written.
    #[must_use]
    pub fn seen_by<P: Permission>(self, permission: P) -> RowPolicies {
        RowPolicies { rows: self, view: permission.key(), insert: None, update: None, delete: None }
    }
}

impl RowPolicies {
    /// Lets `permission` insert, update and delete the rows that it reaches.
    #[must_use]
    pub fn written_by<P: Permission>(self, permission: P) -> Self {
        self.inserted_by(permission).updated_by(permission).deleted_by(permission)
    }

    /// Lets `permission` insert rows that it will reach.
    #[must_use]
    pub fn inserted_by<P: Permission>(mut self, permission: P) -> Self {
        self.insert = Some(permission.key());
        self
    }

    /// Lets `permission` update rows that it reaches and will reach.
    #[must_use]
    pub fn updated_by<P: Permission>(mut self, permission: P) -> Self {
        self.update = Some(permission.key());
        self
    }

    /// Lets `permission` delete rows that it reaches.
    #[must_use]
    pub fn deleted_by<P: Permission>(mut self, permission: P) -> Self {
        self.delete = Some(permission.key());
        self
    }

    /// The policies, one for each command.
    pub fn iter(&self) -> impl Iterator<Item = RowPolicy> {
        let write = |permission: Option<&str>| {
            permission.map_or_else(|| "false".to_owned(), |key| self.condition(key, Kind::Write))
        };
        let policy = |name, command, using, with_check| RowPolicy { name, command, using, with_check };
        [
            policy("rbac_select", "SELECT", Some(self.condition(self.view, Kind::Read)), None),
            policy("rbac_insert", "INSERT", None, Some(write(self.insert))),
            policy("rbac_update", "UPDATE", Some(write(self.update)), Some(write(self.update))),
            policy("rbac_delete", "DELETE", Some(write(self.delete)), None),
        ]
        .into_iter()
    }

    /// Which rows a permission reaches. What does not depend on the row is a sub-select, which PostgreSQL works out once a
    /// statement and not once a row; the tenant stands outside the alternatives, where an index serves it.
    fn condition(&self, permission: &str, kind: Kind) -> String {
        let entry = format!("split_part(a.scopes, {}, 2)", Text(&format!("{MARK}{permission}{MARK}")));
        let plain = format!("left({entry}, 1) COLLATE \"C\"");
        let (reach, made) = match self.rows.maker {
            None => (plain, String::new()),
            Some(column) => (
                format!("translate(left({entry}, 1), '{LETTERS}', '1234') COLLATE \"C\""),
                format!(" AND {}", made_by_another(column, &entry, &plain)),
            ),
        };
        let arms: Vec<_> = self.rows.arms().map(|arm| alternative(arm, &reach, kind)).collect();
        format!(
            "{} = (SELECT c.tenant_id FROM stockade.current_tenant c) AND ({}){made}",
            Name(self.rows.tenant),
            arms.join(" OR ")
        )
    }
}

fn alternative(Arm { from, through }: Arm, reach: &str, kind: Kind) -> String {
    let open = format!("{reach} BETWEEN '{}' AND '{}'", from.rank(), Scope::Tenant.rank());
    let known = |fact: &str| format!("(SELECT CASE WHEN {open} THEN {fact} END FROM stockade.current_actor a)");
    let any_of = |column, facts: &str| format!("{} = ANY ({}::uuid[])", Name(column), known(facts));
    match through {
        Through::Tenant => format!("(SELECT {open} FROM stockade.current_actor a)"),
        Through::Owner(column) => {
            format!("{} = {}", Name(column), known("nullif(a.actor_id, '00000000-0000-0000-0000-000000000000')"))
        }
        Through::Team(column) => any_of(column, "stockade.rbac_teams()"),
        Through::Office(column) => any_of(column, "stockade.rbac_offices()"),
        Through::Share(Shared { key, kind: rows }) => {
            let level = ShareLevel::needed_by(kind).name();
            any_of(key, &format!("stockade.rbac_shared({}, '{level}')", Text(rows)))
        }
    }
}

/// It does not matter who made the row, or it was made by none of those whom the packed scopes name.
fn made_by_another(column: &str, entry: &str, plain: &str) -> String {
    let own = format!("split_part({entry}, '{MARK}', 1)");
    let named = "^[a-d][0-9a-f]{32}(_[0-9a-f]{32})+$";
    format!(
        "((SELECT {plain} BETWEEN '1' AND '4' FROM stockade.current_actor a) OR {} <> ALL ((SELECT CASE WHEN {own} ~ '{named}' \
         THEN string_to_array(substr({own}, 2), '_')::uuid[] END FROM stockade.current_actor a)::uuid[]))",
        Name(column)
    )
}

impl fmt::Display for RowPolicies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for RowPolicy { name, command, using, with_check } in self.iter() {
            let (schema, table) = (Name(self.rows.schema), Name(self.rows.table));
            write!(f, "CREATE POLICY {name} ON {schema}.{table} AS RESTRICTIVE FOR {command} TO PUBLIC")?;
            if let Some(using) = using {
                write!(f, "\n  USING ({using})")?;
            }
            if let Some(check) = with_check {
                write!(f, "\n  WITH CHECK ({check})")?;
            }
            writeln!(f, ";")?;
        }
        Ok(())
    }
}
