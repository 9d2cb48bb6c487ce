//! Roles. They belong to the cluster, so another database may be creating the same ones at this moment.

use super::steps::Steps;
use super::{Lock, Skipped};
use crate::catalogue::{Catalogue, MAY_CREATE_BACKUP, Role, STOCKADE_OWNER};
use crate::context::{Context, MINTER};
use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::sql::{Sql, sql};

/// What is wrong with the roles there are.
pub(super) fn plan(model: &Model, catalogue: &Catalogue, steps: &mut Steps) -> Vec<Skipped> {
    let mut skipped = Vec::new();
    let (stockade, minter) = (Ident::own(STOCKADE_OWNER), Ident::own(MINTER));
    for owner in [&stockade, &model.owner] {
        let Some(role) = catalogue.roles.get(owner.as_str()) else { continue };
        if role.login {
            let note = "An owner is nobody's login: it could switch row-level security off. Not undone by down.";
            alter(note, &sql!("ALTER ROLE {} NOLOGIN", owner), steps);
        }
        weaken(owner, role, steps);
    }
    for name in model.roles().filter(|name| **name != model.owner) {
        let Some(role) = catalogue.roles.get(name.as_str()) else { continue };
        let bypass = role.bypass && model.backup.as_ref() != Some(name);
        weaken(name, &Role { bypass, ..role.clone() }, steps);
        for owner in [&stockade, &model.owner, &minter] {
            let member = role.member_of.iter().any(|member| member == owner.as_str());
            if member && (model.migrator.as_ref() != Some(name) || *owner != model.owner) {
                let note = "A member of an owner acts as the owner, a minter for any tenant. Not undone by down.";
                alter(note, &sql!("REVOKE {} FROM {}", owner, name), steps);
            }
        }
    }
    for name in [&model.purge, &model.eraser].into_iter().flatten() {
        if catalogue.roles.get(name.as_str()).is_some_and(|role| role.login) {
            let note = "A duty is granted to the login of a job, not logged in as. Not undone by down.";
            alter(note, &sql!("ALTER ROLE {} NOLOGIN", name), steps);
        }
    }
    plan_reader(model, catalogue, steps, &mut skipped);
    plan_migrator(model, catalogue, steps);
    plan_backup(model, catalogue, steps, &mut skipped);
    skipped
}

fn plan_reader(model: &Model, catalogue: &Catalogue, steps: &mut Steps, skipped: &mut Vec<Skipped>) {
    match catalogue.roles.get(model.reader.as_str()) {
        Some(role) if role.read_only => {}
        Some(role) if !role.alterable => skipped.push(Skipped::ReadOnly(model.reader.as_str().to_owned())),
        Some(_) => {
            let note = "A reader's transaction says that it only reads. Not undone by down.";
            alter(note, &read_only(&model.reader), steps);
        }
        None => {}
    }
}

fn plan_migrator(model: &Model, catalogue: &Catalogue, steps: &mut Steps) {
    let Some(migrator) = &model.migrator else { return };
    let Some(role) = catalogue.roles.get(migrator.as_str()) else { return };
    if role.inherit {
        let note = "The migrator acts as the owner only after SET ROLE. Not undone by down.";
        alter(note, &sql!("ALTER ROLE {} NOINHERIT", migrator), steps);
    }
    if !role.member_of.iter().any(|member| member == model.owner.as_str()) {
        let note = "The migrator may become the owner. Not undone by down.";
        alter(note, &sql!("GRANT {} TO {}", model.owner, migrator), steps);
    }
}

fn plan_backup(model: &Model, catalogue: &Catalogue, steps: &mut Steps, skipped: &mut Vec<Skipped>) {
    let Some(backup) = &model.backup else { return };
    let role = catalogue.roles.get(backup.as_str());
    let reads_all = |role: &Role| role.member_of.iter().any(|member| member == "pg_read_all_data");
    match role {
        Some(role) if role.bypass && reads_all(role) => {}
        _ if !catalogue.server.may_create_backup => skipped.push(Skipped::Backup(backup.as_str().to_owned())),
        Some(_) => {
            let note =
                "A dump under row-level security would be empty, and one that lacks a table fails. Not undone by down.";
            let up = sql!("ALTER ROLE {} BYPASSRLS;\n      GRANT pg_read_all_data TO {}", backup, backup);
            alter(note, &up, steps);
        }
        None => {}
    }
}

fn read_only(reader: &Ident) -> Sql {
    sql!("ALTER ROLE {} SET default_transaction_read_only = on", reader)
}

/// Whether a role is missing, or the connected role cannot act as an owner.
pub(super) fn are_missing(model: &Model, catalogue: &Catalogue) -> bool {
    let role = |name: &str| catalogue.roles.get(name);
    let owners = [STOCKADE_OWNER, model.owner.as_str()];
    let backup = model.backup.as_ref().filter(|_| !catalogue.server.may_create_backup);
    let minter = model.context == Context::Lease && role(MINTER).is_none();
    minter
        || owners.iter().any(|name| role(name).is_none_or(|role| !role.usable))
        || model.roles().filter(|name| Some(*name) != backup).any(|name| role(name.as_str()).is_none())
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
    create_one(&model.app, &sql!("LOGIN"), steps);
    create_one(&model.reader, &sql!("LOGIN;\n        {}", read_only(&model.reader)), steps);
    if let Some(migrator) = &model.migrator {
        create_one(migrator, &sql!("LOGIN NOINHERIT;\n        GRANT {} TO {}", model.owner, migrator), steps);
    }
    for name in [&model.purge, &model.eraser].into_iter().flatten() {
        create_one(name, &sql!("NOLOGIN"), steps);
    }
    if let Some(backup) = &model.backup {
        let may = Sql::from_catalogue(MAY_CREATE_BACKUP.to_owned());
        let attributes = sql!("LOGIN BYPASSRLS;\n        GRANT pg_read_all_data TO {}", backup);
        create_if(backup, &sql!(" AND ({})", may), &attributes, steps);
    }
    if let Some(investigator) = &model.investigator {
        create_one(investigator, &sql!("NOLOGIN"), steps);
    }
    if model.context == Context::Lease {
        create_one(&Ident::own(MINTER), &sql!("NOLOGIN"), steps);
    }
}

fn create_one(name: &Ident, attributes: &Sql, steps: &mut Steps) {
    create_if(name, &sql!(""), attributes, steps);
}

fn create_if(name: &Ident, condition: &Sql, attributes: &Sql, steps: &mut Steps) {
    let create = sql!(
        "IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {}){} THEN\n        CREATE ROLE {} {};\n      END IF",
        Literal::of(name),
        condition,
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
