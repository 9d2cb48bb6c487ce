//! Rules about roles, the context and the server.

use super::Report;
use crate::catalogue::{Catalogue, STOCKADE_OWNER};
use crate::finding::Rule;
use crate::health;
use crate::ident::Ident;
use crate::model::Model;
use crate::sql::sql;

/// How PostgreSQL writes the view that the crates of this family create.
const CONTEXT: &str =
    "SELECT (NULLIF(current_setting('stockade.tenant_id'::text, true), ''::text))::uuid AS tenant_id;";

pub(super) fn check(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    check_server(catalogue.server.version, report);
    for owner in [model.owner.clone(), Ident::own(STOCKADE_OWNER)] {
        match catalogue.roles.get(owner.as_str()) {
            None => report.find(Rule::RoleMissing, owner.as_str()),
            Some(role) => {
                if role.login {
                    report.find_with_fix(Rule::OwnerLogin, owner.as_str(), &sql!("ALTER ROLE {} NOLOGIN", owner));
                }
                if role.superuser || role.bypass {
                    report.find(Rule::RoleBypasses, owner.as_str());
                }
            }
        }
    }
    for name in [&model.app, &model.reader] {
        match catalogue.roles.get(name.as_str()) {
            None => report.find(Rule::RoleMissing, name.as_str()),
            Some(role) => {
                if role.superuser || role.bypass {
                    let fix = sql!("ALTER ROLE {} NOSUPERUSER NOBYPASSRLS", name);
                    report.find_with_fix(Rule::RoleBypasses, name.as_str(), &fix);
                }
                for other in role.can_become.iter().filter_map(|other| Ident::new(other).ok()) {
                    // A membership through a third role is not taken away by naming the two ends of it.
                    if role.member_of.iter().any(|member| member == other.as_str()) {
                        let fix = sql!("REVOKE {} FROM {}", other, name);
                        report.find_with_fix(Rule::RoleBypasses, name.as_str(), &fix);
                    } else {
                        report.find(Rule::RoleBypasses, name.as_str());
                    }
                }
            }
        }
    }
    check_context(catalogue, report);
    if let Some(facts) = &catalogue.schema {
        let roles = [None, Some(model.app.as_str()), Some(model.reader.as_str())];
        let creates = |role| facts.grants.of(role).any(|grant| grant.privilege == "CREATE");
        if roles.into_iter().any(creates) {
            report.find(Rule::SchemaCreate, model.schema.as_str());
        }
        if facts.owner != model.owner.as_str() {
            report.find(Rule::WrongOwner, model.schema.as_str());
        }
    }
}

fn check_server(version: i32, report: &mut Report) {
    if !health::is_safe(version) {
        report.find(Rule::ServerVersion, "server");
    }
}

fn check_context(catalogue: &Catalogue, report: &mut Report) {
    let known =
        catalogue.shared.context.as_ref().is_some_and(|context| {
            context.definition == CONTEXT && context.owner == STOCKADE_OWNER && context.readable
        });
    if !known {
        report.find(Rule::ContextView, "stockade.current_tenant");
    }
    for name in &catalogue.surroundings.preset_contexts {
        report.find(Rule::ContextPreset, name.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_found() {
        let mut report = Report::default();
        check_server(150_014, &mut report);
        assert_eq!(report.0, []);
        check_server(150_013, &mut report);
        assert_eq!(report.0.first().map(crate::Finding::rule), Some(Rule::ServerVersion));
    }
}
