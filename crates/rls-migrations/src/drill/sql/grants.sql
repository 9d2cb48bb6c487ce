-- The default is written out where nothing is granted, and who granted is left out: a restore may have another grantor.
WITH held (object, acl) AS (
  SELECT format('%I.%I', n.nspname, c.relname),
         coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
   UNION ALL
  SELECT format('%I.%I.%I', n.nspname, c.relname, a.attname), a.attacl
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
   WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND a.attacl IS NOT NULL
   UNION ALL
  SELECT format('schema %I', n.nspname), coalesce(n.nspacl, acldefault('n', n.nspowner))
    FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   UNION ALL
  SELECT format('function %s', f.oid::regprocedure), coalesce(f.proacl, acldefault('f', f.proowner))
    FROM pg_catalog.pg_proc f JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
   WHERE n.nspname <> 'information_schema' AND (n.nspname !~ '^pg_' OR f.proacl IS NOT NULL)
   UNION ALL
  SELECT format('default privileges of %I%s on %s', pg_get_userbyid(d.defaclrole), ' in ' || n.nspname, d.defaclobjtype), d.defaclacl
    FROM pg_catalog.pg_default_acl d LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
   UNION ALL
  SELECT 'database', coalesce(d.datacl, acldefault('d', d.datdba))
    FROM pg_catalog.pg_database d WHERE d.datname = current_database())
SELECT object,
       coalesce((SELECT string_agg(line, ', ' ORDER BY line)
                   FROM (SELECT format('%s: %s', coalesce(r.rolname, 'PUBLIC'),
                                       string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ' '
                                                  ORDER BY x.privilege_type)) AS line
                           FROM aclexplode(acl) x LEFT JOIN pg_catalog.pg_roles r ON r.oid = x.grantee
                          GROUP BY r.rolname) lines), 'nobody')
  FROM held
