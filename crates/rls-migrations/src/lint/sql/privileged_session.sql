-- Sessions at this moment, other than of the role that asks, of roles that no policy binds or that could switch it off.
SELECT r.rolname::text,
       format('%s sessions are connected as %s', count(*),
              CASE WHEN r.rolsuper THEN 'a superuser' WHEN r.rolbypassrls THEN 'a role past policies that may write' ELSE 'the tables'' owner' END),
       NULL
  FROM pg_catalog.pg_stat_activity s
  JOIN pg_catalog.pg_roles r ON r.oid = s.usesysid
 WHERE s.datname = current_database()
   AND coalesce(s.backend_type, 'client backend') = 'client backend'
   AND r.rolname <> ALL (ARRAY[current_user, session_user])
   AND (r.rolsuper
        OR EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = $1 AND c.relname::text = ANY ($2)
                      AND (pg_has_role(r.oid, c.relowner, 'USAGE')
                           OR (r.rolbypassrls AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE')))))
 GROUP BY r.rolname, r.rolsuper, r.rolbypassrls
