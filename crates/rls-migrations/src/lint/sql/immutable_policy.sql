-- Functions in policies that say IMMUTABLE and cannot mean it: they take no argument, or read something else than their
-- arguments. A cached plan keeps what they gave to the first tenant.
SELECT format('%s.%s.%s', n.nspname, c.relname, p.polname),
       format('calls %s, which is IMMUTABLE', f.oid::regprocedure),
       format('ALTER FUNCTION %s STABLE', f.oid::regprocedure)
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid
                             AND d.refclassid = 'pg_catalog.pg_proc'::regclass
  JOIN pg_catalog.pg_proc f ON f.oid = d.refobjid
 WHERE n.nspname = $1
   AND f.provolatile = 'i'
   AND f.prokind = 'f'
   AND (f.pronargs = 0 OR pg_get_functiondef(f.oid) ~* '\m(current_setting|current_user|session_user|current_role|from)\M')
 GROUP BY n.nspname, c.relname, p.polname, f.oid
