//! Rules about the tables: is what was declared in force?

use super::{Report, dotted};
use crate::catalogue::{Catalogue, Grant, Grants, Policy, Relation, RelationKind, STOCKADE_OWNER};
use crate::finding::Rule;
use crate::guard::{self, GuardFunction};
use crate::model::{Kind, Model, Table};
use crate::plan::{has_key, undeclared, wanted_policies};

pub(super) fn check(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    for name in undeclared(model, catalogue) {
        report.find(Rule::UndeclaredTable, dotted(model, &name));
    }
    for table in model.tables.iter().filter(|table| !table.is_exempt()) {
        let object = dotted(model, table.name.as_str());
        let Some(relation) = catalogue.relation(table.name.as_str()) else {
            report.find(Rule::UnprotectableTable, object);
            continue;
        };
        if relation.owner != model.owner.as_str() {
            report.find(Rule::WrongOwner, object.as_str());
        }
        check_privileges(model, table, relation, &object, report);
        check_tenant(model, table, relation, &object, report);
        if let Kind::Tenant { column, parent: Some(parent) } = &table.kind
            && !has_key(model, catalogue, table, column, parent)
        {
            report.find(Rule::ParentKeyMissing, object.as_str());
        }
        for trigger in guard::triggers(model, table) {
            let found = relation.triggers.get(trigger.name.as_str());
            if !found.is_some_and(|found| trigger.is(found)) {
                report.find(Rule::GuardBroken, object.as_str());
            }
        }
    }
    for function in guard::functions(model) {
        let found = catalogue.shared.functions.get(function.name.as_str());
        if !found.is_some_and(|found| function.is_defined_as(found) && GuardFunction::is_kept_by(found)) {
            report.find(Rule::GuardBroken, dotted_function(&function));
        }
    }
    check_guards(model, catalogue, report);
}

/// What the period guards need to see the periods: a guard that sees none lets everything through.
fn check_guards(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    if !model.has_period_guard() {
        return;
    }
    let lock = catalogue.shared.period_lock.as_ref();
    if !lock.is_some_and(|lock| lock.protected && lock.policy && lock.owner == STOCKADE_OWNER) {
        report.find(Rule::GuardBroken, "stockade.rls_period_lock");
    }
    let holds = |grants: &Grants, privilege: &str| grants.of(Some(STOCKADE_OWNER)).any(|g| g.privilege == privilege);
    if !catalogue.schema.as_ref().is_some_and(|schema| holds(&schema.grants, "USAGE")) {
        report.find(Rule::GuardBroken, model.schema.as_str());
    }
    for table in model.tables.iter().filter(|table| table.holds_periods) {
        let Some(relation) = catalogue.relation(table.name.as_str()) else { continue };
        let wanted = wanted_policies(model, table, relation);
        let guard = wanted.iter().find(|wanted| wanted.name.as_str() == "stockade_guard");
        let sees = guard.is_some_and(|guard| relation.policies.get(guard.name.as_str()) == Some(&guard.policy));
        let hides = |(name, policy): &(&String, &Policy)| !policy.permissive && *name != "stockade_tenant";
        for (name, _) in relation.policies.iter().filter(hides) {
            report.find(Rule::PeriodsHidden, [&dotted(model, table.name.as_str()), ".", name].concat());
        }
        if !sees || !holds(&relation.grants, "SELECT") {
            report.find(Rule::GuardBroken, dotted(model, table.name.as_str()));
        }
    }
}

fn check_tenant(model: &Model, table: &Table, relation: &Relation, object: &str, report: &mut Report) {
    let Some(tenant) = table.tenant_column() else { return };
    let column = relation.column(tenant.as_str());
    if relation.kind == RelationKind::Foreign || column.is_none_or(|column| column.data_type != "uuid") {
        report.find(Rule::UnprotectableTable, object);
        return;
    }
    if !relation.enabled {
        report.find(Rule::SecurityDisabled, object);
    }
    if !relation.forced {
        report.find(Rule::SecurityNotForced, object);
    }
    let wanted = wanted_policies(model, table, relation);
    for wanted in wanted.iter().filter(|wanted| wanted.name.as_str() != "stockade_guard") {
        let found = relation.policies.get(wanted.name.as_str());
        if found != Some(&wanted.policy) {
            let rule = if wanted.policy.permissive { Rule::AccessPolicy } else { Rule::TenantPolicy };
            report.find(rule, object);
        }
    }
    for (name, policy) in &relation.policies {
        if wanted.iter().any(|wanted| wanted.name.as_str() == name) {
            continue;
        }
        let open = [&policy.using, &policy.check].iter().any(|text| text.as_deref() == Some("true"));
        if policy.permissive && open {
            report.find(Rule::OpenPolicy, [object, ".", name].concat());
        }
        if policy.check.is_none() && policy.command.writes() {
            report.find(Rule::PolicyWithoutCheck, [object, ".", name].concat());
        }
    }
}

fn check_privileges(model: &Model, table: &Table, relation: &Relation, object: &str, report: &mut Report) {
    let app: Vec<&str> = table.app_may.iter().map(|privilege| privilege.keyword()).collect();
    let reader: &[&str] = if table.child_of.is_none() { &["SELECT"] } else { &[] };
    let roles = [(None, &[][..]), (Some(model.app.as_str()), &app[..]), (Some(model.reader.as_str()), reader)];
    for (role, wanted) in roles {
        let excess = |grant: &Grant| grant.grantable || !wanted.contains(&grant.privilege.as_str());
        if relation.grants.of(role).any(excess) {
            report.find(Rule::ExcessPrivilege, object);
        }
    }
}

fn dotted_function(function: &GuardFunction) -> String {
    ["stockade.", function.name.as_str()].concat()
}
