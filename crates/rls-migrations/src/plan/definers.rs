//! Views and functions of the schema that act with their owner's rights.

use super::steps::Steps;
use super::{Lock, Skipped};
use crate::catalogue::Catalogue;
use crate::ident::Ident;
use crate::model::{Model, Table};
use crate::sql::{Sql, sql};

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) -> Vec<Skipped> {
    let mut skipped = Vec::new();
    let mut seen = None;
    for view in &catalogue.surroundings.views {
        let reads_tenants = model.table(&view.table).and_then(Table::tenant_column).is_some();
        let theirs = view.schema != model.schema.as_str() || seen == Some(&view.name);
        let Ok(name) = Ident::new(&view.name) else { continue };
        if view.materialized || view.invoker || theirs || !reads_tenants {
            continue;
        }
        // One that reads several tables is listed with each.
        seen = Some(&view.name);
        if !view.changeable {
            skipped.push(Skipped::Definer(view.name.clone()));
            continue;
        }
        let view_name = model.qualified(&name);
        let note = "The view reads as the role that asks, so that policies see who that is.";
        let up = sql!("ALTER VIEW {} SET (security_invoker = true)", view_name);
        let down = match view.says_definer {
            true => sql!("ALTER VIEW {} SET (security_invoker = false)", view_name),
            false => sql!("ALTER VIEW {} RESET (security_invoker)", view_name),
        };
        steps.step(Lock::Catalogue, note, up, down);
    }
    for function in &catalogue.surroundings.definers {
        if !function.changeable {
            skipped.push(Skipped::Definer(function.signature.clone()));
            continue;
        }
        let signature = Sql::from_catalogue(function.signature.clone());
        let note = "Nobody who calls it chooses what its names mean; what it calls in other schemas needs their names from now on.";
        let up = sql!("ALTER ROUTINE {} SET search_path = pg_catalog, {}, pg_temp", signature, model.schema);
        steps.step(Lock::Catalogue, note, up, sql!("ALTER ROUTINE {} RESET search_path", signature));
    }
    skipped
}
