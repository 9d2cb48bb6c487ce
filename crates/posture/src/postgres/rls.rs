//! The controls `rls.enabled`, `rls.forced` and `rls.policies`, table by table, and `rls.role`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{
    RlsScope,
    policy::{self, Policy},
    read_only::{close, open, unreadable},
    role,
};
use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
};

const NAME: &str = "postgres.rls";

const CONTROLS: [ControlId; 4] =
    [ControlId::RLS_ENABLED, ControlId::RLS_FORCED, ControlId::RLS_POLICIES, ControlId::RLS_ROLE];

const TABLES: &str = "
    SELECT c.oid::bigint AS oid, c.relname::text AS name, format('%I.%I', n.nspname, c.relname) AS qualified,
           c.relkind = 'f' AS is_foreign, c.relispartition AS is_partition,
           c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE n.nspname = $1 AND a.attname = $2 AND c.relkind IN ('r', 'p', 'f')
     ORDER BY c.relname";

/// The policies that apply to the role, after PostgreSQL's own rule: to everyone, or to a role whose privileges it has.
const POLICIES: &str = "
    SELECT p.polrelid::bigint AS relation, p.polname::text AS name, p.polpermissive AS permissive, p.polcmd::text AS command,
           pg_get_expr(p.polqual, p.polrelid) AS reads, pg_get_expr(p.polwithcheck, p.polrelid) AS writes
      FROM pg_policy p
     WHERE p.polrelid = ANY ($1::oid[])
       AND EXISTS (SELECT FROM unnest(p.polroles) AS r (oid) WHERE r.oid = 0 OR pg_has_role($2::name, r.oid, 'USAGE'))
     ORDER BY p.polrelid, p.polname";

#[derive(Debug, sqlx::FromRow)]
struct Table {
    oid: i64,
    name: String,
    qualified: String,
    is_foreign: bool,
    is_partition: bool,
    enabled: bool,
    forced: bool,
}

/// Measures `rls.enabled`, `rls.forced`, `rls.policies` and `rls.role`.
///
/// - `rls.enabled`: each tenant table has row-level security; a foreign table cannot have it and fails.
/// - `rls.forced`: it binds the owner too. The flag without row-level security itself has no effect and fails.
/// - `rls.policies`: for each command that a policy opens to the application's role, what may be read and what may be written is
///   bound to the tenant column: by a restrictive policy, or by every permissive one. A missing `WITH CHECK` is
///   `USING`, as in PostgreSQL. A command that no policy opens is refused by PostgreSQL, and listed.
/// - `rls.role`: the role is no superuser and has neither BYPASSRLS nor CREATEROLE; it owns no tenant table and is a member of no role
///   that does or that bypasses. Every view and materialised view of any schema that reads a tenant table directly and that the role may use
///   has `security_invoker` (a materialised view cannot, and fails).
///
/// Failures of the flags carry the statement that mends them, with identifiers quoted by PostgreSQL.
pub fn rls<'a>(connection: &'a mut PgConnection, scope: &'a RlsScope) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let seen = measure(&mut reading, scope, at).await.map_err(unreadable);
        close(reading, seen).await
    })
}

fn schema_subject(scope: &RlsScope) -> Subject {
    Subject::new(format!("schema {}", scope.schema()))
}

async fn measure(
    reading: &mut PgConnection,
    scope: &RlsScope,
    at: DateTime<Utc>,
) -> Result<Vec<Observation>, sqlx::Error> {
    let tables: Vec<Table> =
        sqlx::query_as(TABLES).bind(scope.schema()).bind(scope.tenant_column()).fetch_all(&mut *reading).await?;
    if tables.is_empty() {
        let reason = format!("no table of the schema has a column called {}", scope.tenant_column());
        return Ok(CONTROLS
            .into_iter()
            .map(|id| Observation::unknown(id, schema_subject(scope), at, &reason).by(NAME))
            .collect());
    }
    let mut seen: Vec<Observation> = tables
        .iter()
        .flat_map(|table| table.enabled(at).into_iter().chain(table.forced(at)))
        .map(|seen| seen.by(NAME))
        .collect();

    let subject = role::subject(scope);
    let Some(role) = role::read(&mut *reading, scope).await? else {
        let unknown = |id| Observation::unknown(id, subject.clone(), at, "there is no role of this name").by(NAME);
        seen.extend([ControlId::RLS_POLICIES, ControlId::RLS_ROLE].map(unknown));
        return Ok(seen);
    };
    seen.push(role.judge(&subject, at).by(NAME));
    let oids: Vec<i64> = tables.iter().map(|table| table.oid).collect();
    seen.extend(role::views(&mut *reading, scope, &oids).await?.into_iter().map(|view| view.judge(at).by(NAME)));

    let policies: Vec<Policy> = sqlx::query_as(POLICIES).bind(&oids).bind(scope.app_role()).fetch_all(reading).await?;
    let mut by_table: BTreeMap<i64, Vec<Policy>> = BTreeMap::new();
    for policy in policies {
        by_table.entry(policy.relation).or_default().push(policy);
    }
    for table in tables.iter().filter(|table| !table.is_foreign) {
        let policies = by_table.remove(&table.oid).unwrap_or_default();
        let verdict = policy::judge(&policies, &table.name, scope.tenant_column());
        seen.push(verdict.observation(table.subject(), at).by(NAME));
    }
    Ok(seen)
}

impl Table {
    fn subject(&self) -> Subject {
        Subject::new(&self.qualified)
    }

    fn enabled(&self, at: DateTime<Utc>) -> Option<Observation> {
        let id = ControlId::RLS_ENABLED;
        let seen = match (self.is_foreign, self.enabled) {
            (true, _) => Observation::fail(id, self.subject(), at, "a foreign table cannot have row-level security"),
            (false, true) => Observation::pass(id, self.subject(), at),
            (false, false) => Observation::fail(id, self.subject(), at, "row-level security is not enabled")
                .remedy(format!("ALTER TABLE {} ENABLE ROW LEVEL SECURITY;", self.qualified)),
        };
        Some(seen.fact("partition", self.is_partition))
    }

    fn forced(&self, at: DateTime<Utc>) -> Option<Observation> {
        let id = ControlId::RLS_FORCED;
        let fail = |reason| Observation::fail(id, self.subject(), at, reason);
        match (self.is_foreign, self.enabled, self.forced) {
            (true, ..) => None,
            (false, true, true) => Some(Observation::pass(id, self.subject(), at)),
            (false, false, true) => Some(fail("it is forced but not enabled, which has no effect")),
            (false, _, false) => Some(
                fail("the owner of the table is not bound")
                    .remedy(format!("ALTER TABLE {} FORCE ROW LEVEL SECURITY;", self.qualified)),
            ),
        }
    }
}
