-- Functions in policies that keep the planner from using an index, or from planning in parallel.
SELECT format('%s.%s.%s', n.nspname, c.relname, p.polname),
       format('calls %s, which is %s', f.oid::regprocedure,
              concat_ws(' and ', CASE f.provolatile WHEN 'v' THEN 'VOLATILE' END, CASE f.proparallel WHEN 'u' THEN 'PARALLEL UNSAFE' END)),
       NULL
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_policy'::regclass AND d.objid = p.oid
                             AND d.refclassid = 'pg_catalog.pg_proc'::regclass
  JOIN pg_catalog.pg_proc f ON f.oid = d.refobjid
 WHERE n.nspname = $1 AND (f.provolatile = 'v' OR f.proparallel = 'u')
 GROUP BY n.nspname, c.relname, p.polname, f.oid
