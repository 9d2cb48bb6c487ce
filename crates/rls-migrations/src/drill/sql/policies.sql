SELECT format('%I.%I.%I', n.nspname, c.relname, p.polname),
       concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END, 'for ' || p.polcmd::text,
                 'to ' || (SELECT string_agg(CASE x WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x)::text END, ', ' ORDER BY pg_get_userbyid(x))
                             FROM unnest(p.polroles) x),
                 'using ' || pg_get_expr(p.polqual, p.polrelid, true), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid, true))
  FROM pg_catalog.pg_policy p
  JOIN pg_catalog.pg_class c ON c.oid = p.polrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
