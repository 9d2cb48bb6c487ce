-- Tenant tables that leave the database by logical replication, where no policy goes along.
SELECT format('%s.%s', t.schemaname, t.tablename),
       format('in publication %s', t.pubname),
       CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_publication_rel x
                          WHERE x.prpubid = p.oid AND x.prrelid = format('%I.%I', t.schemaname, t.tablename)::regclass)
            THEN format('ALTER PUBLICATION %I DROP TABLE %I.%I', t.pubname, t.schemaname, t.tablename) END
  FROM pg_catalog.pg_publication_tables t
  JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname
 WHERE t.schemaname = $1 AND t.tablename::text = ANY ($2)
