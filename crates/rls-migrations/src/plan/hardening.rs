//! Privileges of `PUBLIC` that help an attacker.

use std::fmt;

use super::Lock;
use super::steps::Steps;
use crate::catalogue::Catalogue;
use crate::declaration::Hardening;
use crate::model::Model;
use crate::sql::{Sql, sql};

/// A [`Hardening`] that the plan leaves out, because the connected role does not own what it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Skipped {
    hardening: Hardening,
}

impl Skipped {
    /// What was left out.
    #[must_use]
    pub fn hardening(&self) -> Hardening {
        self.hardening
    }

    /// The role that can do it.
    #[must_use]
    pub fn needs(&self) -> &'static str {
        match self.hardening {
            Hardening::PublicSchema => "the owner of schema public",
            Hardening::TempTables => "the owner of the database",
            Hardening::SetConfig => "a superuser",
        }
    }
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} was left out: it needs {}", self.hardening, self.needs())
    }
}

pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) -> Vec<Skipped> {
    let facts = &catalogue.surroundings.hardened;
    let mut skipped = Vec::new();
    for hardening in model.hardening.iter().copied() {
        let (open, allowed) = match hardening {
            // The application's own schema is closed to PUBLIC in any case.
            Hardening::PublicSchema if model.schema.as_str() == "public" => continue,
            Hardening::PublicSchema => (!facts.public_schema.is_empty(), facts.may_public_schema),
            Hardening::TempTables => (facts.temp, facts.may_temp),
            Hardening::SetConfig => (facts.set_config, facts.may_set_config),
        };
        match (open, allowed) {
            (false, _) => {}
            (true, false) => skipped.push(Skipped { hardening }),
            (true, true) => plan_one(hardening, model, catalogue, steps),
        }
    }
    skipped
}

fn plan_one(hardening: Hardening, model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    let (note, up, down) = match hardening {
        Hardening::PublicSchema => (
            "Nothing can be planted where a search path looks. Holds for every application in this database.",
            sql!("REVOKE ALL ON SCHEMA public FROM PUBLIC"),
            give_public_back(&catalogue.surroundings.hardened.public_schema),
        ),
        Hardening::TempTables => (
            "No temporary table can outlive its tenant on a pooled connection. Holds for every application in this database.",
            on_database(&sql!("REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC")),
            on_database(&sql!("GRANT TEMPORARY ON DATABASE %I TO PUBLIC")),
        ),
        Hardening::SetConfig => (
            "An injected SELECT cannot change the tenant. Holds for every application in this database; pg_dump needs it granted back to its role.",
            sql!(
                "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO {}",
                model.owner
            ),
            sql!(
                "REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM {};
GRANT EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) TO PUBLIC",
                model.owner
            ),
        ),
    };
    steps.step(Lock::Catalogue, note, up, down);
}

/// The database's name is not that of the database the plan was made in.
fn on_database(template: &Sql) -> Sql {
    let text = crate::ident::Literal(template.as_str().to_owned());
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
