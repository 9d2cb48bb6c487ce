-- Tables that a crash empties and a standby does not have.
SELECT format('%s.%s', n.nspname, c.relname), 'a crash empties it, append-only or not',
       format('ALTER TABLE %I.%I SET LOGGED', n.nspname, c.relname)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname::text = ANY ($2) AND c.relpersistence = 'u'
