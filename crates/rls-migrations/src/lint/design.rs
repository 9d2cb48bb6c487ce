//! Rules about the design around the tables: oracles, definer's rights, slow policies, open doors.

use super::{Report, dotted, quoted};
use crate::catalogue::{Catalogue, Relation};
use crate::declaration::Hardening;
use crate::finding::Rule;
use crate::ident::Ident;
use crate::model::{Model, Table};
use crate::sql::{Sql, sql};

pub(super) fn check(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    for table in &model.tables {
        let (Some(tenant), Some(relation)) = (table.tenant_column(), catalogue.relation(table.name.as_str())) else {
            continue;
        };
        check_indexes(model, table, tenant, relation, report);
        check_foreign_keys(model, table, tenant, relation, report);
        check_policies(model, table, relation, report);
        if relation.column(tenant.as_str()).is_some_and(|column| !column.not_null) {
            let fix = sql!("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", model.qualified(&table.name), tenant);
            report.find_with_fix(Rule::TenantNullable, dotted(model, table.name.as_str()), &fix);
        }
    }
    check_views(model, catalogue, report);
    check_surroundings(model, catalogue, report);
}

fn check_indexes(model: &Model, table: &Table, tenant: &Ident, relation: &Relation, report: &mut Report) {
    let leads = |columns: &[Option<String>]| columns.first().and_then(Option::as_deref) == Some(tenant.as_str());
    if !relation.indexes.iter().any(|index| index.total && leads(&index.columns)) {
        let fix = sql!("CREATE INDEX CONCURRENTLY ON {} ({})", model.qualified(&table.name), tenant);
        report.find_with_fix(Rule::TenantNotIndexed, dotted(model, table.name.as_str()), &fix);
    }
    for index in relation.indexes.iter().filter(|index| index.unique) {
        if !index.columns.iter().any(|column| column.as_deref() == Some(tenant.as_str())) {
            report.find(Rule::UniqueWithoutTenant, dotted(model, &index.name));
        }
    }
}

/// A key to another tenant table that leaves the tenant out, unless a second key over the same columns has it.
fn check_foreign_keys(model: &Model, table: &Table, tenant: &Ident, relation: &Relation, report: &mut Report) {
    let carries = |columns: &[String]| columns.iter().any(|column| column == tenant.as_str());
    for key in &relation.foreign_keys {
        let parent = model.table(&key.parent.1).filter(|_| key.parent.0 == model.schema.as_str());
        if parent.and_then(Table::tenant_column).is_none() || carries(&key.columns) {
            continue;
        }
        let doubled = relation.foreign_keys.iter().any(|other| {
            other.parent == key.parent
                && carries(&other.columns)
                && key.columns.iter().all(|column| other.columns.contains(column))
        });
        if !doubled {
            let name = [table.name.as_str(), ".", &key.name].concat();
            report.find(Rule::ForeignKeyWithoutTenant, dotted(model, &name));
        }
    }
}

fn check_policies(model: &Model, table: &Table, relation: &Relation, report: &mut Report) {
    let tenant = table.tenant_column().and_then(|tenant| relation.column(tenant.as_str()));
    for (name, policy) in relation.policies.iter().filter(|(name, _)| !name.starts_with("stockade_")) {
        let object = dotted(model, &[table.name.as_str(), ".", name].concat());
        let texts = [&policy.using, &policy.check].into_iter().flatten();
        for text in texts {
            if text.contains("current_setting(") && !text.contains("SELECT") {
                report.find(Rule::BareSetting, object.as_str());
            }
            if fails_open(text) {
                report.find(Rule::FailOpenPolicy, object.as_str());
            }
            if tenant.is_some_and(|tenant| is_slow(text, &tenant.rendered)) {
                report.find(Rule::SlowPolicy, object.as_str());
            }
        }
    }
}

/// Whether an expression, as PostgreSQL writes it, has a way around the context: an alternative for when there is none, a
/// default for it, or an alternative that is always true.
fn fails_open(text: &str) -> bool {
    let reads = ["current_setting(", "current_tenant"].iter().any(|word| text.contains(word));
    let absent = ["IS NULL", "= ''::text", "IS NOT DISTINCT FROM"].iter().any(|word| text.contains(word));
    (reads && (text.contains("COALESCE(") || (text.contains(" OR ") && absent))) || text.contains(" OR true")
}

/// Whether an expression converts the tenant column, or asks another table for the tenants.
fn is_slow(text: &str, tenant: &str) -> bool {
    let start = |before: &str, after: &str| text.contains(&[before, tenant, after].concat());
    start("(", ")::") || start("(", " IN ( SELECT") || start("(", " = ANY (ARRAY( SELECT")
}

fn check_views(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    for view in &catalogue.surroundings.views {
        if model.table(&view.table).and_then(Table::tenant_column).is_none() {
            continue;
        }
        let object = [view.schema.as_str(), ".", &view.name].concat();
        if view.materialized {
            report.find(Rule::MaterializedView, object);
        } else if !view.invoker {
            let Some((schema, name)) = quoted(&view.schema, &view.name) else { continue };
            let fix = sql!("ALTER VIEW {}.{} SET (security_invoker = true)", schema, name);
            report.find_with_fix(Rule::DefinerView, object, &fix);
        }
    }
}

fn check_surroundings(model: &Model, catalogue: &Catalogue, report: &mut Report) {
    for definer in &catalogue.surroundings.definers {
        let signature = Sql::from_catalogue(definer.signature.clone());
        let fix = sql!("ALTER FUNCTION {} SET search_path = pg_catalog, {}, pg_temp", signature, model.schema);
        report.find_with_fix(Rule::DefinerSearchPath, definer.signature.as_str(), &fix);
    }
    let hardened = &catalogue.surroundings.hardened;
    for hardening in Hardening::ALL {
        let (rule, object, open) = match hardening {
            Hardening::PublicSchema if model.schema.as_str() == "public" => continue,
            Hardening::PublicSchema => (Rule::PublicSchema, "public", !hardened.public_schema.is_empty()),
            Hardening::TempTables => (Rule::TempTables, "database", hardened.temp),
            Hardening::SetConfig => (Rule::SetConfig, "pg_catalog.set_config", hardened.is_open(hardening)),
            Hardening::Activity => {
                (Rule::SessionActivity, "pg_catalog.pg_stat_get_activity", hardened.is_open(hardening))
            }
            Hardening::LargeObjects => (Rule::LargeObjectFunctions, "pg_catalog.lo_*", hardened.is_open(hardening)),
            Hardening::Notify => (Rule::NotifyFunction, "pg_catalog.pg_notify", hardened.is_open(hardening)),
            Hardening::Signals => {
                (Rule::SignalFunctions, "pg_catalog.pg_terminate_backend", hardened.is_open(hardening))
            }
        };
        if open {
            report.find(rule, object);
        }
    }
}
