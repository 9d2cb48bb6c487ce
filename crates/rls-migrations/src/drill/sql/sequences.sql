-- Without a privilege on a sequence its position cannot be read, which is not the same as having none.
SELECT format('%I.%I', s.schemaname, s.sequencename),
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT') OR has_sequence_privilege(c.oid, 'USAGE')
            THEN format('at %s; starts %s, by %s, %s to %s%s', coalesce(s.last_value::text, 'its start'), s.start_value,
                        s.increment_by, s.min_value, s.max_value, CASE WHEN s.cycle THEN ', cycles' ELSE '' END) END
  FROM pg_catalog.pg_sequences s
  JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
  JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.sequencename
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
