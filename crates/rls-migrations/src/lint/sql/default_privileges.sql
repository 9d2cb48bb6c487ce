-- Tables that are yet to be made, handed to the application or to everybody.
SELECT format('default privileges of %s', o.rolname),
       format('%s on new tables%s to %s', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type),
              ' of schema ' || n.nspname, coalesce(r.rolname, 'PUBLIC')),
       format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE ALL ON TABLES FROM %s', o.rolname,
              ' IN SCHEMA ' || quote_ident(n.nspname), coalesce(quote_ident(r.rolname), 'PUBLIC'))
  FROM pg_catalog.pg_default_acl d
  JOIN pg_catalog.pg_roles o ON o.oid = d.defaclrole
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
 CROSS JOIN LATERAL aclexplode(d.defaclacl) a
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
 WHERE d.defaclobjtype = 'r'
   AND (d.defaclnamespace = 0 OR n.nspname = $1)
   AND a.grantee <> d.defaclrole
   AND (a.grantee = 0 OR r.rolname::text = ANY ($4))
 GROUP BY o.rolname, n.nspname, r.rolname
