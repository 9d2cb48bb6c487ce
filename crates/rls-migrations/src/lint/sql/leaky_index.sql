-- Indexes of tenant tables with a key that no leakproof operator compares, or that calls a function that is not leakproof:
-- a condition that would use them is checked after the policy, on every row of the tenant. Leakproofness is read from
-- the server, because it differs between versions.
WITH keys AS (
  SELECT n.nspname, c.relname, x.relname AS index, i.indexrelid, i.indisunique, k.position::int AS position, t.tenant,
         i.indkey[k.position - 1] = 0 AS expression, oc.opcintype,
         pg_get_indexdef(i.indexrelid, k.position::int, false) AS key,
         a.atttypid AS key_type,
         EXISTS (SELECT FROM pg_catalog.pg_amop ao
                   JOIN pg_catalog.pg_operator o ON o.oid = ao.amopopr
                   JOIN pg_catalog.pg_proc f ON f.oid = o.oprcode
                  WHERE ao.amopfamily = oc.opcfamily AND ao.amoplefttype = oc.opcintype AND ao.amoppurpose = 's'
                    AND f.proleakproof) AS comparable,
         (SELECT min(f.proname)::text
            FROM regexp_matches(i.indexprs::text, ':(?:funcid|opfuncid) (\d+)', 'g') m
            JOIN pg_catalog.pg_proc f ON f.oid = m[1]::oid
           WHERE NOT f.proleakproof) AS leaky
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN unnest($2::text[], $3::text[]) t (name, tenant) ON t.name = c.relname
   CROSS JOIN LATERAL unnest(i.indclass::oid[]) WITH ORDINALITY k (opclass, position)
    JOIN pg_catalog.pg_opclass oc ON oc.oid = k.opclass
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indexrelid AND a.attnum = k.position
   WHERE n.nspname = $1 AND k.position <= i.indnkeyatts)
SELECT format('%s.%s', nspname, index),
       CASE WHEN expression AND leaky IS NOT NULL
            THEN format('%s: %s() is not leakproof; a generated column of the same value is', key, leaky)
            WHEN key_type IN (SELECT oid FROM pg_catalog.pg_type WHERE typtype = 'e')
            THEN format('%s: enums are not compared by a leakproof operator; text under a CHECK is', key)
            ELSE format('%s: no operator of its class (%s) is leakproof', key, format_type(opcintype, NULL)) END,
       CASE WHEN expression AND comparable AND NOT indisunique
            THEN format('ALTER TABLE %1$I.%2$I ADD COLUMN %3$I %4$s GENERATED ALWAYS AS (%5$s) STORED; '
                        'CREATE INDEX CONCURRENTLY ON %1$I.%2$I (%6$I, %3$I); DROP INDEX CONCURRENTLY %1$I.%7$I',
                        nspname, relname, left(index, 58) || '_key', format_type(key_type, NULL), key, tenant, index) END
  FROM keys
 WHERE NOT comparable OR (expression AND leaky IS NOT NULL)
