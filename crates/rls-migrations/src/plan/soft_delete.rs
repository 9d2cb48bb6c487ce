//! Soft deletion: who sees which rows, and the view over the deleted ones.

use super::Lock;
use super::policies::{Wanted, permissive};
use super::steps::Steps;
use crate::catalogue::{Catalogue, Command, Policy, Relation, STOCKADE_OWNER, View};
use crate::guard;
use crate::ident::Ident;
use crate::model::{Model, SoftDelete, Table};
use crate::sql::{Sql, sql};

/// The policies of a table with soft deletion, besides those of every tenant table.
pub(super) fn policies(model: &Model, table: &Table, relation: &Relation) -> Vec<Wanted> {
    let (Some(deletion), Some(investigator)) = (&table.soft_delete, &model.investigator) else { return Vec::new() };
    let name = model.qualified(&table.name);
    let rendered = relation.column(deletion.column.as_str()).map_or("", |column| &column.rendered);
    let mut roles = vec![model.app.as_str().to_owned(), model.reader.as_str().to_owned()];
    roles.sort();
    let restrictive = |command, using, check| Policy {
        permissive: false,
        command,
        roles: roles.clone(),
        using,
        check,
        declared: None,
    };
    let visible = format!("(({rendered} IS NULL) OR ({rendered} = statement_timestamp()))");
    let whose = sql!("{}, {}", model.app, model.reader);
    vec![
        Wanted {
            name: Ident::own("stockade_not_deleted"),
            policy: restrictive(Command::Select, Some(visible), None),
            create: sql!(
                "CREATE POLICY stockade_not_deleted ON {table} AS RESTRICTIVE FOR SELECT TO {roles}
  USING ({column} IS NULL OR {column} = statement_timestamp())",
                table = name,
                roles = whose,
                column = deletion.column
            ),
            note: "Deleted rows are gone for the application; the statement that deletes one may still return it.",
        },
        Wanted {
            name: Ident::own("stockade_born_undeleted"),
            policy: restrictive(Command::Insert, None, Some(format!("({rendered} IS NULL)"))),
            create: sql!(
                "CREATE POLICY stockade_born_undeleted ON {} AS RESTRICTIVE FOR INSERT TO {}
  WITH CHECK ({} IS NULL)",
                name,
                whose,
                deletion.column
            ),
            note: "No row is made up that was never there.",
        },
        Wanted {
            name: Ident::own("stockade_investigate"),
            policy: Policy {
                using: Some(format!("({rendered} IS NOT NULL)")),
                ..permissive(Command::Select, vec![investigator.as_str().to_owned()], None)
            },
            create: sql!(
                "CREATE POLICY stockade_investigate ON {} AS PERMISSIVE FOR SELECT TO {} USING ({} IS NOT NULL)",
                name,
                investigator,
                deletion.column
            ),
            note: "Whoever investigates sees the deleted rows of the tenant, and no others.",
        },
        Wanted {
            name: Ident::own("stockade_undelete"),
            policy: permissive(Command::All, vec![STOCKADE_OWNER.to_owned()], Some("true".to_owned())),
            create: sql!(
                "CREATE POLICY stockade_undelete ON {} AS PERMISSIVE FOR ALL TO stockade_owner USING (true) WITH CHECK (true)",
                name
            ),
            note: "The function that brings a row back, which runs as this role.",
        },
    ]
}

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    for (table, deletion) in model.soft_deletes() {
        if !has_view(model, catalogue, table, deletion) {
            plan_view(model, table, deletion, steps);
        }
    }
}

/// Whether the view over the deleted rows is there, and reads them with the rights of whoever asks.
pub(crate) fn has_view(model: &Model, catalogue: &Catalogue, table: &Table, deletion: &SoftDelete) -> bool {
    let is_it = |view: &View| {
        view.schema == model.schema.as_str()
            && view.name == deletion.view.as_str()
            && view.table == table.name.as_str()
            && view.invoker
    };
    catalogue.surroundings.views.iter().any(is_it)
}

fn plan_view(model: &Model, table: &Table, deletion: &SoftDelete, steps: &mut Steps) {
    let Some(investigator) = &model.investigator else { return };
    let name: Sql = model.qualified(&deletion.view);
    let note = "The deleted rows, with the rights of whoever reads them. A column that is added later is not in it.";
    let down = sql!("DROP VIEW IF EXISTS {}", name);
    steps.step(Lock::Catalogue, note, guard::deleted_view(model, table, deletion), down);
    steps.one_way(
        Lock::Catalogue,
        "It belongs to the schema's owner.",
        sql!("ALTER VIEW {} OWNER TO {}", name, model.owner),
    );
    let grant = sql!("GRANT SELECT ON {} TO {}", name, investigator);
    steps.one_way(Lock::Catalogue, "Who looks into what was deleted.", grant);
}
