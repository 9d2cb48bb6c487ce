-- Settings of this database, for all roles and for each one. pg_dump leaves them to --create.
SELECT coalesce('role ' || r.rolname, 'every role'), (SELECT string_agg(c, ', ' ORDER BY c) FROM unnest(s.setconfig) c)
  FROM pg_catalog.pg_db_role_setting s
  JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
  LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
 WHERE d.datname = current_database()
