//! The application's own conditions on rows.

use std::collections::BTreeSet;

use super::{Kind, Model, contradiction};
use crate::catalogue::Command;
use crate::declaration::{Privilege, RowPolicy};
use crate::error::Error;
use crate::expression::Expression;
use crate::ident::Ident;
use crate::schema::{Declared, Schema};
use crate::sql::{Sql, sql};

/// A restrictive policy of the application's.
#[derive(Debug, Clone)]
pub(crate) struct RowRule {
    pub(crate) name: Ident,
    pub(crate) command: Command,
    /// Empty for everybody.
    pub(crate) roles: Vec<Ident>,
    using: Option<Expression>,
    check: Option<Expression>,
}

impl Model {
    pub(super) fn declare_rows(&mut self, schema: &Schema) -> Result<(), Error> {
        let mut names = BTreeSet::new();
        for statement in &schema.statements {
            let Declared::RowPolicy { table, policy } = statement else { continue };
            let rule = RowRule::of(policy)?;
            let entry = self.entry(table)?;
            let why = if !matches!(entry.kind, Kind::Tenant { .. }) {
                "row policies need a tenant table"
            } else if entry.holds_periods.is_some() {
                "a row policy could hide a closed period from the period guard"
            } else if !names.insert((table, &policy.name)) {
                "has two row policies of one name"
            } else {
                entry.rows.push(rule);
                continue;
            };
            return Err(contradiction(&entry.name, why));
        }
        Ok(())
    }
}

impl RowRule {
    fn of(policy: &RowPolicy) -> Result<Self, Error> {
        let name = Ident::new(&policy.name)?;
        if name.as_str().starts_with("stockade_") {
            return Err(contradiction(&name, "such names are those of this crate's policies"));
        }
        let condition = |text: &Option<String>| text.clone().map(Expression::new).transpose();
        let (using, check) = match (condition(&policy.using), condition(&policy.check)) {
            (Ok(using), Ok(check)) => (using, check),
            (Err(why), _) | (_, Err(why)) => return Err(contradiction(&name, why)),
        };
        let (command, sides) = match policy.command {
            Privilege::Select => (Command::Select, (true, false)),
            Privilege::Insert => (Command::Insert, (false, true)),
            Privilege::Update => (Command::Update, (true, true)),
            Privilege::Delete => (Command::Delete, (true, false)),
        };
        if (using.is_some(), check.is_some()) != sides {
            let why = "select and delete have a condition `using`, insert has `check`, update has both";
            return Err(contradiction(&name, why));
        }
        let roles = policy.roles.iter().map(Ident::role).collect::<Result<_, _>>()?;
        Ok(Self { name, command, roles, using, check })
    }

    /// All but the name and the table, as it is written.
    pub(crate) fn clauses(&self) -> Sql {
        let roles = if self.roles.is_empty() { sql!("PUBLIC") } else { Sql::list(&self.roles) };
        let head = sql!("FOR {} TO {}", Sql::fixed(self.command.keyword()), roles);
        let using = self.using.iter().map(|text| sql!("\n  USING ({})", text));
        let check = self.check.iter().map(|text| sql!("\n  WITH CHECK ({})", text));
        Sql::concat([head].into_iter().chain(using).chain(check))
    }
}
