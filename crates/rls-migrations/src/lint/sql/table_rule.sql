-- Rewrite rules: their statements run with the rights of the table's owner.
SELECT format('%s.%s.%s', n.nspname, c.relname, w.rulename),
       format('runs as %s, and changes what a statement of the application means', pg_get_userbyid(c.relowner)),
       NULL
  FROM pg_catalog.pg_rewrite w
  JOIN pg_catalog.pg_class c ON c.oid = w.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname::text = ANY ($2) AND c.relkind IN ('r', 'p')
