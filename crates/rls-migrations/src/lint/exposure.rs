//! Rules that are each one query of the server's catalogue, in `sql/`: what lies around the tenant tables.
//!
//! A query gives the object, what was seen and, where it does not depend on what the application means, the SQL that
//! repairs it, quoted by PostgreSQL. All of them take the same parameters: the schema, its tenant tables and their tenant
//! columns, the application's roles, the owner, the exempt tables and the shared ones.

use sqlx::PgConnection;

use super::Report;
use crate::finding::{Finding, Rule};
use crate::model::{Kind, Model};

/// A rule and its query.
macro_rules! queries {
    ($($rule:ident $file:literal),+ $(,)?) => {
        [$((Rule::$rule, include_str!(concat!("sql/", $file, ".sql")))),+]
    };
}

const QUERIES: [(Rule, &str); 23] = queries![
    DefaultPrivileges "default_privileges",
    DefinerBypasses "definer_bypasses",
    DefinerSearchPath "definer_temp_path",
    ForeignServer "foreign_server",
    ImmutablePolicy "immutable_policy",
    LargeObjects "large_objects",
    LeakproofFunction "leakproof_function",
    LeakyIndex "leaky_index",
    NoBackupRole "no_backup_role",
    NotValidated "not_validated",
    OpenSchema "open_schema",
    PolicyFunction "policy_function",
    Published "published",
    ReachableUnprotected "reachable_unprotected",
    ReachingExtension "reaching_extension",
    RoleOwns "role_owns",
    SequenceReadable "sequence_readable",
    StrangerPrivilege "stranger_privilege",
    TableRule "table_rule",
    TriggerDisabled "trigger_disabled",
    TriggerNotAlways "trigger_not_always",
    UnloggedTable "unlogged_table",
    PrivilegedSession "privileged_session",
];

type Row = (String, Option<String>, Option<String>);

pub(super) async fn check(model: &Model, conn: &mut PgConnection, report: &mut Report) -> Result<(), sqlx::Error> {
    let tables = |wanted: fn(&Kind) -> bool| -> Vec<&str> {
        model.tables.iter().filter(|table| wanted(&table.kind)).map(|table| table.name.as_str()).collect()
    };
    let tenant = tables(|kind| matches!(kind, Kind::Tenant { .. }));
    let columns: Vec<&str> =
        model.tables.iter().filter_map(|table| table.tenant_column()).map(|column| column.as_str()).collect();
    let exempt = tables(|kind| matches!(kind, Kind::Exempt { .. }));
    let shared = tables(|kind| matches!(kind, Kind::Shared));
    let roles: Vec<&str> = model.users().map(|role| role.as_str()).collect();
    let sessions: bool =
        sqlx::query_scalar("SELECT has_function_privilege('pg_catalog.pg_stat_get_activity(int4)', 'EXECUTE')")
            .fetch_one(&mut *conn)
            .await?;
    for (rule, query) in QUERIES {
        if rule == Rule::PrivilegedSession && !sessions {
            continue;
        }
        let rows: Vec<Row> = sqlx::query_as(query)
            .bind(model.schema.as_str())
            .bind(&tenant)
            .bind(&columns)
            .bind(&roles)
            .bind(model.owner.as_str())
            .bind(&exempt)
            .bind(&shared)
            .fetch_all(&mut *conn)
            .await?;
        for (object, detail, fix) in rows {
            report.add(Finding { rule, object, detail, fix });
        }
    }
    Ok(())
}
