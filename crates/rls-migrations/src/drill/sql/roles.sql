-- The roles that own something in this database, are granted something in it, are named by its policies or by the
-- declaration, and the roles that these are members of. Passwords are not read.
WITH RECURSIVE known (oid) AS (
  SELECT r.oid FROM pg_catalog.pg_roles r
   WHERE r.rolname::text = ANY ($1)
      OR EXISTS (SELECT FROM pg_catalog.pg_shdepend d
                  WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.refobjid = r.oid
                    AND d.dbid = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = current_database()))
   UNION
  SELECT m.roleid FROM known k JOIN pg_catalog.pg_auth_members m ON m.member = k.oid)
SELECT r.rolname::text,
       concat_ws(', ', CASE WHEN r.rolcanlogin THEN 'login' ELSE 'no login' END, CASE WHEN r.rolsuper THEN 'superuser' END,
                 CASE WHEN r.rolbypassrls THEN 'bypassrls' END, CASE WHEN r.rolcreaterole THEN 'createrole' END,
                 CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolreplication THEN 'replication' END,
                 CASE WHEN NOT r.rolinherit THEN 'noinherit' END, 'valid until ' || r.rolvaliduntil::text,
                 'member of ' || (SELECT string_agg(pg_get_userbyid(m.roleid), ' ' ORDER BY pg_get_userbyid(m.roleid))
                                    FROM (SELECT DISTINCT x.roleid FROM pg_catalog.pg_auth_members x WHERE x.member = r.oid) m),
                 'settings ' || (SELECT string_agg(s, ' ' ORDER BY s) FROM unnest(r.rolconfig) s))
  FROM pg_catalog.pg_roles r JOIN known USING (oid)
 WHERE r.rolname !~ '^pg_'
