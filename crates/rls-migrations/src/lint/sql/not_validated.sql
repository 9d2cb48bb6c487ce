-- Constraints that nobody checked against the rows there are, or that are not enforced at all.
SELECT format('%s.%s.%s', n.nspname, c.relname, k.conname),
       'rows from before it, or from a load without it, may break it',
       format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname, k.conname)
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname::text = ANY ($2) AND NOT k.convalidated
