-- Privileges that no policy binds, held by a role that the declaration does not name.
SELECT format('%s.%s', n.nspname, c.relname),
       format('%s holds %s', r.rolname, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)),
       format('REVOKE %s ON %I.%I FROM %I CASCADE', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), n.nspname, c.relname, r.rolname)
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL aclexplode(c.relacl) a
  JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 WHERE n.nspname = $1 AND c.relname::text = ANY ($2) AND a.grantee <> c.relowner
   AND a.privilege_type IN ('TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN')
   AND r.rolname::text <> ALL ($4) AND NOT r.rolsuper
 GROUP BY n.nspname, c.relname, r.rolname
