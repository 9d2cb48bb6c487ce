//! The server, the schema itself, and what lies around its tables: views, functions, settings, hardening.

use sqlx::PgConnection;

use super::{Grant, Grants};
use crate::model::Model;

#[derive(Debug)]
pub(crate) struct Server {
    /// `server_version_num`: 150018 is 15.18.
    pub(crate) version: i32,
    /// The connected role.
    pub(crate) user: String,
}

#[derive(Debug)]
pub(crate) struct SchemaFacts {
    pub(crate) owner: String,
    pub(crate) grants: Grants,
}

#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) hardened: Hardened,
    /// Views and materialised views, of any schema, that read a table of this one.
    pub(crate) views: Vec<View>,
    /// `SECURITY DEFINER` functions of the schema without a fixed search path.
    pub(crate) definers: Vec<DefinerFunction>,
    /// Roles and databases that set `stockade.*` for new sessions; the application's first.
    pub(crate) preset_contexts: Vec<String>,
}

/// What a hardening step would change, and whether the connected role may.
#[derive(Debug)]
pub(crate) struct Hardened {
    /// Privileges of `PUBLIC` on schema `public`.
    pub(crate) public_schema: Vec<String>,
    pub(crate) may_public_schema: bool,
    pub(crate) temp: bool,
    pub(crate) may_temp: bool,
    pub(crate) set_config: bool,
    pub(crate) may_set_config: bool,
}

#[derive(Debug)]
pub(crate) struct View {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) materialized: bool,
    pub(crate) invoker: bool,
    /// The table of the schema that it reads.
    pub(crate) table: String,
}

#[derive(Debug)]
pub(crate) struct DefinerFunction {
    /// With its argument types, quoted.
    pub(crate) signature: String,
}

pub(super) async fn read_server(conn: &mut PgConnection) -> Result<Server, sqlx::Error> {
    let (version, user) = sqlx::query_as("SELECT current_setting('server_version_num')::int4, current_user::text")
        .fetch_one(conn)
        .await?;
    Ok(Server { version, user })
}

pub(super) async fn read_schema(schema: &str, conn: &mut PgConnection) -> Result<Option<SchemaFacts>, sqlx::Error> {
    let rows: Vec<(String, Option<String>, Option<String>, bool)> = sqlx::query_as(
        "SELECT o.rolname::text, r.rolname::text, a.privilege_type, coalesce(a.is_grantable, false)
           FROM pg_catalog.pg_namespace n
           JOIN pg_catalog.pg_roles o ON o.oid = n.nspowner
           LEFT JOIN LATERAL aclexplode(n.nspacl) a ON a.grantee <> n.nspowner
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
          WHERE n.nspname = $1",
    )
    .bind(schema)
    .fetch_all(conn)
    .await?;
    let mut facts: Option<SchemaFacts> = None;
    for (owner, grantee, privilege, grantable) in rows {
        let facts = facts.get_or_insert_with(|| SchemaFacts { owner, grants: Grants::default() });
        if let Some(privilege) = privilege {
            facts.grants.add(grantee, Grant { privilege, column: None, grantable });
        }
    }
    Ok(facts)
}

pub(super) async fn read(model: &Model, conn: &mut PgConnection) -> Result<Surroundings, sqlx::Error> {
    let schema = model.schema.as_str();
    let (public_schema, may_public_schema, temp, may_temp, set_config, may_set_config) = sqlx::query_as(
        "SELECT ARRAY(SELECT a.privilege_type FROM pg_catalog.pg_namespace n, aclexplode(n.nspacl) a
                       WHERE n.nspname = 'public' AND a.grantee = 0 ORDER BY 1),
                EXISTS (SELECT FROM pg_catalog.pg_namespace n
                         WHERE n.nspname = 'public' AND pg_has_role(current_user, n.nspowner, 'USAGE')),
                EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
                         WHERE a.grantee = 0 AND a.privilege_type = 'TEMPORARY'),
                pg_has_role(current_user, d.datdba, 'USAGE'),
                EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee = 0),
                pg_has_role(current_user, p.proowner, 'USAGE')
           FROM pg_catalog.pg_database d, pg_catalog.pg_proc p
          WHERE d.datname = current_database()
            AND p.oid = 'pg_catalog.set_config(text,text,boolean)'::regprocedure",
    )
    .fetch_one(&mut *conn)
    .await?;
    let views: Vec<(String, String, bool, bool, String)> = sqlx::query_as(
        "SELECT DISTINCT vn.nspname::text, v.relname::text, v.relkind = 'm',
                coalesce((SELECT o.option_value::boolean FROM pg_options_to_table(v.reloptions) o
                           WHERE o.option_name = 'security_invoker'), false),
                c.relname::text
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid
                AND d.classid = 'pg_catalog.pg_rewrite'::regclass
           JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
           JOIN pg_catalog.pg_class v ON v.oid = w.ev_class AND v.oid <> c.oid AND v.relkind IN ('v', 'm')
           JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
          WHERE n.nspname = $1
          ORDER BY 1, 2, 5",
    )
    .bind(schema)
    .fetch_all(&mut *conn)
    .await?;
    let definers: Vec<(String,)> = sqlx::query_as(
        "SELECT p.oid::regprocedure::text
           FROM pg_catalog.pg_proc p
           JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
          WHERE n.nspname = $1 AND p.prosecdef
            AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%')
          ORDER BY 1",
    )
    .bind(schema)
    .fetch_all(&mut *conn)
    .await?;
    let presets: Vec<(String,)> = sqlx::query_as(
        "SELECT DISTINCT coalesce(r.rolname, d.datname)::text
           FROM pg_catalog.pg_db_role_setting s
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
           LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
          WHERE (s.setdatabase = 0 OR d.datname = current_database())
            AND (s.setrole = 0 OR r.rolname::text = ANY ($1))
            AND EXISTS (SELECT FROM unnest(s.setconfig) x WHERE x LIKE 'stockade.%')
          ORDER BY 1",
    )
    .bind([&model.owner, &model.app, &model.reader].map(|role| role.as_str().to_owned()).to_vec())
    .fetch_all(conn)
    .await?;
    let view = |(schema, name, materialized, invoker, table)| View { schema, name, materialized, invoker, table };
    Ok(Surroundings {
        hardened: Hardened { public_schema, may_public_schema, temp, may_temp, set_config, may_set_config },
        views: views.into_iter().map(view).collect(),
        definers: definers.into_iter().map(|(signature,)| DefinerFunction { signature }).collect(),
        preset_contexts: presets.into_iter().map(|(name,)| name).collect(),
    })
}
