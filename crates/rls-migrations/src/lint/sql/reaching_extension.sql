-- Extensions whose functions open other connections, read pages and files, or show other sessions' statements.
SELECT e.extname::text,
       format('%s may execute %s', min(r.rolname), min(f.oid::regprocedure::text)),
       format('REVOKE EXECUTE ON ROUTINE %s FROM PUBLIC, %s', string_agg(DISTINCT f.oid::regprocedure::text, ', '),
              string_agg(DISTINCT quote_ident(r.rolname), ', '))
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
                             AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
  JOIN pg_catalog.pg_proc f ON f.oid = d.objid
  JOIN pg_catalog.pg_roles r ON r.rolname::text = ANY ($4) AND NOT r.rolsuper AND has_function_privilege(r.oid, f.oid, 'EXECUTE')
 WHERE e.extname = ANY ('{adminpack, amcheck, dblink, pageinspect, pg_buffercache, pg_freespacemap, pg_stat_statements,
                          pg_visibility, pg_walinspect, pgrowlocks, pgstattuple}')
 GROUP BY e.extname
