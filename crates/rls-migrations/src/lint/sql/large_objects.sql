-- Large objects that the application can read: they have an owner and grants, and no tenant.
SELECT 'large objects', format('%s, the first is %s', count(*), min(l.oid)), NULL
  FROM pg_catalog.pg_largeobject_metadata l
 WHERE EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = l.lomowner AND r.rolname::text = ANY ($4))
    OR EXISTS (SELECT FROM aclexplode(l.lomacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
                WHERE a.grantee = 0 OR r.rolname::text = ANY ($4))
HAVING count(*) > 0
