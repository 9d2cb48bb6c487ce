//! Roles. They belong to the cluster, so another database may be creating the same ones at this moment.

use super::Lock;
use super::steps::Steps;
use crate::catalogue::{Catalogue, Role, STOCKADE_OWNER};
use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::{Sql, sql};

/// What is wrong with the roles there are.
pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    let stockade = Ident::own(STOCKADE_OWNER);
    for owner in [&stockade, &model.owner] {
        let Some(role) = catalogue.roles.get(owner.as_str()) else { continue };
        if role.login {
            let note = "An owner is nobody's login: it could switch row-level security off. Not undone by down.";
            alter(note, &sql!("ALTER ROLE {} NOLOGIN", owner), steps);
        }
        weaken(owner, role, steps);
    }
    for name in [&model.app, &model.reader] {
        let Some(role) = catalogue.roles.get(name.as_str()) else { continue };
        weaken(name, role, steps);
        for owner in [&stockade, &model.owner] {
            if role.member_of.iter().any(|member| member == owner.as_str()) {
                let note = "A member of the owner can act as the owner. Not undone by down.";
                alter(note, &sql!("REVOKE {} FROM {}", owner, name), steps);
            }
        }
    }
}

/// Whether a role is missing, or the connected role cannot act as an owner.
pub(super) fn are_missing(model: &Model, catalogue: &Catalogue) -> bool {
    let role = |name: &str| catalogue.roles.get(name);
    let owners = [STOCKADE_OWNER, model.owner.as_str()];
    let logins = [model.app.as_str(), model.reader.as_str()];
    owners.iter().any(|name| role(name).is_none_or(|role| !role.usable))
        || logins.iter().any(|name| role(name).is_none())
}

/// The roles, for a cluster that may not have them. At the head of every plan, also where they are: a plan is written to a
/// file for the clusters it has not seen.
pub(super) fn create(model: &Model, steps: &mut Steps) {
    let stockade = Ident::own(STOCKADE_OWNER);
    for owner in [&stockade, &model.owner] {
        create_one(owner, &sql!("NOLOGIN"), steps);
        let grant = sql!(
            "IF NOT pg_catalog.pg_has_role(current_user, {}, 'USAGE') THEN\n        GRANT {} TO CURRENT_USER;\n      END IF",
            Literal::of(owner),
            owner
        );
        alter("Lets a migrating role that is no superuser act for the owner. Not undone by down.", &grant, steps);
    }
    for name in [&model.app, &model.reader] {
        create_one(name, &sql!("LOGIN"), steps);
    }
}

fn create_one(name: &Ident, attributes: &Sql, steps: &mut Steps) {
    let create = sql!(
        "IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}) THEN\n        CREATE ROLE {} {};\n      END IF",
        Literal::of(name),
        name,
        attributes
    );
    alter("Creates the role unless it is there. Roles belong to the cluster: down leaves it.", &create, steps);
}

/// Takes attributes away that no role of an application needs. Only those that it has: a role without superuser may not even
/// repeat that somebody is none.
fn weaken(name: &Ident, role: &Role, steps: &mut Steps) {
    let attributes = [
        (role.superuser, sql!("NOSUPERUSER")),
        (role.bypass, sql!("NOBYPASSRLS")),
        (role.create_role, sql!("NOCREATEROLE")),
        (role.create_db, sql!("NOCREATEDB")),
        (role.replication, sql!("NOREPLICATION")),
    ];
    for (held, attribute) in attributes {
        if held {
            let note = "Takes an attribute away that reaches past row-level security. Not undone by down.";
            alter(note, &sql!("ALTER ROLE {} {}", name, attribute), steps);
        }
    }
}

/// A change of the cluster's role tables: repeated when another database changes the same row (XX000, "tuple concurrently
/// updated"), and content when another has just created the role.
fn alter(note: &'static str, change: &Sql, steps: &mut Steps) {
    let body = sql!(
        "
BEGIN
  FOR attempt IN 1..20 LOOP
    BEGIN
      {};
      EXIT;
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN
        EXIT;
      WHEN internal_error THEN
        IF attempt = 20 THEN
          RAISE;
        END IF;
    END;
  END LOOP;
END
",
        change
    );
    steps.one_way(Lock::Catalogue, note, sql!("DO {}", body.dollar_quoted()));
}
