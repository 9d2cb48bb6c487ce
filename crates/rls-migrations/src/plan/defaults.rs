//! Default privileges: a table to come is nobody's until the next plan has seen it.

use super::Skipped;
use super::grants::{Target, reconcile};
use super::steps::Steps;
use crate::catalogue::{Catalogue, Defaults};
use crate::ident::Ident;
use crate::model::Model;

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) -> Vec<Skipped> {
    let mut skipped = Vec::new();
    for defaults in &catalogue.defaults {
        let Ok(creator) = Ident::new(&defaults.creator) else { continue };
        let target = Target::Defaults {
            creator,
            schema: defaults.in_schema.then(|| model.schema.clone()),
            kind: if defaults.sequences { "SEQUENCES" } else { "TABLES" },
        };
        // What belongs to the owner can be changed as soon as the plan has let itself act for it.
        if defaults.changeable || defaults.creator == model.owner.as_str() {
            for grantee in grantees(model) {
                reconcile(&target, grantee, &defaults.grants, &[], steps);
            }
        } else if hands_out(model, defaults) {
            skipped.push(Skipped::DefaultPrivileges(defaults.creator.clone()));
        }
    }
    skipped.dedup();
    skipped
}

fn grantees(model: &Model) -> impl Iterator<Item = Option<&Ident>> {
    std::iter::once(None).chain(model.users().map(Some))
}

fn hands_out(model: &Model, defaults: &Defaults) -> bool {
    grantees(model).any(|grantee| defaults.grants.of(grantee.map(Ident::as_str)).next().is_some())
}
