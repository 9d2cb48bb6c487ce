//! Schema `stockade`: the guards' functions and their lock table.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::period_event::{self, PeriodEvent};

/// Owns schema `stockade` and what lies in it.
pub(crate) const OWNER: &str = "stockade_owner";

#[derive(Debug)]
pub(crate) struct Shared {
    /// The schema's owner; `None` when there is no such schema.
    pub(crate) schema_owner: Option<String>,
    /// `PUBLIC` may look into the schema.
    pub(crate) schema_usage: bool,
    /// This crate's functions (`stockade.rls_*`) by name and parameters.
    pub(crate) functions: BTreeMap<(String, String), Function>,
    pub(crate) period_lock: Option<PeriodLock>,
    pub(crate) period_event: Option<PeriodEvent>,
}

#[derive(Debug)]
pub(crate) struct PeriodLock {
    pub(crate) owner: String,
    pub(crate) protected: bool,
    pub(crate) policy: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) body: String,
    pub(crate) language: String,
    pub(crate) definer: bool,
    pub(crate) settings: Vec<String>,
    pub(crate) owner: String,
    /// Somebody besides the owner may execute it.
    pub(crate) executable: bool,
    /// Everybody may.
    pub(crate) public: bool,
    pub(crate) returns: String,
    pub(crate) definition: String,
}

pub(super) async fn read(conn: &mut PgConnection) -> Result<Shared, sqlx::Error> {
    let schema: Option<(String, bool)> = sqlx::query_as(
        "SELECT o.rolname::text, EXISTS (SELECT FROM aclexplode(n.nspacl) a WHERE a.grantee = 0 AND a.privilege_type = 'USAGE')
           FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner
          WHERE n.nspname = 'stockade'",
    )
    .fetch_optional(&mut *conn)
    .await?;
    let period_lock: Option<(String, bool, bool)> = sqlx::query_as(
        "SELECT o.rolname::text, c.relrowsecurity AND c.relforcerowsecurity,
                EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'stockade_guard')
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
          WHERE n.nspname = 'stockade' AND c.relname = 'rls_period_lock' AND c.relkind = 'r'",
    )
    .fetch_optional(&mut *conn)
    .await?;
    Ok(Shared {
        schema_usage: schema.as_ref().is_some_and(|(_, usage)| *usage),
        schema_owner: schema.map(|(owner, _)| owner),
        functions: read_functions(conn).await?,
        period_event: period_event::read(conn).await?,
        period_lock: period_lock.map(|(owner, protected, policy)| PeriodLock { owner, protected, policy }),
    })
}

type FunctionRow = (String, String, String, String, bool, Vec<String>, String, bool, bool, String, String);

async fn read_functions(conn: &mut PgConnection) -> Result<BTreeMap<(String, String), Function>, sqlx::Error> {
    let rows: Vec<FunctionRow> = sqlx::query_as(
        r"SELECT p.proname::text, pg_get_function_identity_arguments(p.oid), p.prosrc, l.lanname::text, p.prosecdef, coalesce(p.proconfig, '{}'), o.rolname::text,
                 EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                          WHERE a.grantee <> p.proowner),
                 EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0),
                 pg_get_function_result(p.oid), pg_get_functiondef(p.oid)
            FROM pg_catalog.pg_proc p
            JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
            JOIN pg_catalog.pg_language l ON l.oid = p.prolang
            JOIN pg_catalog.pg_roles o ON o.oid = p.proowner
           WHERE n.nspname = 'stockade' AND p.proname LIKE 'rls\_%' AND p.prokind = 'f'",
    )
    .fetch_all(conn)
    .await?;
    let function =
        |(name, parameters, body, language, definer, settings, owner, executable, public, returns, definition)| {
            let function =
                Function { body, language, definer, settings, owner, executable, public, returns, definition };
            ((name, parameters), function)
        };
    Ok(rows.into_iter().map(function).collect())
}
