-- SECURITY DEFINER functions with a search path that leaves `pg_temp` out: PostgreSQL then looks there first.
SELECT f.oid::regprocedure::text,
       'its search path leaves pg_temp out, so temporary objects come first',
       format('ALTER ROUTINE %s SET search_path = pg_catalog, %I, pg_temp', f.oid::regprocedure, $1::text)
  FROM pg_catalog.pg_proc f
  JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
 WHERE n.nspname = $1
   AND f.prosecdef
   AND EXISTS (SELECT FROM unnest(f.proconfig) s WHERE s LIKE 'search\_path=%' AND s !~ 'pg_temp')
