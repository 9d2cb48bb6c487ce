-- Triggers, and the constraints made of them, that are switched off. The guards' own have a rule of their own.
SELECT format('%s.%s.%s', n.nspname, c.relname, coalesce(k.conname, t.tgname)),
       CASE WHEN k.contype = 'f' THEN 'a foreign key that nobody checks'
            WHEN bool_or(t.tgenabled = 'R') THEN 'fires for replication only' ELSE 'does not fire' END,
       string_agg(format('ALTER TABLE %I.%I ENABLE TRIGGER %I', n.nspname, c.relname, t.tgname), '; ' ORDER BY t.tgname)
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
 WHERE n.nspname = $1 AND c.relname::text = ANY ($2) AND t.tgenabled IN ('D', 'R') AND t.tgname !~ '^stockade_'
 GROUP BY n.nspname, c.relname, coalesce(k.conname, t.tgname), k.contype
