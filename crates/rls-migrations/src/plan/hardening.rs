//! Privileges of `PUBLIC` that help an attacker.

use super::steps::Steps;
use super::{Lock, Skipped};
use crate::catalogue::{Catalogue, Execute};
use crate::declaration::Hardening;
use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::{Sql, sql};

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) -> Vec<Skipped> {
    let facts = &catalogue.surroundings.hardened;
    let mut skipped = Vec::new();
    for hardening in model.hardening.iter().copied() {
        let (open, allowed) = match hardening {
            // The application's own schema is closed to PUBLIC in any case.
            Hardening::PublicSchema if model.schema.as_str() == "public" => continue,
            Hardening::PublicSchema => (!facts.public_schema.is_empty(), facts.may_public_schema),
            Hardening::TempTables => (facts.temp, facts.may_temp),
            _ => (
                facts.is_open(hardening) || !strangers(hardening, model, catalogue).is_empty(),
                facts.of(hardening).all(|(_, execute)| execute.may),
            ),
        };
        match (open, allowed) {
            (false, _) => {}
            (true, false) => skipped.push(Skipped::Hardening(hardening)),
            (true, true) => plan_one(hardening, model, catalogue, steps),
        }
    }
    skipped
}

fn plan_one(hardening: Hardening, model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    let note = match hardening {
        Hardening::PublicSchema => {
            "Nothing can be planted where a search path looks. Holds for every application in this database."
        }
        Hardening::TempTables => {
            "No temporary table can outlive its tenant on a pooled connection. Holds for every application in this database."
        }
        Hardening::SetConfig => {
            "An injected SELECT cannot change the tenant. Holds for every application in this database; pg_dump needs it granted back to its role."
        }
        Hardening::Activity => {
            "What a session runs is not shown to other tenants, who have the same role. Holds for every application in this database."
        }
        Hardening::LargeObjects => {
            "A large object belongs to a role, and so to every tenant. Holds for every application in this database."
        }
        Hardening::Notify => {
            "An injected SELECT cannot reach another tenant's listener. Holds for every application in this database."
        }
        Hardening::Signals => {
            "A session cannot end those of other tenants, who have the same role. Holds for every application in this database."
        }
    };
    let (up, down) = match hardening {
        Hardening::PublicSchema => (
            sql!("REVOKE ALL ON SCHEMA public FROM PUBLIC"),
            give_public_back(&catalogue.surroundings.hardened.public_schema),
        ),
        Hardening::TempTables => (
            on_database(&sql!("REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC")),
            on_database(&sql!("GRANT TEMPORARY ON DATABASE %I TO PUBLIC")),
        ),
        _ => return plan_functions(hardening, note, model, catalogue, steps),
    };
    steps.step(Lock::Catalogue, note, up, down);
}

fn plan_functions(hardening: Hardening, note: &'static str, model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    let facts = &catalogue.surroundings.hardened;
    let of = |wanted: fn(&Execute) -> bool| {
        let signatures = facts.of(hardening).filter(|(_, execute)| wanted(execute)).map(|(signature, _)| signature);
        Sql::list(signatures.map(|signature| Sql::from_catalogue(signature.to_owned())))
    };
    if facts.is_open(hardening) {
        let open = of(|execute| execute.public);
        let up = sql!("REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC", open);
        steps.step(Lock::Catalogue, note, up, sql!("GRANT EXECUTE ON FUNCTION {} TO PUBLIC", open));
    }
    let all = of(|_| true);
    for keeper in strangers(hardening, model, catalogue) {
        let only_there = |change: Sql| {
            let role = Literal::of(&keeper);
            let body = sql!(
                "\nBEGIN\n  IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) THEN\n    {};\n  END IF;\nEND\n",
                role,
                change
            );
            sql!("DO {}", body.dollar_quoted())
        };
        let up = only_there(sql!("GRANT EXECUTE ON FUNCTION {} TO {}", all, keeper));
        let down = only_there(sql!("REVOKE EXECUTE ON FUNCTION {} FROM {}", all, keeper));
        steps.step(Lock::Catalogue, "Who still needs it.", up, down);
    }
}

/// The roles that should keep a function and do not hold it by themselves.
fn strangers(hardening: Hardening, model: &Model, catalogue: &Catalogue) -> Vec<Ident> {
    let mut keepers: Vec<Ident> = hardening.keeper().map(Ident::own).into_iter().collect();
    if hardening == Hardening::SetConfig {
        let can_be =
            |backup: &&Ident| catalogue.server.may_create_backup || catalogue.roles.contains_key(backup.as_str());
        keepers.push(model.owner.clone());
        keepers.extend(model.backup.iter().filter(can_be).cloned());
    }
    let facts = &catalogue.surroundings.hardened;
    let holds = |keeper: &Ident, execute: &Execute| execute.roles.iter().any(|role| role == keeper.as_str());
    keepers.retain(|keeper| facts.of(hardening).any(|(_, execute)| !holds(keeper, execute)));
    keepers
}

/// The database's name is not that of the database the plan was made in.
fn on_database(template: &Sql) -> Sql {
    let text = Literal(template.as_str().to_owned());
    let body = sql!("\nBEGIN\n  EXECUTE format({}, current_database());\nEND\n", text);
    sql!("DO {}", body.dollar_quoted())
}

fn give_public_back(held: &[String]) -> Sql {
    match (held.iter().any(|p| p == "USAGE"), held.iter().any(|p| p == "CREATE")) {
        (true, true) => sql!("GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC"),
        (false, true) => sql!("GRANT CREATE ON SCHEMA public TO PUBLIC"),
        _ => sql!("GRANT USAGE ON SCHEMA public TO PUBLIC"),
    }
}
