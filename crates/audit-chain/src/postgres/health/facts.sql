-- What the catalogue says of the log's objects: one row a fact, as subject, label, kind, name, value. The label is the subject, or
-- for a partition what it is a partition of, because the manifest cannot know the months. Conditions are as PostgreSQL prints them with
-- the fewest parentheses: after a restore some are stored with others.
WITH RECURSIVE object AS (
    SELECT c.oid, c.relname::text AS subject, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity,
        coalesce(CASE pg_catalog.pg_get_expr(c.relpartbound, c.oid) WHEN 'DEFAULT' THEN 'default ' ELSE '' END || 'partition of ' || (SELECT i.inhparent::regclass::text FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid),
            c.relname::text) AS label
    FROM pg_catalog.pg_class c
    WHERE c.relnamespace = pg_catalog.to_regnamespace('stockade') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND (c.relname LIKE 'audit\_%' OR c.relname = 'current_tenant')
), routine AS (
    SELECT p.oid, p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' AS subject, p.*
    FROM pg_catalog.pg_proc p
    WHERE p.pronamespace = pg_catalog.to_regnamespace('stockade') AND p.proname LIKE 'audit\_%'
), attached AS (
    -- Asked by a query in a text, because there may be no such table, or no privilege to read it. Of the functions that take one, this is
    -- the one that every build of PostgreSQL has.
    SELECT pg_catalog.split_part(s.word, ' ', 1)::oid AS relation, pg_catalog.substr(s.word, pg_catalog.strpos(s.word, ' ') + 1) AS called
    FROM pg_catalog.ts_stat(
        CASE WHEN pg_catalog.has_table_privilege(pg_catalog.to_regclass('stockade.audit_attached'), 'SELECT') THEN
            'SELECT pg_catalog.array_to_tsvector(ARRAY[l.relation::oid || '' '' || l.called])
            FROM (SELECT DISTINCT ON (a.relation) a.* FROM stockade.audit_attached a ORDER BY a.relation, a.position DESC) l
            WHERE l.tenant_column IS NOT NULL'
        ELSE 'SELECT NULL::pg_catalog.tsvector WHERE false' END) AS s
), captured AS (
    SELECT a.relation, a.called AS subject FROM attached a
    UNION
    SELECT i.inhrelid, i.inhrelid::regclass::text FROM captured t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.relation
)
SELECT o.subject, o.label, 'table' AS kind, 'owner' AS name, pg_catalog.pg_get_userbyid(o.relowner)::text AS value FROM object o
UNION ALL
SELECT o.subject, o.label, 'table', 'kind', o.relkind::text FROM object o
UNION ALL
SELECT o.subject, o.label, 'table', 'row security',
    CASE WHEN o.relrowsecurity AND o.relforcerowsecurity THEN 'forced' WHEN o.relrowsecurity THEN 'on' ELSE 'off' END
FROM object o WHERE o.relkind IN ('r', 'p')
UNION ALL
SELECT o.subject, o.label, 'table', 'definition', pg_catalog.regexp_replace(pg_catalog.pg_get_viewdef(o.oid, true), '\s+', ' ', 'g')
FROM object o WHERE o.relkind IN ('v', 'm')
UNION ALL
-- PostgreSQL 17 gave every owner MAINTAIN, which changes no row.
SELECT o.subject, o.label, 'grant', coalesce(r.rolname::text, 'PUBLIC'), string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type)
FROM object o
CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(o.relacl,
    pg_catalog.acldefault(CASE o.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, o.relowner))) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
WHERE NOT (a.privilege_type = 'MAINTAIN' AND a.grantee = o.relowner) GROUP BY 1, 2, 4
UNION ALL
SELECT o.subject, o.label, 'grant', coalesce(r.rolname::text, 'PUBLIC') || ' on ' || t.attname,
    string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type)
FROM object o JOIN pg_catalog.pg_attribute t ON t.attrelid = o.oid
CROSS JOIN LATERAL pg_catalog.aclexplode(t.attacl) a LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee
GROUP BY 1, 2, 4
UNION ALL
SELECT o.subject, o.label, 'trigger', t.tgname::text,
    CASE t.tgenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'origin' WHEN 'R' THEN 'replica' ELSE 'disabled' END
        || ' ' || t.tgtype || ' ' || t.tgfoid::regprocedure || CASE WHEN t.tgqual IS NULL THEN '' ELSE ' with a condition' END
        || CASE WHEN t.tgattr = '' THEN '' ELSE ' of columns' END
FROM object o JOIN pg_catalog.pg_trigger t ON t.tgrelid = o.oid WHERE NOT t.tgisinternal
UNION ALL
-- The application's tables whose changes are captured, with what lies below them.
SELECT t.subject, 'attached table', 'table', 'attached',
    CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.relation) THEN 'yes' ELSE 'dropped' END
FROM captured t
UNION ALL
SELECT t.subject, 'attached table', 'trigger', g.tgname::text,
    CASE g.tgenabled WHEN 'A' THEN 'always' WHEN 'O' THEN 'origin' WHEN 'R' THEN 'replica' ELSE 'disabled' END
        || ' ' || g.tgtype || ' ' || g.tgfoid::regprocedure || CASE WHEN g.tgqual IS NULL THEN '' ELSE ' with a condition' END
        || CASE WHEN g.tgattr = '' THEN '' ELSE ' of columns' END
