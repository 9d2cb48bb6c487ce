//! The log of adjustments and reopenings.

use sqlx::PgConnection;

use super::{Grant, Grants, STOCKADE_OWNER};

#[derive(Debug)]
pub(crate) struct PeriodEvent {
    owner: String,
    protected: bool,
    policies: Vec<String>,
    /// The triggers that keep it append-only, `ENABLE ALWAYS`.
    triggers: i64,
    pub(crate) grants: Grants,
}

/// As [`read`] renders them.
const POLICIES: [&str; 4] = [
    "stockade_access t r PUBLIC true -",
    "stockade_guard t a stockade_owner - true",
    "stockade_read_only_insert f a PUBLIC - (NOT ( SELECT c.read_only FROM stockade.current_actor c))",
    "stockade_tenant f * PUBLIC (tenant_id = ( SELECT c.tenant_id FROM stockade.current_tenant c)) (tenant_id = ( SELECT c.tenant_id FROM stockade.current_tenant c))",
];

impl PeriodEvent {
    /// Whether it is as this version makes it.
    pub(crate) fn is_whole(&self) -> bool {
        self.owner == STOCKADE_OWNER && self.protected && self.triggers == 2 && self.policies == POLICIES
    }

    /// The same, and nobody may do more than read it: whoever adds a row permits himself.
    pub(crate) fn is_sound(&self) -> bool {
        let only_reads = |grant: &Grant| grant.privilege == "SELECT" && !grant.grantable;
        self.is_whole() && self.grants.all().all(only_reads)
    }
}

pub(super) async fn read(conn: &mut PgConnection) -> Result<Option<PeriodEvent>, sqlx::Error> {
    let row: Option<(String, bool, Vec<String>, i64)> = sqlx::query_as(
        r#"SELECT o.rolname::text, c.relrowsecurity AND c.relforcerowsecurity,
                 ARRAY(SELECT regexp_replace(concat_ws(' ', p.polname, p.polpermissive, p.polcmd,
                                CASE WHEN p.polroles = '{0}' THEN 'PUBLIC' ELSE array_to_string(p.polroles::regrole[], ',') END,
                                coalesce(pg_get_expr(p.polqual, c.oid), '-'), coalesce(pg_get_expr(p.polwithcheck, c.oid), '-')),
                                '\s+', ' ', 'g')
                         FROM pg_catalog.pg_policy p WHERE p.polrelid = c.oid ORDER BY p.polname::text COLLATE "C"),
                 (SELECT count(*) FROM pg_catalog.pg_trigger t
                   WHERE t.tgrelid = c.oid AND t.tgname IN ('stockade_append_only', 'stockade_append_only_all')
                     AND t.tgfoid = to_regproc('stockade.rls_refuse_change') AND t.tgenabled = 'A'
                     AND t.tgtype IN (27, 34) AND t.tgqual IS NULL AND cardinality(t.tgattr::int2[]) = 0)
            FROM pg_catalog.pg_class c
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
           WHERE n.nspname = 'stockade' AND c.relname = 'rls_period_event' AND c.relkind = 'r'"#,
    )
    .fetch_optional(&mut *conn)
    .await?;
    let Some((owner, protected, policies, triggers)) = row else { return Ok(None) };
    let rows: Vec<(Option<String>, String, bool)> = sqlx::query_as(
        "SELECT r.rolname::text, a.privilege_type, a.is_grantable
           FROM pg_catalog.pg_class c
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          CROSS JOIN LATERAL aclexplode(c.relacl) a
           LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
          WHERE n.nspname = 'stockade' AND c.relname = 'rls_period_event' AND a.grantee <> c.relowner",
    )
    .fetch_all(conn)
    .await?;
    let mut grants = Grants::default();
    for (grantee, privilege, grantable) in rows {
        grants.add(grantee, Grant { privilege, column: None, grantable });
    }
    Ok(Some(PeriodEvent { owner, protected, policies, triggers, grants }))
}
