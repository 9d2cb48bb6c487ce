-- Exempt tables that the application reaches, and shared ones that have a tenant column after all.
SELECT format('%s.%s', n.nspname, c.relname),
       CASE WHEN c.relname::text = ANY ($6) THEN format('exempt, and %s may use it', min(r.rolname))
            ELSE 'declared shared, and has a column that is the tenant elsewhere' END,
       NULL
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_roles r ON r.rolname::text = ANY ($4)
   AND (has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE') OR has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE'))
 WHERE n.nspname = $1
   AND (c.relname::text = ANY ($6)
        OR (c.relname::text = ANY ($7)
            AND EXISTS (SELECT FROM pg_catalog.pg_attribute a
                         WHERE a.attrelid = c.oid AND a.attname::text = ANY ($3) AND NOT a.attisdropped)))
   AND c.relkind IN ('r', 'p', 'f')
 GROUP BY n.nspname, c.relname
