//! The views of the tenant's context, and the leases behind them.

use sqlx::PgConnection;

use super::STOCKADE_OWNER;
use crate::context::{self, Context, MINTER, View};

#[derive(Debug)]
pub(crate) struct ContextFacts {
    tenant: Option<ContextView>,
    actor: Option<ContextView>,
    /// The table of leases and its functions are there and are what this version makes.
    pub(crate) lease: bool,
    /// Roles, other than those meant, with a privilege on the leases or their functions; `None` is `PUBLIC`.
    pub(crate) strangers: Vec<Option<String>>,
    /// The schemas that declare leases.
    pub(crate) schemas: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct ContextView {
    /// On one line, without the table's alias.
    definition: String,
    barrier: bool,
    pub(crate) owner: String,
    pub(crate) readable: bool,
}

impl ContextFacts {
    pub(crate) fn view(&self, view: View) -> Option<&ContextView> {
        match view {
            View::Tenant => self.tenant.as_ref(),
            View::Actor => self.actor.as_ref(),
        }
    }

    /// Whether both views read the context in this way.
    pub(crate) fn is(&self, context: Context) -> bool {
        View::ALL.into_iter().all(|view| self.view(view).is_some_and(|found| found.is(view, context)))
    }
}

impl ContextView {
    pub(crate) fn is(&self, view: View, context: Context) -> bool {
        context.is(view, &self.definition, self.barrier)
    }
}

pub(super) async fn read(conn: &mut PgConnection) -> Result<ContextFacts, sqlx::Error> {
    Ok(ContextFacts {
        tenant: read_view(View::Tenant, conn).await?,
        actor: read_view(View::Actor, conn).await?,
        lease: read_lease(conn).await?,
        strangers: read_strangers(conn).await?,
        schemas: read_schemas(conn).await?,
    })
}

async fn read_view(view: View, conn: &mut PgConnection) -> Result<Option<ContextView>, sqlx::Error> {
    let row: Option<(String, bool, String, bool)> = sqlx::query_as(
        r"SELECT regexp_replace(regexp_replace(btrim(pg_get_viewdef(c.oid)), '\s+', ' ', 'g'), '\ml\.', '', 'g'),
                 'security_barrier=true' = ANY (coalesce(c.reloptions, '{}')), o.rolname::text,
                 EXISTS (SELECT FROM aclexplode(c.relacl) a WHERE a.grantee = 0 AND a.privilege_type = 'SELECT')
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
           WHERE n.nspname = 'stockade' AND c.relname = $1 AND c.relkind = 'v'",
    )
    .bind(view.name())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(definition, barrier, owner, readable)| ContextView { definition, barrier, owner, readable }))
}

async fn read_lease(conn: &mut PgConnection) -> Result<bool, sqlx::Error> {
    let (tables,): (i64,) = sqlx::query_as(
        "SELECT count(*)
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
          WHERE n.nspname = 'stockade' AND c.relname IN ('tenant_lease', 'lease_schema') AND c.relkind = 'r'
            AND o.rolname = $1",
    )
    .bind(STOCKADE_OWNER)
    .fetch_one(&mut *conn)
    .await?;
    let bodies: Vec<(String, String)> = sqlx::query_as(
        "SELECT p.proname::text, p.prosrc
           FROM pg_catalog.pg_proc p
           JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
           JOIN pg_catalog.pg_language l ON l.oid = p.prolang
           JOIN pg_catalog.pg_roles o ON o.oid = p.proowner
          WHERE n.nspname = 'stockade' AND l.lanname = 'plpgsql' AND p.prosecdef AND o.rolname = $1
            AND p.proconfig = '{\"search_path=pg_catalog, pg_temp\"}'
            AND (p.proname, pg_get_function_identity_arguments(p.oid)) IN (
                ('mint_lease', 'digest bytea, tenant_id uuid, lifetime interval, actor_id uuid, scopes text, read_only boolean'),
                ('revoke_lease', 'digest bytea'))
            AND EXISTS (SELECT FROM aclexplode(p.proacl) a JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
                         WHERE r.rolname = $2 AND a.privilege_type = 'EXECUTE')",
    )
    .bind(STOCKADE_OWNER)
    .bind(MINTER)
    .fetch_all(conn)
    .await?;
    let known = |(name, body): &(String, String)| match name.as_str() {
        "mint_lease" => body == context::body("$mint$"),
        _ => body == context::body("$revoke$"),
    };
    Ok(tables == 2 && bodies.len() == 2 && bodies.iter().all(known))
}

async fn read_strangers(conn: &mut PgConnection) -> Result<Vec<Option<String>>, sqlx::Error> {
    let rows: Vec<(Option<String>,)> = sqlx::query_as(
        "SELECT DISTINCT r.rolname::text
           FROM (SELECT c.relname::text AS object, c.relowner AS owner, a.*
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
                        aclexplode(c.relacl) a
                  WHERE n.nspname = 'stockade' AND c.relname IN ('tenant_lease', 'lease_schema')
                 UNION ALL
                 SELECT t.attname::text, c.relowner, a.*
                   FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                   JOIN pg_catalog.pg_attribute t ON t.attrelid = c.oid, aclexplode(t.attacl) a
                  WHERE n.nspname = 'stockade' AND c.relname IN ('tenant_lease', 'lease_schema')
                 UNION ALL
                 SELECT 'function', p.proowner, a.*
                   FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace,
                        aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                  WHERE n.nspname = 'stockade' AND p.proname IN ('mint_lease', 'revoke_lease')) x
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
          WHERE x.grantee <> x.owner
            AND (x.object, x.privilege_type, x.is_grantable, r.rolname::text) IS DISTINCT FROM ('function', 'EXECUTE', false, $1)
            AND (x.object, x.privilege_type, x.grantee) IS DISTINCT FROM ('lease_schema', 'SELECT', 0::oid)
          ORDER BY 1",
    )
    .bind(MINTER)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(name,)| name).collect())
}

async fn read_schemas(conn: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let there = sqlx::query("SELECT WHERE has_table_privilege(to_regclass('stockade.lease_schema'), 'SELECT')")
        .fetch_optional(&mut *conn)
        .await?;
    if there.is_none() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("SELECT s.name FROM stockade.lease_schema s ORDER BY s.name").fetch_all(conn).await
}
