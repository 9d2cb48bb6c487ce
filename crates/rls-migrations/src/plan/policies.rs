//! The policies of a tenant table.

mod rows;

use super::steps::Steps;
use super::{Lock, soft_delete};
use crate::catalogue::{Column, Command, Policy, Relation, STOCKADE_OWNER};
use crate::ident::Ident;
use crate::model::{Model, Table};
use crate::sql::{Sql, sql};

const ACCESS_NOTE: &str = "Lets the named roles reach the table at all.";

/// A policy of this crate: what it is called, how PostgreSQL would describe it, how it is made.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) name: Ident,
    pub(crate) policy: Policy,
    pub(super) create: Sql,
    pub(super) note: &'static str,
}

impl Wanted {
    /// Whether this is the policy that was found. PostgreSQL has words of its own for the application's conditions, so what says
    /// that they are the declared ones is the record that the plan left.
    pub(crate) fn is(&self, found: &Policy) -> bool {
        let Policy { permissive, command, roles, declared, .. } = found;
        match &self.policy.declared {
            None => *found == Policy { declared: declared.clone(), ..self.policy.clone() },
            wanted => {
                (*permissive, command, roles, declared)
                    == (self.policy.permissive, &self.policy.command, &self.policy.roles, wanted)
            }
        }
    }

    /// Whether the application declared it.
    pub(crate) fn is_of_rows(&self) -> bool {
        self.policy.declared.is_some()
    }
}

/// The policies that a tenant table should have.
pub(crate) fn wanted(model: &Model, table: &Table, relation: &Relation) -> Vec<Wanted> {
    let Some(tenant) = table.tenant_column() else { return Vec::new() };
    let name = model.qualified(&table.name);
    let mut policies = vec![floor(&name, tenant, relation.column(tenant.as_str())), access(model, &name)];
    if table.holds_periods.is_some() {
        policies.push(Wanted {
            name: Ident::own("stockade_guard"),
            policy: permissive(Command::Select, vec![STOCKADE_OWNER.to_owned()], None),
            create: sql!(
                "CREATE POLICY stockade_guard ON {} AS PERMISSIVE FOR SELECT TO stockade_owner USING (true)",
                name
            ),
            note: ACCESS_NOTE,
        });
    }
    policies.extend(read_only(&name));
    policies.extend(soft_delete::policies(model, table, relation));
    policies.extend(table.rows.iter().map(|rule| rows::wanted(model, table, rule)));
    policies
}

pub(super) fn plan(model: &Model, table: &Table, relation: &Relation, steps: &mut Steps) {
    let name = model.qualified(&table.name);
    for wanted in wanted(model, table, relation) {
        let drop = sql!("DROP POLICY IF EXISTS {} ON {}", wanted.name, name);
        let found = relation.policies.get(wanted.name.as_str());
        if found.is_some_and(|found| wanted.is(found)) {
            continue;
        }
        let restore = match found {
            Some(former) => sql!("{};\n{}", drop, create_again(model, table, &wanted.name, former)),
            None => drop.clone(),
        };
        let up = sql!("{};\n{}", drop, wanted.create);
        steps.step(Lock::AccessExclusive, wanted.note, up, restore);
    }
}

/// The restrictive policy. It is for PUBLIC, so it binds roles that do not exist yet.
fn floor(table: &Sql, tenant: &Ident, column: Option<&Column>) -> Wanted {
    let rendered = column.map_or("", |column| &column.rendered);
    let expression = format!("({rendered} = ( SELECT c.tenant_id FROM stockade.current_tenant c))");
    Wanted {
        name: Ident::own("stockade_tenant"),
        policy: Policy {
            permissive: false,
            command: Command::All,
            roles: Vec::new(),
            using: Some(expression.clone()),
            check: Some(expression),
            declared: None,
        },
        create: sql!(
            "CREATE POLICY stockade_tenant ON {table} AS RESTRICTIVE FOR ALL TO PUBLIC
  USING ({tenant} = (SELECT c.tenant_id FROM stockade.current_tenant c))
  WITH CHECK ({tenant} = (SELECT c.tenant_id FROM stockade.current_tenant c))",
            table = table,
            tenant = tenant,
        ),
        note: "The tenant's floor: restrictive, so no other policy can widen it.",
    }
}

/// Somebody who looks at a tenant in another's name writes nothing, whatever the application's code tries. Without a lease nobody
/// says whether writing is allowed, and `NOT NULL` is not true.
fn read_only(table: &Sql) -> [Wanted; 3] {
    let refuse = |name, command: Command, clause: &'static str| {
        let condition = Some("(NOT ( SELECT c.read_only FROM stockade.current_actor c))".to_owned());
        let (using, check) = if command == Command::Insert { (None, condition) } else { (condition, None) };
        Wanted {
            name: Ident::own(name),
            policy: Policy { permissive: false, command, roles: Vec::new(), using, check, declared: None },
            create: sql!(
                "CREATE POLICY {} ON {} AS RESTRICTIVE FOR {} TO PUBLIC
  {} (NOT (SELECT c.read_only FROM stockade.current_actor c))",
                Ident::own(name),
                table,
                Sql::fixed(command.keyword()),
                Sql::fixed(clause)
            ),
            note: "Whoever may only read, as in an impersonation, writes nothing.",
        }
    };
    [
        refuse("stockade_read_only_insert", Command::Insert, "WITH CHECK"),
        refuse("stockade_read_only_update", Command::Update, "USING"),
        refuse("stockade_read_only_delete", Command::Delete, "USING"),
    ]
}

fn access(model: &Model, table: &Sql) -> Wanted {
    let mut roles: Vec<String> = model.users().map(|role| role.as_str().to_owned()).collect();
    roles.sort();
    Wanted {
        name: Ident::own("stockade_access"),
        policy: permissive(Command::All, roles, Some("true".to_owned())),
        create: sql!(
            "CREATE POLICY stockade_access ON {} AS PERMISSIVE FOR ALL TO {} USING (true) WITH CHECK (true)",
            table,
            Sql::list(model.users())
        ),
        note: ACCESS_NOTE,
    }
}

pub(super) fn permissive(command: Command, roles: Vec<String>, check: Option<String>) -> Policy {
    Policy { permissive: true, command, roles, using: Some("true".to_owned()), check, declared: None }
}

/// A policy of the same name that said something else.
fn create_again(model: &Model, table: &Table, name: &Ident, policy: &Policy) -> Sql {
    let kind = if policy.permissive { sql!("PERMISSIVE") } else { sql!("RESTRICTIVE") };
    let roles = if policy.roles.is_empty() {
        sql!("PUBLIC")
    } else {
        Sql::list(policy.roles.iter().filter_map(|role| Ident::new(role).ok()))
    };
    let clause = |keyword: &'static str, expression: &Option<String>| {
        let text = expression.as_ref().map(|text| format!(" {keyword} ({text})"));
        Sql::from_catalogue(text.unwrap_or_default())
    };
    let create = sql!(
        "CREATE POLICY {} ON {} AS {} FOR {} TO {}{}{}",
        name,
        model.qualified(&table.name),
        kind,
        Sql::from_catalogue(policy.command.keyword().to_owned()),
        roles,
        clause("USING", &policy.using),
        clause("WITH CHECK", &policy.check)
    );
    match &policy.declared {
        Some(declared) => sql!("{};\n{}", create, rows::record(model, table, name, declared)),
        None => create,
    }
}
