-- Constraints, indexes, views, rules, types and publications.
SELECT format('constraint %I.%I.%I', n.nspname, c.relname, k.conname),
       pg_get_constraintdef(k.oid, true) || CASE WHEN k.convalidated THEN '' ELSE ', not validated' END
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 UNION ALL
SELECT format('index %I.%I', n.nspname, x.relname),
       pg_get_indexdef(i.indexrelid, 0, true) || CASE WHEN i.indisvalid THEN '' ELSE ', not valid' END
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 UNION ALL
SELECT format('view %I.%I', n.nspname, c.relname), encode(sha256(convert_to(pg_get_viewdef(c.oid, true), 'UTF8')), 'hex')
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('v', 'm')
 UNION ALL
SELECT format('rule %I.%I.%I', n.nspname, c.relname, w.rulename), pg_get_ruledef(w.oid, true)
  FROM pg_catalog.pg_rewrite w
  JOIN pg_catalog.pg_class c ON c.oid = w.ev_class JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p')
 UNION ALL
SELECT format('type %I.%I', n.nspname, t.typname),
       CASE t.typtype WHEN 'e' THEN (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                                       FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid)
            ELSE concat_ws(' ', format_type(t.typbasetype, t.typtypmod), CASE WHEN t.typnotnull THEN 'not null' END,
                           (SELECT string_agg(pg_get_constraintdef(k.oid, true), ' ' ORDER BY k.conname)
                              FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid)) END
  FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND t.typtype IN ('e', 'd')
 UNION ALL
SELECT format('publication %I', p.pubname),
       coalesce((SELECT string_agg(format('%I.%I', t.schemaname, t.tablename), ', ' ORDER BY t.schemaname, t.tablename)
                   FROM pg_catalog.pg_publication_tables t WHERE t.pubname = p.pubname), 'nothing')
  FROM pg_catalog.pg_publication p
 UNION ALL
SELECT format('extension %I', e.extname), format('%s in %s', e.extversion, n.nspname)
  FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
