SELECT f.oid::regprocedure::text,
       CASE WHEN f.prokind IN ('f', 'p') THEN encode(sha256(convert_to(pg_get_functiondef(f.oid), 'UTF8')), 'hex')
            ELSE 'aggregate or window' END
  FROM pg_catalog.pg_proc f
  JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
