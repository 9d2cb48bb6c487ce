SELECT format('%I.%I', n.nspname, c.relname), pg_get_userbyid(c.relowner)::text
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
 UNION ALL
SELECT format('schema %I', n.nspname), pg_get_userbyid(n.nspowner)::text
  FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 UNION ALL
SELECT format('function %s', f.oid::regprocedure), pg_get_userbyid(f.proowner)::text
  FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
