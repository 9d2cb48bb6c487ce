//! The control `rls.role`: whether the application can step around row-level security.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::RlsScope;
use crate::{
    control::ControlId,
    observation::{Observation, Subject},
};

/// Membership counts even where it is not inherited, because `SET ROLE` is enough.
const ROLE: &str = "
    SELECT quote_ident(r.rolname) AS quoted, r.rolsuper AS superuser, r.rolbypassrls AS bypassrls, r.rolcreaterole AS createrole,
           (SELECT min(x.rolname::text) FROM pg_roles x
             WHERE x.oid <> r.oid AND (x.rolsuper OR x.rolbypassrls) AND pg_has_role(r.oid, x.oid, 'MEMBER')) AS can_become,
           (SELECT min(c.relname::text) FROM pg_class c
              JOIN pg_namespace n ON n.oid = c.relnamespace
              JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
             WHERE n.nspname = $2 AND a.attname = $3 AND c.relkind IN ('r', 'p', 'f')
               AND pg_has_role(r.oid, c.relowner, 'MEMBER')) AS owns
      FROM pg_roles r
     WHERE r.rolname = $1";

/// Views of any schema that read a tenant table directly and that the role may use in any way.
const VIEWS: &str = "
    SELECT DISTINCT format('%I.%I', n.nspname, v.relname) AS qualified, v.relkind = 'm' AS is_materialized,
           coalesce((SELECT bool_or(CASE o.option_name WHEN 'security_invoker' THEN o.option_value::boolean END)
                       FROM pg_options_to_table(v.reloptions) o), false) AS is_invoker
      FROM pg_depend d
      JOIN pg_rewrite w ON w.oid = d.objid
      JOIN pg_class v ON v.oid = w.ev_class
      JOIN pg_namespace n ON n.oid = v.relnamespace
     WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
       AND d.refobjid = ANY ($2::oid[]) AND v.relkind IN ('v', 'm')
       AND (has_table_privilege($1::name, v.oid, 'SELECT, INSERT, UPDATE, DELETE')
            OR has_any_column_privilege($1::name, v.oid, 'SELECT, INSERT, UPDATE'))
     ORDER BY 1";

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Role {
    quoted: String,
    superuser: bool,
    bypassrls: bool,
    createrole: bool,
    can_become: Option<String>,
    owns: Option<String>,
}

#[derive(Debug, sqlx::FromRow)]
pub(super) struct View {
    qualified: String,
    is_materialized: bool,
    is_invoker: bool,
}

/// The schema is part of the name, because ownership is looked at within it.
pub(super) fn subject(scope: &RlsScope) -> Subject {
    Subject::new(format!("role {} on schema {}", scope.app_role(), scope.schema()))
}

pub(super) async fn read(reading: &mut PgConnection, scope: &RlsScope) -> Result<Option<Role>, sqlx::Error> {
    sqlx::query_as(ROLE)
        .bind(scope.app_role())
        .bind(scope.schema())
        .bind(scope.tenant_column())
        .fetch_optional(reading)
        .await
}

pub(super) async fn views(
    reading: &mut PgConnection,
    scope: &RlsScope,
    tables: &[i64],
) -> Result<Vec<View>, sqlx::Error> {
    sqlx::query_as(VIEWS).bind(scope.app_role()).bind(tables).fetch_all(reading).await
}

impl Role {
    pub(super) fn judge(&self, subject: &Subject, at: DateTime<Utc>) -> Observation {
        let fail = |reason: &str| Observation::fail(ControlId::RLS_ROLE, subject.clone(), at, reason);
        let alter = |attribute| format!("ALTER ROLE {} {attribute};", self.quoted);
        let seen = if self.superuser {
            fail("it is a superuser").remedy(alter("NOSUPERUSER"))
        } else if self.bypassrls {
            fail("it has BYPASSRLS").remedy(alter("NOBYPASSRLS"))
        } else if let Some(role) = &self.can_become {
            fail(&format!("it is a member of {role}, which bypasses row-level security"))
        } else if let Some(table) = &self.owns {
            fail(&format!("it owns the table {table} or is a member of its owner"))
        } else if self.createrole {
            fail("it has CREATEROLE, with which it can grant itself other roles").remedy(alter("NOCREATEROLE"))
        } else {
            Observation::pass(ControlId::RLS_ROLE, subject.clone(), at)
        };
        seen.fact("superuser", self.superuser).fact("bypassrls", self.bypassrls).fact("createrole", self.createrole)
    }
}

impl View {
    pub(super) fn judge(&self, at: DateTime<Utc>) -> Observation {
        let kind = if self.is_materialized { "materialized view" } else { "view" };
        let subject = Subject::new(format!("{kind} {}", self.qualified));
        match (self.is_materialized, self.is_invoker) {
            (true, _) => Observation::fail(
                ControlId::RLS_ROLE,
                subject,
                at,
                "it holds rows of tenant tables and cannot have row-level security",
            ),
            (false, true) => Observation::pass(ControlId::RLS_ROLE, subject, at),
            (false, false) => Observation::fail(
                ControlId::RLS_ROLE,
                subject,
                at,
                "it reads tenant tables with the rights of its owner",
            )
            .remedy(format!("ALTER VIEW {} SET (security_invoker = true);", self.qualified)),
        }
    }
}
