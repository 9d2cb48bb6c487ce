//! The server, the schema itself, and what lies around its tables: views, functions, settings, hardening.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::{Grant, Grants};
use crate::declaration::Hardening;
use crate::model::Model;

/// Whether the role that runs a plan may create a login with BYPASSRLS that reads every table: since PostgreSQL 16, whoever
/// has both to hand on.
pub(crate) const MAY_CREATE_BACKUP: &str = "SELECT u.rolsuper OR u.rolcreaterole AND u.rolbypassrls
                       AND current_setting('server_version_num')::int4 >= 160000
                       AND pg_catalog.pg_has_role(current_user, 'pg_read_all_data', 'MEMBER WITH ADMIN OPTION')
                  FROM pg_catalog.pg_roles u WHERE u.rolname = current_user";

#[derive(Debug)]
pub(crate) struct Server {
    /// `server_version_num`: 150018 is 15.18.
    pub(crate) version: i32,
    /// The connected role.
    pub(crate) user: String,
    /// Whether it may create a login with BYPASSRLS that reads every table.
    pub(crate) may_create_backup: bool,
}

#[derive(Debug)]
pub(crate) struct SchemaFacts {
    pub(crate) owner: String,
    pub(crate) grants: Grants,
}

#[derive(Debug)]
pub(crate) struct Surroundings {
    pub(crate) hardened: Hardened,
    /// Views and materialised views, of any schema, that read a table of this one, themselves or through other views.
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
    /// The functions of [`Hardening`], by their signatures there.
    pub(crate) functions: BTreeMap<String, Execute>,
}

/// Who may execute a function.
#[derive(Debug)]
pub(crate) struct Execute {
    pub(crate) public: bool,
    /// By name, without the owner.
    pub(crate) roles: Vec<String>,
    /// Whether the connected role may change that.
    pub(crate) may: bool,
}

impl Hardened {
    /// Whether `PUBLIC` may execute one of the functions.
    pub(crate) fn is_open(&self, hardening: Hardening) -> bool {
        self.of(hardening).any(|(_, execute)| execute.public)
    }

    /// The functions behind one hardening that the server has.
    pub(crate) fn of(&self, hardening: Hardening) -> impl Iterator<Item = (&'static str, &Execute)> {
        let functions = hardening.functions().iter();
        functions.filter_map(|signature| Some((*signature, self.functions.get(*signature)?)))
    }
}

#[derive(Debug)]
pub(crate) struct View {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) materialized: bool,
    pub(crate) invoker: bool,
    /// Says `security_invoker = false`, rather than nothing.
    pub(crate) says_definer: bool,
    /// Whether the connected role may alter it.
    pub(crate) changeable: bool,
    /// The table of the schema that it reads.
    pub(crate) table: String,
}

#[derive(Debug)]
pub(crate) struct DefinerFunction {
    /// With its argument types, quoted.
    pub(crate) signature: String,
    /// Whether the connected role may alter it.
    pub(crate) changeable: bool,
}

pub(super) async fn read_server(conn: &mut PgConnection) -> Result<Server, sqlx::Error> {
    let (version, user) = sqlx::query_as("SELECT current_setting('server_version_num')::int4, current_user::text")
        .fetch_one(&mut *conn)
        .await?;
    let may_create_backup = sqlx::query_scalar(MAY_CREATE_BACKUP).fetch_one(conn).await?;
    Ok(Server { version, user, may_create_backup })
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
    let (public_schema, may_public_schema, temp, may_temp) = sqlx::query_as(
        "SELECT ARRAY(SELECT a.privilege_type FROM pg_catalog.pg_namespace n, aclexplode(n.nspacl) a
                       WHERE n.nspname = 'public' AND a.grantee = 0 ORDER BY 1),
                EXISTS (SELECT FROM pg_catalog.pg_namespace n
                         WHERE n.nspname = 'public' AND pg_has_role(current_user, n.nspowner, 'USAGE')),
                EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
                         WHERE a.grantee = 0 AND a.privilege_type = 'TEMPORARY'),
                pg_has_role(current_user, d.datdba, 'USAGE')
           FROM pg_catalog.pg_database d
          WHERE d.datname = current_database()",
    )
    .fetch_one(&mut *conn)
    .await?;
    let functions = read_functions(conn).await?;
    let views: Vec<(String, String, bool, Option<bool>, bool, String)> = sqlx::query_as(
        "WITH RECURSIVE reads (reader, source) AS (
                SELECT c.oid, c.oid
                  FROM pg_catalog.pg_class c
                  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                 WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f')
                 UNION
                SELECT w.ev_class, r.source
                  FROM reads r
                  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = r.reader
                       AND d.classid = 'pg_catalog.pg_rewrite'::regclass
                  JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid)
         SELECT vn.nspname::text, v.relname::text, v.relkind = 'm',
                (SELECT o.option_value::boolean FROM pg_options_to_table(v.reloptions) o
                  WHERE o.option_name = 'security_invoker'),
                pg_has_role(current_user, v.relowner, 'USAGE'), c.relname::text
           FROM reads r
           JOIN pg_catalog.pg_class v ON v.oid = r.reader AND v.relkind IN ('v', 'm')
           JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
           JOIN pg_catalog.pg_class c ON c.oid = r.source
          ORDER BY 1, 2, 6",
    )
    .bind(schema)
    .fetch_all(&mut *conn)
    .await?;
    let definers: Vec<(String, bool)> = sqlx::query_as(
        "SELECT p.oid::regprocedure::text, pg_has_role(current_user, p.proowner, 'USAGE')
           FROM pg_catalog.pg_proc p
           JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
          WHERE n.nspname = $1 AND p.prosecdef
            AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%')
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                             WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
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
    let view = |(schema, name, materialized, invoker, changeable, table): (_, _, _, Option<bool>, _, _)| {
        let (says_definer, invoker) = (invoker == Some(false), invoker == Some(true));
        View { schema, name, materialized, invoker, says_definer, changeable, table }
    };
    let definer = |(signature, changeable)| DefinerFunction { signature, changeable };
    Ok(Surroundings {
        hardened: Hardened { public_schema, may_public_schema, temp, may_temp, functions },
        views: views.into_iter().map(view).collect(),
        definers: definers.into_iter().map(definer).collect(),
        preset_contexts: presets.into_iter().map(|(name,)| name).collect(),
    })
}

async fn read_functions(conn: &mut PgConnection) -> Result<BTreeMap<String, Execute>, sqlx::Error> {
    let signatures: Vec<&str> = Hardening::ALL.iter().flat_map(|hardening| hardening.functions()).copied().collect();
    let rows: Vec<(String, bool, Vec<String>, bool)> = sqlx::query_as(
        "SELECT s, coalesce(bool_or(a.grantee = 0), false),
                coalesce(array_agg(r.rolname::text) FILTER (WHERE r.oid <> p.proowner), '{}'),
                pg_has_role(current_user, p.proowner, 'USAGE')
           FROM unnest($1) s
           JOIN pg_catalog.pg_proc p ON p.oid = to_regprocedure(s)
           LEFT JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a ON true
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
          GROUP BY s, p.proowner",
    )
    .bind(signatures)
    .fetch_all(conn)
    .await?;
    let execute = |(signature, public, roles, may)| (signature, Execute { public, roles, may });
    Ok(rows.into_iter().map(execute).collect())
}
