//! Rules about roles, the context and the server.

use super::Report;
use super::isolation::check_grants;
use crate::catalogue::{Catalogue, Role, STOCKADE_OWNER};
use crate::context::{Context, View};
use crate::drift::Change;
use crate::finding::Rule;
use crate::health;
use crate::ident::Ident;
use crate::model::Model;
use crate::sql::sql;

/// What a backup is a member of, so that a dump lacks no table.
const READS_ALL: &str = "pg_read_all_data";

pub(super) fn check(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    check_server(catalogue.server.version, report);
    for owner in [model.owner.clone(), Ident::own(STOCKADE_OWNER)] {
        let Some(role) = existing(owner.as_str(), catalogue, report) else { continue };
        if role.login && role.superuser {
            // Somebody's way in, perhaps the only one: the tables need another owner, not this role another attribute.
            report.differs(Change::Widened, Rule::OwnerLogin, owner.as_str(), "can log in");
        } else if role.login {
            let fix = sql!("ALTER ROLE {} NOLOGIN", owner);
            report.differs_with_fix(Change::Widened, Rule::OwnerLogin, owner.as_str(), "can log in", &fix);
        }
        if role.superuser || role.bypass {
            report.differs(Change::Widened, Rule::RoleBypasses, owner.as_str(), "superuser or BYPASSRLS");
        }
    }
    for name in model.roles().filter(|name| **name != model.owner) {
        let Some(role) = existing(name.as_str(), catalogue, report) else { continue };
        check_login(model, name, role, report);
    }
    check_context(model, catalogue, report);
    check_schema(model, catalogue, report);
}

fn existing<'a>(name: &str, catalogue: &'a Catalogue, report: &mut Report) -> Option<&'a Role> {
    let role = catalogue.roles.get(name);
    if role.is_none() {
        report.differs(Change::Missing, Rule::RoleMissing, name, "no such role");
    }
    role
}

/// A role that somebody connects as, or that is granted to one.
fn check_login(model: &Model, name: &Ident, role: &Role, report: &mut Report) {
    let is = |duty: &Option<Ident>| duty.as_ref() == Some(name);
    if role.superuser || (role.bypass && !is(&model.backup)) {
        let fix = sql!("ALTER ROLE {} NOSUPERUSER NOBYPASSRLS", name);
        let what = "superuser or BYPASSRLS";
        report.differs_with_fix(Change::Widened, Rule::RoleBypasses, name.as_str(), what, &fix);
    }
    if role.create_role || role.create_db || role.replication {
        let fix = sql!("ALTER ROLE {} NOCREATEROLE NOCREATEDB NOREPLICATION", name);
        let what = "CREATEROLE, CREATEDB or REPLICATION";
        report.differs_with_fix(Change::Widened, Rule::RoleAttributes, name.as_str(), what, &fix);
    }
    for other in role.can_become.iter().filter_map(|other| Ident::new(other).ok()) {
        if (is(&model.migrator) && other == model.owner) || (is(&model.backup) && other.as_str() == READS_ALL) {
            continue;
        }
        let what = ["can become ", other.as_str()].concat();
        // A membership through a third role is not taken away by naming the two ends of it.
        if role.member_of.iter().any(|member| member == other.as_str()) {
            let fix = sql!("REVOKE {} FROM {}", other, name);
            report.differs_with_fix(Change::Widened, Rule::RoleBypasses, name.as_str(), what, &fix);
        } else {
            report.differs(Change::Widened, Rule::RoleBypasses, name.as_str(), what);
        }
    }
}

fn check_schema(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    let Some(facts) = &catalogue.schema else { return };
    let object = model.schema.as_str();
    if facts.owner != model.owner.as_str() {
        report.differs(Change::Widened, Rule::WrongOwner, object, ["belongs to ", &facts.owner].concat());
    }
    for role in std::iter::once(None).chain(model.users().map(|role| Some(role.as_str()))) {
        if facts.grants.of(role).any(|grant| grant.privilege == "CREATE") {
            let what = [role.unwrap_or("PUBLIC"), " may create objects"].concat();
            report.differs(Change::Widened, Rule::SchemaCreate, object, what);
        }
    }
    let mut wanted = vec![(None, vec![])];
    wanted.extend(model.users().map(|role| (Some(role.as_str()), vec!["USAGE"])));
    if model.has_period_guard() {
        wanted.push((Some(STOCKADE_OWNER), vec!["USAGE"]));
    }
    check_grants(model, catalogue, object, &facts.grants, &wanted, None, report);
}

fn check_server(version: i32, report: &mut Report) {
    if !health::is_safe(version) {
        report.find(Rule::ServerVersion, "server");
    }
}

fn check_context(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    for view in View::ALL {
        let wrong = match catalogue.context.view(view) {
            None => Some((Change::Missing, "no such view")),
            Some(found) if !found.is(view, model.context) => Some((Change::Widened, "says something else")),
            Some(found) if found.owner != STOCKADE_OWNER => Some((Change::Widened, "belongs to somebody else")),
            Some(found) if !found.readable => Some((Change::Narrowed, "not everybody may read it")),
            Some(_) => None,
        };
        if let Some((change, what)) = wrong {
            report.differs(change, Rule::ContextView, &["stockade.", view.name()].concat(), what);
        }
    }
    let facts = &catalogue.context;
    let joined = facts.schemas.iter().any(|name| name == model.schema.as_str());
    if model.context == Context::Lease && !(facts.lease && facts.strangers.is_empty() && joined) {
        let what = "missing, changed, or open to others than the minter";
        report.differs(Change::Widened, Rule::ContextView, "stockade.tenant_lease", what);
    }
    for name in &catalogue.surroundings.preset_contexts {
        report.differs(Change::Foreign, Rule::ContextPreset, name, "sets stockade.* for new sessions");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_found() {
        let mut report = Report::default();
        check_server(150_014, &mut report);
        assert_eq!(report.findings, []);
        check_server(150_013, &mut report);
        assert_eq!(report.findings.first().map(crate::Finding::rule), Some(Rule::ServerVersion));
    }
}
