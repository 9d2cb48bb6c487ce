-- SECURITY DEFINER functions within the application's reach whose owner no policy binds. Schema `stockade` is not asked:
-- its functions are the family's own, and belong to a role that policies do bind.
SELECT f.oid::regprocedure::text,
       format('runs as %s, whom no policy binds', o.rolname),
       format('ALTER ROUTINE %s OWNER TO %I', f.oid::regprocedure, $5::text)
  FROM pg_catalog.pg_proc f
  JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
  JOIN pg_catalog.pg_roles o ON o.oid = f.proowner
 WHERE f.prosecdef
   AND (o.rolsuper OR o.rolbypassrls)
   AND n.nspname <> ALL ('{pg_catalog, information_schema, stockade}')
   AND EXISTS (SELECT FROM pg_catalog.pg_roles r
                WHERE r.rolname::text = ANY ($4)
                  AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND has_function_privilege(r.oid, f.oid, 'EXECUTE'))
