//! The catalogue of a database as text, to compare before and after.

use std::collections::BTreeSet;

use sqlx::{PgConnection, Row as _};

/// Everything that a plan can change in a database, as lines; roles, which are the cluster's, are left out. Privileges in
/// full, because a privilege that is given and taken again leaves an explicit list behind where the default was.
pub(crate) async fn catalogue(conn: &mut PgConnection) -> BTreeSet<String> {
    let rows = sqlx::query(
        "SELECT format('namespace %s %s %s', n.nspname, n.nspowner::regrole, acl.of) AS line
           FROM pg_namespace n CROSS JOIN LATERAL (SELECT array_agg(x::text ORDER BY x::text) AS of
                FROM aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x) acl
          WHERE n.nspname !~ '^pg_toast|^pg_temp'
         UNION ALL
         SELECT format('relation %s %s %s %s %s %s %s', c.oid::regclass, c.relkind, c.relowner::regrole, c.relrowsecurity,
                       c.relforcerowsecurity, ARRAY(SELECT unnest(c.reloptions) ORDER BY 1), acl.of)
           FROM pg_class c CROSS JOIN LATERAL (SELECT array_agg(x::text ORDER BY x::text) AS of
                FROM aclexplode(coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END, c.relowner))) x) acl
          WHERE c.relnamespace <> ALL (ARRAY['pg_catalog'::regnamespace, 'information_schema', 'pg_toast'])
         UNION ALL
         SELECT format('column %s %s %s %s', a.attrelid::regclass, a.attname, a.attnotnull, x)
           FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN LATERAL aclexplode(a.attacl) x ON true
          WHERE c.relnamespace <> ALL (ARRAY['pg_catalog'::regnamespace, 'information_schema', 'pg_toast']) AND a.attnum > 0
         UNION ALL
         SELECT format('policy %s %s %s %s %s %s %s', p.polrelid::regclass, p.polname, p.polpermissive, p.polcmd,
                       p.polroles::regrole[], pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
           FROM pg_policy p
         UNION ALL
         SELECT format('trigger %s %s %s', t.tgrelid::regclass, t.tgenabled, pg_get_triggerdef(t.oid))
           FROM pg_trigger t WHERE NOT t.tgisinternal
         UNION ALL
         SELECT format('index %s %s', i.indrelid::regclass, pg_get_indexdef(i.indexrelid)) FROM pg_index i
          WHERE i.indrelid >= 16384
         UNION ALL
         SELECT format('constraint %s %s %s', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid))
           FROM pg_constraint k WHERE k.conrelid <> 0
         UNION ALL
         SELECT format('function %s %s %s %s', p.oid::regprocedure, p.prosrc, p.proconfig, acl.of)
           FROM pg_proc p CROSS JOIN LATERAL (SELECT array_agg(x::text ORDER BY x::text) AS of
                FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x) acl
          WHERE p.pronamespace <> 'information_schema'::regnamespace
         UNION ALL
         SELECT format('defaults %s %s %s %s', d.defaclrole::regrole, d.defaclnamespace::regnamespace, d.defaclobjtype, x)
           FROM pg_default_acl d, aclexplode(d.defaclacl) x
         UNION ALL
         SELECT format('database %s', array_agg(x::text ORDER BY x::text))
           FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x
          WHERE d.datname = current_database()",
    )
    .fetch_all(conn)
    .await
    .unwrap();
    rows.into_iter().map(|row| row.get("line")).collect()
}

#[track_caller]
pub(crate) fn assert_same(before: &BTreeSet<String>, after: &BTreeSet<String>) {
    let lost: Vec<_> = before.difference(after).collect();
    let left: Vec<_> = after.difference(before).collect();
    assert!(lost.is_empty() && left.is_empty(), "lost: {lost:#?}\nleft: {left:#?}");
}
