-- Sequences whose position can be read or set: the volume of all tenants together.
SELECT format('%s.%s', n.nspname, s.relname),
       format('%s holds %s', coalesce(r.rolname, 'PUBLIC'), string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)),
       format('REVOKE SELECT, UPDATE ON SEQUENCE %I.%I FROM %s', n.nspname, s.relname, coalesce(quote_ident(r.rolname), 'PUBLIC'))
  FROM pg_catalog.pg_class s
  JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
 CROSS JOIN LATERAL aclexplode(s.relacl) a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 WHERE s.relkind = 'S' AND n.nspname = $1 AND a.grantee <> s.relowner
   AND (a.grantee = 0 OR r.rolname::text = ANY ($4))
   AND a.privilege_type IN ('SELECT', 'UPDATE')
 GROUP BY n.nspname, s.relname, r.rolname
