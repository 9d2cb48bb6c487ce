-- stockade-audit-chain, migration 5: capturing changes of the application's own tables by a trigger, whoever makes them.
-- Needs what migration 1 needs.

DO $$
DECLARE
    wanted text;
    attempts int := 0;
BEGIN
    -- The capturer owns the functions that record, and nobody logs in as it or is a member of it. An attacher may attach its own tables.
    FOREACH wanted IN ARRAY ARRAY['stockade_capturer', 'stockade_attacher'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
    -- Whoever migrates is a member of both for as long as this takes. Another database's migration can be writing the same membership.
    PERFORM pg_catalog.set_config('stockade.audit_joined', '', true);
    FOREACH wanted IN ARRAY ARRAY['stockade_owner', 'stockade_capturer'] LOOP
        WHILE NOT pg_catalog.pg_has_role(current_user, wanted, 'USAGE') LOOP
            BEGIN
                EXECUTE pg_catalog.format('GRANT %I TO CURRENT_USER', wanted);
                PERFORM pg_catalog.set_config('stockade.audit_joined',
                    pg_catalog.concat_ws(' ', nullif(pg_catalog.current_setting('stockade.audit_joined'), ''), wanted), true);
                EXIT;
            EXCEPTION WHEN internal_error OR unique_violation THEN
                attempts := attempts + 1;
                IF attempts = 40 THEN
                    RAISE;
                END IF;
                PERFORM pg_catalog.pg_sleep(0.02 * attempts);
            END;
        END LOOP;
    END LOOP;
END
$$;

-- Which tables are captured, and how. The last row of a table counts; one without a tenant column ends its capture.
CREATE TABLE stockade.audit_attached (
    position      bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    relation      regclass    NOT NULL,
    called        text        NOT NULL, -- its name at that time
    tenant_column text,
    id_columns    text[]      NOT NULL,
    entity_type   text        NOT NULL,
    action        text        NOT NULL, -- what precedes `.insert`, `.update` and `.delete`
    personal      text[]      NOT NULL,
    left_out      text[]      NOT NULL,
    attached_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX audit_attached_by_relation ON stockade.audit_attached (relation, position);

-- JSON as format 1 has it: members in code point order, no white space. A number that a reader's 64-bit integer or double would change
-- is written as a string of its digits.
CREATE FUNCTION stockade.audit_json(value jsonb) RETURNS text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET extra_float_digits = 1 AS $$
DECLARE
    n numeric;
BEGIN
    CASE jsonb_typeof(value)
    WHEN 'object' THEN
        RETURN (SELECT '{' || coalesce(string_agg(to_json(m.key)::text || ':' || CASE
                WHEN m.kind IN ('string', 'boolean', 'null') OR m.kind = 'number' AND length(m.item::text) <= 15 THEN m.item::text
                ELSE stockade.audit_json(m.item) END, ',' ORDER BY m.key COLLATE "C"), '') || '}'
            FROM (SELECT e.key, e.value AS item, jsonb_typeof(e.value) AS kind FROM jsonb_each(value) e) AS m);
    WHEN 'array' THEN
        RETURN (SELECT '[' || coalesce(string_agg(CASE
                WHEN m.kind IN ('string', 'boolean', 'null') OR m.kind = 'number' AND length(m.item::text) <= 15 THEN m.item::text
                ELSE stockade.audit_json(m.item) END, ',' ORDER BY m.place), '') || ']'
            FROM (SELECT e.item, e.place, jsonb_typeof(e.item) AS kind
                FROM jsonb_array_elements(value) WITH ORDINALITY AS e (item, place)) AS m);
    WHEN 'number' THEN
        n := value::text::numeric;
        RETURN CASE WHEN scale(n) = 0 AND n BETWEEN -9223372036854775808 AND 18446744073709551615 THEN value::text
            WHEN abs(n) > 1.797e308 OR n <> 0 AND abs(n) < 5e-324 THEN '"' || value::text || '"'
            WHEN n::float8::text::numeric = n THEN value::text
            ELSE '"' || value::text || '"' END;
    ELSE
        RETURN value::text;
    END CASE;
END
$$;

-- The JSON Pointers of what differs: objects member by member, anything else as a whole.
CREATE FUNCTION stockade.audit_changes(path text, before jsonb, after jsonb) RETURNS SETOF text
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF jsonb_typeof(before) = 'object' AND jsonb_typeof(after) = 'object' THEN
        RETURN QUERY SELECT c.changed
            FROM jsonb_each(before) AS o (key, value) FULL JOIN jsonb_each(after) AS n (key, value) USING (key)
                CROSS JOIN LATERAL stockade.audit_changes(
                    path || '/' || replace(replace(key, '~', '~0'), '/', '~1'), o.value, n.value) AS c (changed)
            WHERE o.value::text IS DISTINCT FROM n.value::text;
    ELSIF before::text IS DISTINCT FROM after::text THEN
        RETURN NEXT path;
    END IF;
END
$$;

-- A state as an entry can hold it: a column longer than 16 KiB or deeper than a reader reads is its length and SHA-256 instead.
CREATE FUNCTION stockade.audit_fitted(state jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF octet_length(state::text) <= 16384 AND NOT jsonb_path_exists(state, '$.**{90}') THEN
        RETURN state;
    END IF;
    RETURN (SELECT jsonb_object_agg(e.key, CASE
            WHEN octet_length(e.value::text) > 16384 OR jsonb_path_exists(e.value, '$.**{89}')
            THEN jsonb_build_object('bytes', octet_length(e.bytes), 'sha256', encode(sha256(e.bytes), 'hex')) ELSE e.value END)
        FROM (SELECT m.key, m.value, convert_to(m.value #>> '{}', 'UTF8') AS bytes FROM jsonb_each(state) m) AS e);
END
$$;

-- Records an entry of format 1, byte for byte as the crate does, by the party and the request that the transaction's context names.
-- Without a context that is the database's login.
CREATE FUNCTION stockade.audit_write(
        tenant uuid, action text, kind text, id text, before jsonb, after jsonb, personal text[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said     record;
    moment   timestamptz(3) := date_trunc('milliseconds', clock_timestamp());
    millis   bigint := (extract(epoch FROM moment) * 1000)::bigint;
    entry    uuid := (lpad(to_hex(millis), 12, '0') || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid;
    hidden   jsonb := jsonb_object(personal, array_fill(NULL::text, ARRAY[cardinality(personal)]));
    was      text;
    becomes  text;
    changes  text;
    paths    text[];
    hashes   bytea[];
    opened   bytea[];
    salts    bytea[];
    committed bytea;
    envelope bytea;
BEGIN
    SELECT * INTO said
    FROM jsonb_to_record(coalesce(nullif(current_setting('stockade.audit_context', true), '')::jsonb,
            jsonb_build_object('kind', 'system', 'id', session_user)))
        AS c (kind text, id text, name text, role text, on_behalf_of text, impersonation text,
            ip inet, user_agent text, method text, endpoint text, status int, request_id text);
    IF NOT coalesce(said.kind IN ('user', 'service', 'api_token', 'system') AND octet_length(said.id) BETWEEN 1 AND 256
            AND coalesce(said.status BETWEEN 100 AND 999, true), false)
        OR octet_length(said.on_behalf_of) > 256 OR octet_length(said.impersonation) > 256 OR octet_length(said.method) > 256
        OR octet_length(said.request_id) > 256 OR octet_length(said.name) > 4096 OR octet_length(said.role) > 4096
        OR octet_length(said.user_agent) > 4096 OR octet_length(said.endpoint) > 4096
    THEN
        RAISE EXCEPTION 'the audit context of the transaction is not one' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF octet_length(id) > 256 THEN
        id := 'sha256:' || encode(sha256(convert_to(id, 'UTF8')), 'hex');
    END IF;
    before := stockade.audit_fitted(before);
    after := stockade.audit_fitted(after);
    was := stockade.audit_json(before || hidden);
    becomes := stockade.audit_json(after || hidden);
    IF before IS NOT NULL AND after IS NOT NULL THEN
        changes := (SELECT '[' || coalesce(string_agg(to_json(c.path)::text, ',' ORDER BY c.path COLLATE "C"), '') || ']'
            FROM stockade.audit_changes('', before, after) AS c (path));
    END IF;

    IF cardinality(personal) > 0 OR num_nonnulls(said.name, said.ip, said.user_agent) > 0 THEN
        WITH drawn AS MATERIALIZED (
            -- Salts are drawn: what is not derived cannot be derived again. Two random UUIDs hold 244 random bits.
            SELECT p.path, p.tag, p.value, sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) AS salt
            FROM (SELECT state.root || '/' || replace(replace(m, '~', '~0'), '/', '~1'), state.tag,
                    convert_to(stockade.audit_json(state.doc -> m), 'UTF8')
                FROM (VALUES ('before', '\x0040'::bytea, before), ('after', '\x0041', after)) AS state (root, tag, doc)
                    CROSS JOIN unnest(personal) AS m
                UNION ALL
                VALUES ('actor/name', '\x0013'::bytea, convert_to(said.name, 'UTF8')),
                    ('request/user_agent', '\x0031', convert_to(said.user_agent, 'UTF8')),
                    ('request/ip', '\x0030', CASE
                        WHEN family(said.ip) = 4 THEN '\x04'::bytea || substr(inet_send(said.ip), 5)
                        WHEN said.ip << '::ffff:0:0/96' THEN '\x04'::bytea || substr(inet_send(said.ip), 17)
                        ELSE '\x06'::bytea || substr(inet_send(said.ip), 5) END)) AS p (path, tag, value)
            WHERE p.value IS NOT NULL
        ), personal AS (
            SELECT d.*, sha256('audit-chain/v1/field\000'::bytea || d.salt || d.tag || d.value) AS commitment FROM drawn d
        )
        SELECT array_agg(p.path ORDER BY p.path COLLATE "C"), array_agg(p.commitment ORDER BY p.path COLLATE "C"),
            array_agg(p.value ORDER BY p.path COLLATE "C"), array_agg(p.salt ORDER BY p.path COLLATE "C"),
            string_agg(int2send(octet_length(p.path)::int2) || convert_to(p.path, 'UTF8') || p.commitment, ''::bytea ORDER BY p.path COLLATE "C")
        INTO paths, hashes, opened, salts, committed FROM personal p;
    END IF;

    SELECT 'audit-chain/v1/entry\000'::bytea || int2send(1::int2) || int2send(count(*)::int2)
        || string_agg(int2send(f.tag::int2) || int4send(octet_length(f.value)) || f.value, ''::bytea ORDER BY f.tag)
    INTO envelope
    FROM (VALUES (1, uuid_send(entry)), (2, uuid_send(tenant)), (3, int8send(millis)),
        (5, convert_to(action, 'UTF8')), (6, '\x00'), (7, 'success'), (16, convert_to(said.kind, 'UTF8')),
        (17, convert_to(said.id, 'UTF8')), (18, convert_to(said.role, 'UTF8')), (20, convert_to(said.on_behalf_of, 'UTF8')),
        (21, convert_to(said.impersonation, 'UTF8')), (32, convert_to(kind, 'UTF8')), (33, convert_to(id, 'UTF8')),
        (50, convert_to(said.method, 'UTF8')), (51, convert_to(said.endpoint, 'UTF8')), (52, int2send(said.status::int2)),
        (53, convert_to(said.request_id, 'UTF8')), (64, convert_to(was, 'UTF8')), (65, convert_to(becomes, 'UTF8')),
        (66, convert_to(changes, 'UTF8')), (80, committed)) AS f (tag, value)
    WHERE f.value IS NOT NULL;
    IF octet_length(envelope) > 1048576 THEN
        RAISE EXCEPTION 'the change is longer than an audit entry can be: leave columns out of its capture'
            USING ERRCODE = 'program_limit_exceeded';
    END IF;

    INSERT INTO stockade.audit_entry (entry_id, tenant_id, format, recorded_at, action, severity, outcome, actor_kind, actor_id,
        actor_role, on_behalf_of, impersonation, entity_type, entity_id, method, endpoint, status, request_id, before, after,
        changes, personal_paths, commitments, leaf)
    VALUES (entry, tenant, 1, moment, action, 0, 'success', said.kind, said.id, said.role, said.on_behalf_of, said.impersonation,
        kind, id, said.method, said.endpoint, said.status, said.request_id, was::json, becomes::json, changes::json, paths, hashes,
        sha256('\x00'::bytea || envelope));
    IF paths IS NOT NULL THEN
        INSERT INTO stockade.audit_payload (entry_id, tenant_id, field_values, salts) VALUES (entry, tenant, opened, salts);
    END IF;
    INSERT INTO stockade.audit_unsealed (tenant_id, entry_id) VALUES (tenant, entry);
    -- A rule that somebody put on the table can swallow a row without an error.
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the database took the entry and did not store it' USING ERRCODE = 'insufficient_privilege';
    END IF;
END
$$;

-- The trigger. What the settings of a session could render otherwise is rendered in one way.
CREATE FUNCTION stockade.audit_capture() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD'
    SET intervalstyle = 'iso_8601' SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C' AS $$
DECLARE
    rules  stockade.audit_attached;
    was    jsonb := to_jsonb(OLD);
    is_now jsonb := to_jsonb(NEW);
    either jsonb := coalesce(was, is_now);
    tenant uuid;
BEGIN
    SELECT a.* INTO rules FROM stockade.audit_attached a
        WHERE a.relation = coalesce(pg_partition_root(TG_RELID), TG_RELID::regclass) ORDER BY a.position DESC LIMIT 1;
    IF rules.tenant_column IS NULL THEN
        RAISE EXCEPTION 'table % is not attached to the audit log', TG_RELID::regclass USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    -- A personal column under another name must not be recorded in the clear.
    IF NOT either ?& (rules.tenant_column || rules.id_columns || rules.personal || rules.left_out) THEN
        RAISE EXCEPTION 'a column that the capture of table % names is gone: attach the table again', TG_RELID::regclass
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    was := was - rules.left_out;
    is_now := is_now - rules.left_out;
    IF was::text = is_now::text THEN
        RETURN NULL;
    END IF;
    tenant := (either ->> rules.tenant_column)::uuid;
    IF tenant IS NULL OR TG_OP = 'UPDATE' AND (was ->> rules.tenant_column) IS DISTINCT FROM (is_now ->> rules.tenant_column)
        OR tenant <> (SELECT c.tenant_id FROM stockade.current_tenant c)
    THEN
        RAISE EXCEPTION 'a row of table % has one tenant, which is that of the transaction', TG_RELID::regclass
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM stockade.audit_write(tenant, rules.action || '.' || lower(TG_OP), rules.entity_type,
        CASE cardinality(rules.id_columns) WHEN 1 THEN either ->> rules.id_columns[1]
            ELSE stockade.audit_json((SELECT jsonb_agg(either -> c.name ORDER BY c.place)
                FROM unnest(rules.id_columns) WITH ORDINALITY AS c (name, place))) END,
        was, is_now, rules.personal);
    RETURN NULL;
END
$$;

-- TRUNCATE tells nobody which rows it removes.
CREATE FUNCTION stockade.audit_capture_truncate() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'changes of table % are captured: TRUNCATE refused', TG_RELID::regclass USING ERRCODE = 'insufficient_privilege';
END
$$;

-- A table and what lies below it: partitions, or children by inheritance.
CREATE FUNCTION stockade.audit_tree(target regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE tree AS (
        SELECT target::oid AS relation
        UNION SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.relation)
    SELECT t.relation::regclass FROM tree t
$$;

-- Whether both triggers are there, as they should be.
CREATE FUNCTION stockade.audit_captures(target regclass) RETURNS boolean
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) = 2 FROM pg_trigger t
    WHERE t.tgrelid = target AND t.tgenabled = 'A' AND t.tgqual IS NULL AND t.tgattr = ''
        AND (t.tgname, t.tgfoid, t.tgtype) IN (('audit_capture', 'stockade.audit_capture()'::regprocedure, 29),
            ('audit_capture_truncate', 'stockade.audit_capture_truncate()'::regprocedure, 34))
$$;

-- Drops the triggers of a table. A partition's row trigger goes with that of its table.
CREATE FUNCTION stockade.audit_release(target regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    called text;
BEGIN
    FOR called IN SELECT t.tgname FROM pg_trigger t
        WHERE t.tgrelid = target AND t.tgname IN ('audit_capture', 'audit_capture_truncate') AND t.tgparentid = 0 LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', called, target);
    END LOOP;
END
$$;

-- Notes how a table is captured, or that it is no more (without a tenant column), and records that in the log that belongs to no tenant.
-- Only for whoever could have made or dropped its triggers: a login that is a member of the table's owner.
CREATE FUNCTION stockade.audit_note(target regclass, tenant_column text, id_columns text[], entity_type text, action text,
        personal text[], left_out text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last stockade.audit_attached;
    gone stockade.audit_attached;
    name text := (SELECT format('%s.%I', c.relnamespace::regnamespace, c.relname) FROM pg_class c WHERE c.oid = target);
BEGIN
    IF name IS NOT NULL AND (stockade.audit_captures(target) <> (audit_note.tenant_column IS NOT NULL)
        OR NOT pg_has_role(session_user, (SELECT c.relowner FROM pg_class c WHERE c.oid = target), 'MEMBER'))
    THEN
        RAISE EXCEPTION 'only the owner of a table decides about its capture' USING ERRCODE = 'AC016';
    END IF;
    SELECT a.* INTO last FROM stockade.audit_attached a WHERE a.relation = target ORDER BY a.position DESC LIMIT 1;
    IF audit_note.tenant_column IS NULL AND last.tenant_column IS NULL THEN
        RETURN;
    END IF;
    -- A table of this name that was dropped while it was attached.
    FOR gone IN SELECT DISTINCT ON (a.relation) a.* FROM stockade.audit_attached a
        WHERE a.called = name AND NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = a.relation) ORDER BY a.relation, a.position DESC LOOP
        PERFORM stockade.audit_note(gone.relation, NULL, gone.id_columns, gone.entity_type, gone.action, gone.personal, gone.left_out);
    END LOOP;
    INSERT INTO stockade.audit_attached AS a (relation, called, tenant_column, id_columns, entity_type, action, personal, left_out)
        VALUES (target, coalesce(name, last.called), audit_note.tenant_column, audit_note.id_columns, audit_note.entity_type,
            audit_note.action, audit_note.personal, audit_note.left_out);
    PERFORM stockade.audit_write('00000000-0000-0000-0000-000000000000',
        CASE WHEN audit_note.tenant_column IS NULL THEN 'audit.detached' ELSE 'audit.attached' END, 'table', coalesce(name, last.called),
        CASE WHEN last.tenant_column IS NOT NULL THEN to_jsonb(last) - '{position,relation,called,attached_at}'::text[] END,
        CASE WHEN audit_note.tenant_column IS NOT NULL THEN jsonb_build_object('tenant_column', audit_note.tenant_column,
            'id_columns', audit_note.id_columns, 'entity_type', audit_note.entity_type, 'action', audit_note.action,
            'personal', audit_note.personal, 'left_out', audit_note.left_out) END, '{}');
END
$$;

-- Captures a table: every row that is inserted, updated or deleted, in all its partitions or children, by whoever does it. Says whether
-- anything was changed by this. `id` is the primary key if it is not given; `action` and `entity` are the table's name.
CREATE FUNCTION stockade.audit_attach(target regclass, tenant text DEFAULT 'tenant_id', id text[] DEFAULT NULL, entity text DEFAULT NULL,
        action text DEFAULT NULL, personal text[] DEFAULT '{}', left_out text[] DEFAULT '{}') RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    class   pg_class;
    columns text[];
    low     regclass;
    wanted  record;
    last    record;
    changed boolean := false;
BEGIN
    SELECT c.* INTO class FROM pg_class c WHERE c.oid = target;
    IF class IS NULL THEN
        RAISE EXCEPTION 'there is no such table' USING ERRCODE = 'AC010';
    ELSIF class.relkind NOT IN ('r', 'p') OR class.relpersistence = 't' OR class.oid < 16384
        OR class.relnamespace = 'stockade'::regnamespace AND class.relname LIKE 'audit\_%'
    THEN
        RAISE EXCEPTION '% is not a table of an application', target USING ERRCODE = 'AC011';
    ELSIF class.relispartition THEN
        RAISE EXCEPTION '% is a partition: attach its table', target USING ERRCODE = 'AC012';
    ELSIF NOT pg_has_role(class.relowner, 'USAGE') THEN
        RAISE EXCEPTION 'only the owner of a table decides about its capture' USING ERRCODE = 'AC016';
    ELSIF current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the database is not in UTF8' USING ERRCODE = 'AC018';
    END IF;
    -- Whoever is writing to the table finishes first, and what is found here stays.
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', target);
    columns := ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped);
    -- A virtual column has no value where triggers are.
    left_out := ARRAY(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = target AND (a.attname = ANY (audit_attach.left_out) OR a.attgenerated = 'v' AND NOT a.attisdropped)
        UNION SELECT unnest(audit_attach.left_out) ORDER BY 1);
    personal := ARRAY(SELECT DISTINCT p FROM unnest(audit_attach.personal) p ORDER BY p);
    id := coalesce(audit_attach.id, (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (number, place)
            JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
        WHERE i.indrelid = target AND i.indisprimary AND k.place <= i.indnkeyatts));
    IF NOT EXISTS (SELECT FROM pg_attribute a
        WHERE a.attrelid = target AND a.attname = tenant AND a.atttypid = 'uuid'::regtype AND a.attnotnull)
    THEN
        RAISE EXCEPTION 'table % has no such tenant column of type uuid that is NOT NULL', target USING ERRCODE = 'AC013';
    ELSIF coalesce(cardinality(id), 0) = 0 THEN
        RAISE EXCEPTION 'table % has no primary key: name the columns that identify a row', target USING ERRCODE = 'AC014';
    ELSIF NOT (id || personal || left_out) <@ columns OR array_position(id || personal || left_out, NULL) > 0 THEN
        RAISE EXCEPTION 'table % has no such column', target USING ERRCODE = 'AC015';
    ELSIF (tenant || id) && (personal || left_out) OR personal && left_out THEN
        RAISE EXCEPTION 'a column is to be two things at once' USING ERRCODE = 'AC017';
    END IF;
    entity := coalesce(entity, class.relname);
    action := coalesce(action, class.relname);
    IF octet_length(entity) NOT BETWEEN 1 AND 256 OR octet_length(action) NOT BETWEEN 1 AND 249 OR action ~ '^audit(\.|$)' THEN
        RAISE EXCEPTION 'the names of a capture are too long, empty, or those of the log itself' USING ERRCODE = 'AC019';
    END IF;

    FOR low IN SELECT t.relation FROM stockade.audit_tree(target) AS t (relation) JOIN pg_class c ON c.oid = t.relation
        WHERE c.relkind IN ('r', 'p') LOOP
        SELECT tenant AS tenant_column, id AS id_columns, entity AS entity_type, action AS action, personal AS personal,
            left_out AS left_out INTO wanted;
        SELECT a.tenant_column, a.id_columns, a.entity_type, a.action, a.personal, a.left_out INTO last FROM stockade.audit_attached a
            WHERE a.relation = low ORDER BY a.position DESC LIMIT 1;
        CONTINUE WHEN stockade.audit_captures(low)
            AND (last IS NOT DISTINCT FROM wanted OR low <> target AND class.relkind = 'p');
        changed := true;
        -- A partition has the row trigger of its table. No other trigger goes down the tree.
        PERFORM stockade.audit_release(low);
        IF low = target OR class.relkind = 'r' THEN
            EXECUTE format('CREATE TRIGGER audit_capture AFTER INSERT OR UPDATE OR DELETE ON %s
                FOR EACH ROW EXECUTE FUNCTION stockade.audit_capture()', low);
        END IF;
        EXECUTE format('CREATE TRIGGER audit_capture_truncate BEFORE TRUNCATE ON %s
            FOR EACH STATEMENT EXECUTE FUNCTION stockade.audit_capture_truncate()', low);
        EXECUTE format('ALTER TABLE ONLY %s ENABLE ALWAYS TRIGGER audit_capture_truncate, ENABLE ALWAYS TRIGGER audit_capture', low);
        IF low = target OR class.relkind = 'r' THEN
            PERFORM stockade.audit_note(low, tenant, id, entity, action, personal, left_out);
        END IF;
    END LOOP;
    RETURN changed;
END
$$;

-- Ends the capture of a table, and of its partitions or children. Says whether there was one. A table that was dropped has only its note.
CREATE FUNCTION stockade.audit_detach(target regclass) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    low  regclass;
    last record;
    done boolean := false;
BEGIN
    IF target IS NULL THEN
        RAISE EXCEPTION 'there is no such table' USING ERRCODE = 'AC010';
    ELSIF NOT (SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_class c WHERE c.oid = target) THEN
        RAISE EXCEPTION 'only the owner of a table decides about its capture' USING ERRCODE = 'AC016';
    END IF;
    FOR low IN SELECT t.relation FROM stockade.audit_tree(target) AS t (relation) LOOP
        PERFORM stockade.audit_release(low);
        SELECT a.* INTO last FROM stockade.audit_attached a WHERE a.relation = low ORDER BY a.position DESC LIMIT 1;
        IF last.tenant_column IS NOT NULL THEN
            PERFORM stockade.audit_note(low, NULL, last.id_columns, last.entity_type, last.action, last.personal, last.left_out);
            done := true;
        END IF;
    END LOOP;
    RETURN done;
END
$$;

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON stockade.audit_attached
    FOR EACH ROW EXECUTE FUNCTION stockade.audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON stockade.audit_attached
    FOR EACH STATEMENT EXECUTE FUNCTION stockade.audit_refuse();
ALTER TABLE stockade.audit_attached ENABLE ALWAYS TRIGGER audit_append_only;
ALTER TABLE stockade.audit_attached ENABLE ALWAYS TRIGGER audit_no_truncate;
ALTER TABLE stockade.audit_attached ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON stockade.audit_attached FROM PUBLIC;
REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON stockade.audit_attached FROM CURRENT_USER;

-- Which tables are captured is no secret: `health` asks in any role group.
GRANT SELECT ON stockade.audit_attached TO stockade_capturer, stockade_attacher, stockade_app, stockade_sealer, stockade_appender,
    stockade_eraser, stockade_purger, stockade_holder, stockade_checkpointer;
CREATE POLICY audit_granted_reads ON stockade.audit_attached FOR SELECT USING (true);
GRANT INSERT ON stockade.audit_attached TO stockade_capturer;
CREATE POLICY audit_capturer_notes ON stockade.audit_attached FOR INSERT TO stockade_capturer WITH CHECK (true);

-- The capturer appends, for whichever tenant a row belongs to, and reads nothing of the log.
GRANT USAGE, CREATE ON SCHEMA stockade TO stockade_capturer;
GRANT INSERT ON stockade.audit_entry, stockade.audit_payload TO stockade_capturer;
GRANT INSERT (tenant_id, entry_id) ON stockade.audit_unsealed TO stockade_capturer;
CREATE POLICY audit_capturer_appends ON stockade.audit_entry FOR INSERT TO stockade_capturer
    WITH CHECK (recorded_at BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '5 minutes'
        AND (action IN ('audit.attached', 'audit.detached') OR action NOT LIKE 'audit.%'));
CREATE POLICY audit_capturer_appends ON stockade.audit_payload FOR INSERT TO stockade_capturer WITH CHECK (true);
CREATE POLICY audit_capturer_appends ON stockade.audit_unsealed FOR INSERT TO stockade_capturer WITH CHECK (true);

DO $$
DECLARE
    object record;
    joined text;
BEGIN
    ALTER TABLE stockade.audit_attached OWNER TO stockade_owner;
    FOR object IN
        SELECT p.oid::regprocedure::text AS name, p.proname IN ('audit_capture', 'audit_capture_truncate', 'audit_tree', 'audit_captures',
            'audit_release', 'audit_note', 'audit_attach', 'audit_detach') AS callable
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'stockade'::regnamespace AND p.proowner = current_user::regrole
            AND p.proname = ANY (ARRAY['audit_json', 'audit_changes', 'audit_fitted', 'audit_write', 'audit_capture',
                'audit_capture_truncate', 'audit_tree', 'audit_captures', 'audit_release', 'audit_note', 'audit_attach',
                'audit_detach'])
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', object.name);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO stockade_capturer', object.name);
        IF object.callable THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO stockade_attacher', object.name);
        END IF;
    END LOOP;
    REVOKE CREATE ON SCHEMA stockade FROM stockade_capturer;
    FOREACH joined IN ARRAY pg_catalog.string_to_array(pg_catalog.current_setting('stockade.audit_joined'), ' ') LOOP
        EXECUTE pg_catalog.format('REVOKE %I FROM CURRENT_USER', joined);
    END LOOP;
END
$$;
