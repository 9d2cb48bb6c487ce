-- A constraint's own triggers have names that are different in each database.
SELECT format('%I.%I.%I', n.nspname, c.relname, coalesce(k.conname, t.tgname)),
       string_agg('enabled ' || t.tgenabled::text || CASE WHEN t.tgisinternal THEN '' ELSE ' ' || pg_get_triggerdef(t.oid, true) END, '; '
                  ORDER BY t.tgenabled, t.tgtype)
  FROM pg_catalog.pg_trigger t
  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint AND t.tgisinternal
 GROUP BY n.nspname, c.relname, coalesce(k.conname, t.tgname)
 UNION ALL
SELECT format('event trigger %I', e.evtname), format('enabled %s on %s runs %s', e.evtenabled, e.evtevent, e.evtfoid::regproc)
  FROM pg_catalog.pg_event_trigger e
