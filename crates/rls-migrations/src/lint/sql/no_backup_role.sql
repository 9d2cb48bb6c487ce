-- FORCE makes pg_dump fail for the owner, so somebody has to be allowed past it on purpose.
SELECT $1::text, 'no login with BYPASSRLS, other than superusers, may read every tenant table',
       format('CREATE ROLE %1$I LOGIN BYPASSRLS; GRANT CONNECT ON DATABASE %3$I TO %1$I; GRANT USAGE ON SCHEMA %2$I TO %1$I; '
              'GRANT SELECT ON ALL TABLES IN SCHEMA %2$I TO %1$I', left($1::text, 56) || '_backup', $1::text, current_database())
 WHERE EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                WHERE n.nspname = $1 AND c.relforcerowsecurity)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r
                    WHERE r.rolcanlogin AND r.rolbypassrls AND NOT r.rolsuper
                      AND has_database_privilege(r.oid, current_database(), 'CONNECT')
                      AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
                                       WHERE n.nspname = $1 AND c.relname::text = ANY ($2)
                                         AND NOT (has_schema_privilege(r.oid, n.oid, 'USAGE')
                                                  AND has_table_privilege(r.oid, c.oid, 'SELECT'))))
