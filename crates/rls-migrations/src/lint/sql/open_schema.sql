-- Other places where the application may create objects, which no policy binds and a search path may find.
SELECT n.nspname::text, format('%s may create objects in it', min(r.rolname)),
       format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC, %s', n.nspname, string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname))
  FROM pg_catalog.pg_namespace n
  JOIN pg_catalog.pg_roles r ON r.rolname::text = ANY ($4) AND NOT r.rolsuper AND has_schema_privilege(r.oid, n.oid, 'CREATE')
 WHERE n.nspname <> $1 AND n.nspname !~ '^pg_'
 GROUP BY n.nspname
 UNION ALL
SELECT 'database', format('%s may create schemas', min(r.rolname)),
       format('REVOKE CREATE ON DATABASE %I FROM PUBLIC, %s', current_database(), string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname))
  FROM pg_catalog.pg_roles r
 WHERE r.rolname::text = ANY ($4) AND NOT r.rolsuper AND has_database_privilege(r.oid, current_database(), 'CREATE')
HAVING count(*) > 0
