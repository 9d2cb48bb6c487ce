//! Schema `stockade`, and who may enter the application's schema.

use super::grants::{Target, reconcile};
use super::steps::{Steps, drop_if_unused};
use super::{Lock, context};
use crate::catalogue::{Catalogue, STOCKADE_OWNER};
use crate::ident::Ident;
use crate::model::Model;
use crate::sql::sql;

const CATALOGUE: Lock = Lock::Catalogue;

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    if catalogue.shared.schema_owner.is_none() {
        let note = "The schema of the tenant's context and the guards.";
        let down = drop_if_unused(&sql!("DROP SCHEMA stockade"));
        steps.step(CATALOGUE, note, sql!("CREATE SCHEMA IF NOT EXISTS stockade"), down);
    }
    if catalogue.shared.schema_owner.as_deref() != Some(STOCKADE_OWNER) {
        let note = "Its owner is nobody's login. Not undone by down: other crates share the schema.";
        steps.one_way(CATALOGUE, note, sql!("ALTER SCHEMA stockade OWNER TO stockade_owner"));
    }
    if !catalogue.shared.schema_usage {
        let note = "Every role looks its tenant up in this schema.";
        // Left on the way back: other crates look in there too, and the schema goes with its last object.
        steps.one_way(CATALOGUE, note, sql!("GRANT USAGE ON SCHEMA stockade TO PUBLIC"));
    }
    context::plan(model, catalogue, steps);
    plan_schema(model, catalogue, steps);
}

fn plan_schema(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    let Some(facts) = &catalogue.schema else { return };
    let schema = &model.schema;
    let target = Target::Schema(schema.clone());
    // What the new owner was granted before would melt into its ownership, and could not be told apart on the way back.
    reconcile(&target, Some(&model.owner), &facts.grants, &[], steps);
    if let Ok(former) = Ident::new(&facts.owner)
        && former != model.owner
    {
        let note = "The schema goes to the owner.";
        let up = sql!("ALTER SCHEMA {} OWNER TO {}", schema, model.owner);
        steps.step(CATALOGUE, note, up, sql!("ALTER SCHEMA {} OWNER TO {}", schema, former));
    }
    reconcile(&target, None, &facts.grants, &[], steps);
    for role in model.users() {
        reconcile(&target, Some(role), &facts.grants, &["USAGE"], steps);
    }
    if let Some(investigator) = &model.investigator {
        reconcile(&target, Some(investigator), &facts.grants, &["USAGE"], steps);
    }
    if model.has_period_guard() || model.investigator.is_some() {
        let guard = Ident::own(STOCKADE_OWNER);
        reconcile(&target, Some(&guard), &facts.grants, &["USAGE"], steps);
    }
}
