SELECT format('%I.%I', n.nspname, c.relname),
       concat_ws(', ', 'kind ' || c.relkind::text, 'persistence ' || c.relpersistence::text,
                 CASE WHEN c.relrowsecurity THEN 'row-level security' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END,
                 'partition of ' || (SELECT i.inhparent::regclass::text || ' ' || coalesce(pg_get_expr(c.relpartbound, c.oid), '')
                                       FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid LIMIT 1),
                 (SELECT string_agg(o, ' ' ORDER BY o) FROM unnest(c.reloptions) o))
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
