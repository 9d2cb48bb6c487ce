//! Rules about the tables: is what was declared in force?

use super::{Report, dotted};
use crate::catalogue::{Catalogue, Grant, Grants, PeriodEvent, Policy, Relation, RelationKind, STOCKADE_OWNER};
use crate::declaration::Privilege;
use crate::drift::Change;
use crate::finding::Rule;
use crate::guard::{self, GuardFunction};
use crate::model::{Kind, Model, Table};
use crate::plan::{duties, has_key, has_view, undeclared, wanted_policies};

pub(super) fn check(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    for name in undeclared(model, catalogue) {
        report.differs(Change::Foreign, Rule::UndeclaredTable, &dotted(model, &name), "undeclared");
    }
    for table in model.tables.iter().filter(|table| !table.is_exempt()) {
        let object = dotted(model, table.name.as_str());
        let Some(relation) = catalogue.relation(table.name.as_str()) else {
            report.differs(Change::Missing, Rule::UnprotectableTable, &object, "no such table");
            continue;
        };
        if relation.owner != model.owner.as_str() {
            let what = ["belongs to ", &relation.owner].concat();
            report.differs(Change::Widened, Rule::WrongOwner, &object, what);
        }
        check_privileges(model, catalogue, table, relation, &object, report);
        check_tenant(model, table, relation, &object, report);
        if let Kind::Tenant { column, parent: Some(parent) } = &table.kind
            && !has_key(model, catalogue, table, column, parent)
        {
            let what = ["no foreign key to ", parent.table.as_str(), " holds the tenant"].concat();
            report.differs(Change::Missing, Rule::ParentKeyMissing, &object, what);
        }
        for trigger in guard::triggers(model, table) {
            let (change, how) = match relation.triggers.get(trigger.name.as_str()) {
                Some(found) if trigger.is(found) => continue,
                Some(_) => (Change::Widened, " is altered or not ENABLE ALWAYS"),
                None => (Change::Missing, " is missing"),
            };
            let what = ["trigger ", trigger.name.as_str(), how].concat();
            report.differs(change, Rule::GuardBroken, &object, what);
        }
    }
    for function in guard::functions(model) {
        let (change, what) = match function.found(&catalogue.shared) {
            None => (Change::Missing, "no such function"),
            Some(found) if !function.is_defined_as(found) => (Change::Widened, "says something else"),
            Some(found) if !function.is_kept_by(found) => (Change::Widened, "has another owner, or others may run it"),
            Some(_) => continue,
        };
        report.differs(change, Rule::GuardBroken, &dotted_function(&function), what);
    }
    for (table, deletion) in model.soft_deletes() {
        if !has_view(model, catalogue, table, deletion) {
            let what = "the view over the deleted rows is missing, or runs with its owner's rights";
            report.differs(Change::Missing, Rule::GuardBroken, &dotted(model, deletion.view.as_str()), what);
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
        let what = "the lock of the period guards is missing, open or not stockade_owner's";
        report.differs(Change::Widened, Rule::GuardBroken, "stockade.rls_period_lock", what);
    }
    if !catalogue.shared.period_event.as_ref().is_some_and(PeriodEvent::is_sound) {
        let what = "the log of adjustments and reopenings is missing, open or not stockade_owner's";
        report.differs(Change::Widened, Rule::GuardBroken, "stockade.rls_period_event", what);
    }
    let holds = |grants: &Grants, privilege: &str| grants.of(Some(STOCKADE_OWNER)).any(|g| g.privilege == privilege);
    if !catalogue.schema.as_ref().is_some_and(|schema| holds(&schema.grants, "USAGE")) {
        let what = "stockade_owner has no USAGE, so the period guard cannot look";
        report.differs(Change::Narrowed, Rule::GuardBroken, model.schema.as_str(), what);
    }
    for table in model.tables.iter().filter(|table| table.holds_periods.is_some()) {
        let Some(relation) = catalogue.relation(table.name.as_str()) else { continue };
        let wanted = wanted_policies(model, table, relation);
        let guard = wanted.iter().find(|wanted| wanted.name.as_str() == "stockade_guard");
        let sees =
            guard.is_some_and(|guard| relation.policies.get(guard.name.as_str()).is_some_and(|found| guard.is(found)));
        let own = |name: &str| wanted.iter().any(|wanted| wanted.name.as_str() == name);
        let hides = |(name, policy): &(&String, &Policy)| !policy.permissive && !own(name);
        for (name, _) in relation.policies.iter().filter(hides) {
            report.find(Rule::PeriodsHidden, [&dotted(model, table.name.as_str()), ".", name].concat());
        }
        if !sees || !holds(&relation.grants, "SELECT") {
            let what = "stockade_owner may not see the periods";
            report.differs(Change::Narrowed, Rule::GuardBroken, &dotted(model, table.name.as_str()), what);
        }
    }
}

fn check_tenant(model: &Model, table: &Table, relation: &Relation, object: &str, report: &mut Report) {
    let Some(tenant) = table.tenant_column() else { return };
    let column = relation.column(tenant.as_str());
    if relation.kind == RelationKind::Foreign || column.is_none_or(|column| column.data_type != "uuid") {
        let what = "a tenant table is no foreign table, and has a tenant column of type uuid";
        report.differs(Change::Missing, Rule::UnprotectableTable, object, what);
        return;
    }
    if !relation.enabled {
        report.differs(Change::Widened, Rule::SecurityDisabled, object, "row-level security is off");
    }
    if !relation.forced {
        report.differs(Change::Widened, Rule::SecurityNotForced, object, "the owner is not bound");
    }
    let wanted = wanted_policies(model, table, relation);
    for wanted in wanted.iter().filter(|wanted| wanted.name.as_str() != "stockade_guard") {
        let rule = match wanted.policy.permissive {
            _ if wanted.is_of_rows() => Rule::RowPolicy,
            true => Rule::AccessPolicy,
            false => Rule::TenantPolicy,
        };
        let (change, how) = match relation.policies.get(wanted.name.as_str()) {
            Some(found) if wanted.is(found) => continue,
            Some(_) => (Change::Widened, " says something else"),
            None if wanted.policy.permissive => (Change::Narrowed, " is missing"),
            None => (Change::Missing, " is missing"),
        };
        report.differs(change, rule, object, ["policy ", wanted.name.as_str(), how].concat());
    }
    for (name, policy) in &relation.policies {
        if wanted.iter().any(|wanted| wanted.name.as_str() == name) {
            continue;
        }
        report.drifts(Change::Foreign, object, ["policy ", name].concat());
        let open = [&policy.using, &policy.check].iter().any(|text| text.as_deref() == Some("true"));
        if policy.permissive && open {
            report.find(Rule::OpenPolicy, [object, ".", name].concat());
        }
        if policy.check.is_none() && policy.command.writes() {
            report.find(Rule::PolicyWithoutCheck, [object, ".", name].concat());
        }
    }
}

/// One grantee of one object: `None` is `PUBLIC`.
type Wanted<'a> = (Option<&'a str>, Vec<&'a str>);

fn check_privileges(
    model: &Model,
    catalogue: &Catalogue,
    table: &Table,
    relation: &Relation,
    object: &str,
    report: &mut Report,
) {
    let app: Vec<&str> = table.app_may.iter().map(|privilege| privilege.keyword()).collect();
    let duties = || duties(model, table).map(|(role, wanted)| (Some(role.as_str()), wanted.to_vec()));
    let everyone: [Wanted<'_>; 2] = [(None, vec![]), (Some(model.app.as_str()), app)];
    let mut wanted: Vec<Wanted<'_>> = everyone.into_iter().chain(duties()).collect();
    if table.soft_delete.is_some() && table.child_of.is_none() {
        // Its privileges are the matter of the guards' functions.
        wanted.push((Some(STOCKADE_OWNER), vec!["SELECT", "UPDATE"]));
    } else if table.holds_periods.is_some() {
        wanted.push((Some(STOCKADE_OWNER), vec!["SELECT"]));
    }
    check_grants(model, catalogue, object, &relation.grants, &wanted, Some(Rule::ExcessPrivilege), report);
    let inserts = table.app_may.contains(&Privilege::Insert);
    let everyone = [(None, vec![]), (Some(model.app.as_str()), if inserts { vec!["USAGE"] } else { vec![] })];
    let wanted: Vec<Wanted<'_>> = everyone.into_iter().chain(duties().map(|(role, _)| (role, vec![]))).collect();
    for sequence in &relation.sequences {
        let object = [&sequence.schema, ".", &sequence.name].concat();
        check_grants(model, catalogue, &object, &sequence.grants, &wanted, None, report);
    }
}

/// Holds what each role has against what it should have. An excess breaks the rule, if there is one for it.
pub(super) fn check_grants(
    model: &Model,
    catalogue: &Catalogue,
    object: &str,
    held: &Grants,
    wanted: &[Wanted<'_>],
    excess: Option<Rule>,
    report: &mut Report,
) {
    for (role, wanted) in wanted {
        let name = role.unwrap_or("PUBLIC");
        let beyond = |grant: &&Grant| grant.grantable || !wanted.contains(&grant.privilege.as_str());
        let beyond: Vec<String> = held.of(*role).filter(beyond).map(described).collect();
        if !beyond.is_empty() {
            let what = [name, " holds ", &beyond.join(", ")].concat();
            match excess {
                Some(rule) => report.differs(Change::Widened, rule, object, what),
                None => report.drifts(Change::Widened, object, what),
            }
        }
        // What everybody holds is an excess of its own.
        let holds = |role: Option<&str>, privilege: &str| {
            held.of(role).any(|grant| grant.column.is_none() && grant.privilege == privilege)
        };
        let absent = |privilege: &&&str| !holds(*role, privilege) && !holds(None, privilege);
        let missing: Vec<&str> = wanted.iter().filter(absent).copied().collect();
        // That a role is not there is said once.
        let there = role.is_some_and(|role| role != STOCKADE_OWNER && catalogue.roles.contains_key(role));
        if !missing.is_empty() && there {
            let what = [name, " lacks ", &missing.join(", ")].concat();
            report.differs(Change::Narrowed, Rule::PrivilegeMissing, object, what);
        }
    }
    let declared =
        |role: Option<&str>| role == Some(model.owner.as_str()) || wanted.iter().any(|(known, _)| *known == role);
    for role in held.grantees().filter(|role| !declared(*role)) {
        let privileges: Vec<String> = held.of(role).map(described).collect();
        let what = [role.unwrap_or("PUBLIC"), " holds ", &privileges.join(", ")].concat();
        report.drifts(Change::Foreign, object, what);
    }
}

fn described(grant: &Grant) -> String {
    let Grant { privilege, column, grantable } = grant;
    let column = column.as_ref().map_or_else(String::new, |column| [" (", column, ")"].concat());
    [privilege.as_str(), column.as_str(), if *grantable { " with grant option" } else { "" }].concat()
}

fn dotted_function(function: &GuardFunction) -> String {
    ["stockade.", function.name()].concat()
}
