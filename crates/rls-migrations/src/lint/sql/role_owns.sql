-- What the application's roles own they may alter, grant and drop.
SELECT r.rolname::text,
       format('owns %s objects, such as %s', count(*), min(pg_describe_object(d.classid, d.objid, 0))),
       format('REASSIGN OWNED BY %I TO %I', r.rolname, $5::text)
  FROM pg_catalog.pg_shdepend d
  JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid AND r.rolname::text = ANY ($4)
 WHERE d.refclassid = 'pg_catalog.pg_authid'::regclass AND d.deptype = 'o'
   AND (d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
        OR (d.classid = 'pg_catalog.pg_database'::regclass
            AND d.objid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())))
   AND d.classid <> 'pg_catalog.pg_largeobject'::regclass
 GROUP BY r.rolname
