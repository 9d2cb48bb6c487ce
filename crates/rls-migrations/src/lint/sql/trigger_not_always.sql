-- Triggers that refuse something, unless the session says that it is a replica.
SELECT format('%s.%s.%s', n.nspname, c.relname, t.tgname),
       'skipped under session_replication_role = replica, as in a logical subscriber or a data load',
       format('ALTER TABLE %I.%I ENABLE ALWAYS TRIGGER %I', n.nspname, c.relname, t.tgname)
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_proc f ON f.oid = t.tgfoid
 WHERE n.nspname = $1 AND c.relname::text = ANY ($2) AND t.tgenabled = 'O' AND NOT t.tgisinternal
   AND t.tgname !~ '^stockade_' AND f.prosrc ~* '\mraise\s+exception\M'
