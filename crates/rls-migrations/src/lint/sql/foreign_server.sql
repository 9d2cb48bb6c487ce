-- Other servers and files that the application reaches through this one.
SELECT s.srvname::text, format('%s may use this server', min(r.rolname)), NULL
  FROM pg_catalog.pg_foreign_server s
  JOIN pg_catalog.pg_roles r ON r.rolname::text = ANY ($4) AND has_server_privilege(r.oid, s.oid, 'USAGE')
 GROUP BY s.srvname
 UNION ALL
SELECT format('%s.%s', n.nspname, c.relname), format('%s may read this foreign table, which cannot have policies', min(r.rolname)),
       NULL
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_roles r ON r.rolname::text = ANY ($4) AND has_table_privilege(r.oid, c.oid, 'SELECT')
 WHERE c.relkind = 'f'
 GROUP BY n.nspname, c.relname