FROM captured t JOIN pg_catalog.pg_trigger g ON g.tgrelid = t.relation
WHERE g.tgname IN ('audit_capture', 'audit_capture_truncate')
UNION ALL
SELECT 'audit_attached', 'audit_attached', 'table', 'attached', 'cannot be read by this role'
WHERE NOT pg_catalog.has_table_privilege(pg_catalog.to_regclass('stockade.audit_attached'), 'SELECT')
UNION ALL
SELECT o.subject, o.label, 'policy', p.polname::text,
    CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END || ' ' || p.polcmd::text || ' to '
        || (SELECT string_agg(coalesce(r.rolname::text, 'PUBLIC'), ' ' ORDER BY r.rolname)
            FROM pg_catalog.unnest(p.polroles) m (oid) LEFT JOIN pg_catalog.pg_roles r ON r.oid = m.oid)
        || pg_catalog.regexp_replace(coalesce(' using ' || pg_catalog.pg_get_expr(p.polqual, p.polrelid, true), '')
            || coalesce(' check ' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid, true), ''), '\s+', ' ', 'g')
FROM object o JOIN pg_catalog.pg_policy p ON p.polrelid = o.oid
UNION ALL
-- NOT NULL is a constraint from PostgreSQL 18 on, and a column's own matter before.
SELECT o.subject, o.label, 'constraint',
    CASE WHEN o.label = o.subject THEN c.conname::text ELSE pg_catalog.pg_get_constraintdef(c.oid, true) END,
    CASE WHEN c.convalidated THEN '' ELSE 'not valid ' END || pg_catalog.pg_get_constraintdef(c.oid, true)
FROM object o JOIN pg_catalog.pg_constraint c ON c.conrelid = o.oid WHERE c.contype NOT IN ('n', 't')
UNION ALL
SELECT o.subject, o.label, 'constraint', 'referenced by ' || c.conrelid::regclass || ' ' || c.conname, pg_catalog.pg_get_constraintdef(c.oid, true)
FROM object o JOIN pg_catalog.pg_constraint c ON c.confrelid = o.oid WHERE c.conrelid <> o.oid
UNION ALL
SELECT o.subject, o.label, 'rule', w.rulename::text, w.ev_enabled::text
FROM object o JOIN pg_catalog.pg_rewrite w ON w.ev_class = o.oid WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT f.subject, f.subject, 'function', 'owner', pg_catalog.pg_get_userbyid(f.proowner)::text FROM routine f
UNION ALL
SELECT f.subject, f.subject, 'function', 'body', pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(f.prosrc, 'UTF8')), 'hex')
FROM routine f
UNION ALL
SELECT f.subject, f.subject, 'function', 'settings', CASE WHEN f.prosecdef THEN 'definer ' ELSE 'invoker ' END
    || (SELECT l.lanname FROM pg_catalog.pg_language l WHERE l.oid = f.prolang) || coalesce(' ' || f.proconfig::text, '')
FROM routine f
UNION ALL
SELECT f.subject, f.subject, 'grant', coalesce(r.rolname::text, 'PUBLIC'), string_agg(a.privilege_type, ' ')
FROM routine f
CROSS JOIN LATERAL pg_catalog.aclexplode(coalesce(f.proacl, pg_catalog.acldefault('f', f.proowner))) a
LEFT JOIN pg_catalog.pg_roles r ON r.oid = a.grantee GROUP BY 1, 2, 4
UNION ALL
SELECT r.rolname::text, r.rolname::text, 'role', 'attributes',
    pg_catalog.concat_ws(' ', CASE WHEN r.rolcanlogin THEN 'login' ELSE 'nologin' END, CASE WHEN r.rolsuper THEN 'superuser' END,
        CASE WHEN r.rolbypassrls THEN 'bypassrls' END, CASE WHEN r.rolcreaterole THEN 'createrole' END,
        CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolreplication THEN 'replication' END)
FROM pg_catalog.pg_roles r WHERE r.oid IN (SELECT o.relowner FROM object o) OR r.oid IN (SELECT f.proowner FROM routine f)
    OR r.rolname IN ('stockade_owner', 'stockade_app', 'stockade_sealer')
UNION ALL
-- From PostgreSQL 16 on, whoever created a role may grant it. As long as nobody is granted more, that is no power over the log.
SELECT g.rolname::text, g.rolname::text, 'membership', m.rolname::text, 'member'
FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles m ON m.oid = a.member
WHERE (a.roleid IN (SELECT o.relowner FROM object o UNION SELECT f.proowner FROM routine f) OR g.rolname = 'stockade_owner')
    AND (coalesce((pg_catalog.to_jsonb(a) ->> 'set_option')::boolean, true)
        OR coalesce((pg_catalog.to_jsonb(a) ->> 'inherit_option')::boolean, true))
UNION ALL
SELECT 'stockade', 'stockade', 'schema', 'owner', pg_catalog.pg_get_userbyid(n.nspowner)::text
FROM pg_catalog.pg_namespace n WHERE n.nspname = 'stockade'
UNION ALL
-- A default that every session begins with: triggers off, policies off, or somebody's tenant.
SELECT coalesce(r.rolname::text, d.datname::text, 'every role'), coalesce(r.rolname::text, d.datname::text, 'every role'), 'setting',
    pg_catalog.split_part(c.setting, '=', 1), pg_catalog.substr(c.setting, pg_catalog.strpos(c.setting, '=') + 1)
FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) c (setting)
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
    AND (c.setting LIKE 'session\_replication\_role=%' OR c.setting LIKE 'row\_security=%' OR c.setting LIKE 'stockade.%')
ORDER BY 1, 3, 4, 5
