//! The controls `rls.enabled`, `rls.forced`, `rls.policies` and `rls.role`, against what the schema is declared to be.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_rls_migrations::{Finding, Health, Rule, Schema, TableKind};

use super::{dotted, unreadable};
use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
    postgres::read_only::{close, open},
};

const NAME: &str = "rls_migrations.declaration";

const CONTROLS: [ControlId; 4] =
    [ControlId::RLS_ENABLED, ControlId::RLS_FORCED, ControlId::RLS_POLICIES, ControlId::RLS_ROLE];

/// Measures `rls.enabled`, `rls.forced`, `rls.policies` and `rls.role` by the rules of [`Schema::lint`].
///
/// What [`postgres::rls`](crate::postgres::rls) infers from a column's name is declared here, so this finds what that does not look
/// at: a table of the schema that nobody declared, a declared one that is missing, a policy that says something else than
/// declared, another tenant context, and functions that lend the application the rights of a role that row-level security does not bind.
///
/// Reads the catalogue only. Subjects are tables (`freight.loads`), roles, views and functions.
pub fn declaration<'a>(connection: &'a mut PgConnection, schema: &'a Schema) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let seen = compare(&mut reading, schema, at).await;
        close(reading, seen).await
    })
}

async fn compare(reading: &mut PgConnection, schema: &Schema, at: DateTime<Utc>) -> Result<Vec<Observation>, Error> {
    let health = schema.health(&mut *reading).await.map_err(unreadable)?;
    let findings = schema.lint(reading).await.map_err(unreadable)?;
    let mut failing: BTreeMap<(ControlId, &str), Vec<&Finding>> = BTreeMap::new();
    for finding in &findings {
        if let Some(control) = control(finding.rule()) {
            failing.entry((control, finding.object())).or_default().push(finding);
        }
    }
    let sound = |(control, object): &(ControlId, String)| !failing.contains_key(&(*control, &**object));
    let mut seen: Vec<Observation> = subjects(schema, &health)
        .filter(sound)
        .map(|(control, object)| Observation::pass(control, Subject::new(object), at).by(NAME))
        .collect();
    seen.extend(failing.into_iter().map(|((control, object), findings)| fail(control, object, &findings, at)));
    Ok(seen)
}

/// What passes unless there is a finding: the declared tables of tenants, and the declared roles.
fn subjects<'a>(schema: &'a Schema, health: &'a Health) -> impl Iterator<Item = (ControlId, String)> + 'a {
    let tables = health.tables().iter().filter(|table| matches!(table.kind, TableKind::Tenant { .. }));
    let of_tables = tables.flat_map(|table| {
        let name = dotted(schema, &table.name);
        [ControlId::RLS_ENABLED, ControlId::RLS_FORCED, ControlId::RLS_POLICIES].map(|control| (control, name.clone()))
    });
    of_tables.chain(health.roles().iter().map(|role| (ControlId::RLS_ROLE, role.name.clone())))
}

/// The control that a finding speaks to, if it is one of isolation that does not hold.
fn control(rule: Rule) -> Option<ControlId> {
    Some(match rule {
        Rule::UndeclaredTable | Rule::UnprotectableTable | Rule::SecurityDisabled => ControlId::RLS_ENABLED,
        Rule::SecurityNotForced => ControlId::RLS_FORCED,
        Rule::TenantPolicy | Rule::RowPolicy | Rule::ContextView | Rule::ContextPreset => ControlId::RLS_POLICIES,
        Rule::RoleBypasses
        | Rule::RoleMissing
        | Rule::RoleAttributes
        | Rule::RoleOwns
        | Rule::WrongOwner
        | Rule::DefinerView
        | Rule::MaterializedView
        | Rule::DefinerBypasses => ControlId::RLS_ROLE,
        _ => return None,
    })
}

fn fail(control: ControlId, object: &str, findings: &[&Finding], at: DateTime<Utc>) -> Observation {
    let reason = findings.first().map_or_else(String::new, |finding| match finding.detail() {
        Some(detail) => format!("{}: {detail}", finding.why()),
        None => finding.why().to_owned(),
    });
    let rules: Vec<&str> = findings.iter().map(|finding| finding.rule().id()).collect();
    let seen = Observation::fail(control, Subject::new(object), at, reason).fact("rules", rules.join(", ")).by(NAME);
    match findings.iter().find_map(|finding| finding.fix()) {
        Some(fix) => seen.remedy(fix),
        None => seen,
    }
}
