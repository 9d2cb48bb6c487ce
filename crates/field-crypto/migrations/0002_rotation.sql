-- Rotation of stockade-field-crypto: the states that a key goes through, the registry's look at the catalogue, and the
-- statements over an application's tables, built on the server from names that it has resolved itself.
--
-- All functions here run with the rights of whoever calls them, so that the grants and policies of the application's
-- tables hold, unless they say otherwise. Every statement can be repeated.

-- Who rotates keys: the login role of the job that does it, and no other. It may do what stockade_keyring may, and exchange keys.
DO $$
BEGIN
    BEGIN
        IF to_regrole('stockade_rotator') IS NULL THEN
            CREATE ROLE stockade_rotator NOLOGIN;
        END IF;
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
    END;
END
$$;

-- The states of a key: `decrypt_only` when it is new, `active` when it seals, `decrypt_only` again, `retired` when nothing is
-- sealed under it any more, `destroyed`.
ALTER TABLE stockade.field_keys ADD COLUMN IF NOT EXISTS state_since timestamptz NOT NULL DEFAULT clock_timestamp();
ALTER TABLE stockade.field_keys DROP CONSTRAINT IF EXISTS field_keys_state_check;
ALTER TABLE stockade.field_keys ADD CONSTRAINT field_keys_state_check
    CHECK (state IN ('active', 'decrypt_only', 'retired', 'destroyed'));
ALTER TABLE stockade.field_keks ADD COLUMN IF NOT EXISTS forgotten_at timestamptz;

COMMENT ON COLUMN stockade.field_keys.state_since IS 'Since when the key has been in its state.';
COMMENT ON COLUMN stockade.field_keks.forgotten_at IS 'When the key encryption key left for good. No key is wrapped by it from then on.';

-- Which state leads to which. Who may do which step is a matter of grants and policies.
CREATE OR REPLACE FUNCTION stockade.field_key_state() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.state = OLD.state THEN
        NEW.state_since := OLD.state_since;
        RETURN NEW;
    END IF;
    IF NEW.state <> 'destroyed' AND (OLD.state, NEW.state) NOT IN
        (('decrypt_only', 'active'), ('active', 'decrypt_only'), ('decrypt_only', 'retired'))
    THEN
        RAISE EXCEPTION 'a key that is % does not become %', OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    NEW.state_since := clock_timestamp();
    RETURN NEW;
END
$$;
DROP TRIGGER IF EXISTS field_key_state ON stockade.field_keys;
CREATE TRIGGER field_key_state BEFORE UPDATE OF state ON stockade.field_keys
    FOR EACH ROW EXECUTE FUNCTION stockade.field_key_state();

-- Wrapping under a key encryption key and forgetting it exclude each other.
CREATE OR REPLACE FUNCTION stockade.field_key_wrapped() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1399873633, hashtext(NEW.kek_id));
    IF EXISTS (SELECT FROM stockade.field_keks k WHERE k.kek_id = NEW.kek_id AND k.forgotten_at IS NOT NULL) THEN
        RAISE EXCEPTION 'the key encryption key was forgotten' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;
DROP TRIGGER IF EXISTS field_key_wrapped ON stockade.field_keys;
CREATE TRIGGER field_key_wrapped BEFORE INSERT OR UPDATE OF kek_id, wrapped ON stockade.field_keys
    FOR EACH ROW WHEN (NEW.wrapped IS NOT NULL) EXECUTE FUNCTION stockade.field_key_wrapped();

-- How many keys a key encryption key wraps; it is forgotten if it is none. Null if it is unknown.
CREATE OR REPLACE FUNCTION stockade.field_kek_forget(kek text) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    uses bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(1399873633, hashtext(kek));
    SELECT count(*) INTO uses FROM stockade.field_keys k WHERE k.kek_id = kek AND k.wrapped IS NOT NULL;
    IF uses = 0 THEN
        UPDATE stockade.field_keks k SET forgotten_at = clock_timestamp() WHERE k.kek_id = kek AND k.forgotten_at IS NULL;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN uses;
END
$$;

-- Each answers `made`, `too_soon` or `wrong_state`.
CREATE OR REPLACE FUNCTION stockade.field_key_promote(tenant uuid, key bigint, settled interval) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    the_key stockade.field_keys;
BEGIN
    -- All keys of the tenant, so that two promotions follow each other.
    PERFORM FROM stockade.field_keys k WHERE k.tenant_id = tenant AND k.state <> 'destroyed' ORDER BY k.key_id FOR UPDATE;
    SELECT * INTO the_key FROM stockade.field_keys k WHERE k.tenant_id = tenant AND k.key_id = key AND k.state = 'decrypt_only';
    IF NOT FOUND THEN
        RETURN 'wrong_state';
    ELSIF the_key.state_since + settled > clock_timestamp() THEN
        RETURN 'too_soon';
    END IF;
    UPDATE stockade.field_keys k SET state = 'decrypt_only'
        WHERE k.tenant_id = tenant AND k.purpose = the_key.purpose AND k.state = 'active';
    UPDATE stockade.field_keys k SET state = 'active' WHERE k.tenant_id = tenant AND k.key_id = key;
    RETURN 'made';
END
$$;

CREATE OR REPLACE FUNCTION stockade.field_key_retire(tenant uuid, key bigint, quiet interval) RETURNS text
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE stockade.field_keys k SET state = 'retired' WHERE k.tenant_id = tenant AND k.key_id = key
        AND k.state = 'decrypt_only' AND k.state_since + quiet <= clock_timestamp();
    RETURN CASE WHEN FOUND THEN 'made'
        WHEN EXISTS (SELECT FROM stockade.field_keys k WHERE k.tenant_id = tenant AND k.key_id = key AND k.state = 'decrypt_only')
        THEN 'too_soon' ELSE 'wrong_state' END;
END
$$;

-- With the rights of its owner, whose policy reaches retired keys alone: who rotates cannot destroy any other key.
CREATE OR REPLACE FUNCTION stockade.field_key_destroy_retired(tenant uuid, key bigint, quarantine interval) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE stockade.field_keys k SET state = 'destroyed', wrapped = NULL WHERE k.tenant_id = tenant AND k.key_id = key
        AND k.state = 'retired' AND k.state_since + quarantine <= clock_timestamp();
    RETURN CASE WHEN FOUND THEN 'made'
        WHEN EXISTS (SELECT FROM stockade.field_keys k WHERE k.tenant_id = tenant AND k.key_id = key AND k.state = 'retired')
        THEN 'too_soon' ELSE 'wrong_state' END;
END
$$;

DROP POLICY IF EXISTS field_keys_of_the_rotator ON stockade.field_keys;
CREATE POLICY field_keys_of_the_rotator ON stockade.field_keys TO stockade_rotator USING (true) WITH CHECK (true);
-- Restrictive, so that it also holds for a login role that is a member of stockade_keyring as well.
DROP POLICY IF EXISTS field_keys_are_not_destroyed ON stockade.field_keys;
CREATE POLICY field_keys_are_not_destroyed ON stockade.field_keys AS RESTRICTIVE FOR UPDATE TO stockade_rotator
    USING (state <> 'destroyed') WITH CHECK (state <> 'destroyed');
-- An UPDATE must see the row that it leaves behind.
DROP POLICY IF EXISTS field_keys_retired ON stockade.field_keys;
CREATE POLICY field_keys_retired ON stockade.field_keys FOR UPDATE TO stockade_owner
    USING (state = 'retired') WITH CHECK (state = 'destroyed');
DROP POLICY IF EXISTS field_keys_ended ON stockade.field_keys;
CREATE POLICY field_keys_ended ON stockade.field_keys FOR SELECT TO stockade_owner USING (state IN ('retired', 'destroyed'));
DROP POLICY IF EXISTS field_keks_of_the_rotator ON stockade.field_keks;
CREATE POLICY field_keks_of_the_rotator ON stockade.field_keks TO stockade_rotator USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON stockade.field_keys, stockade.field_keks TO stockade_rotator;
GRANT UPDATE (state, kek_id, wrapped, messages) ON stockade.field_keys TO stockade_rotator;
GRANT UPDATE (forgotten_at) ON stockade.field_keks TO stockade_rotator;
GRANT SELECT (state_since) ON stockade.field_keys TO stockade_app;

-- Work over an application's rows, to be continued where it was left.
CREATE TABLE IF NOT EXISTS stockade.field_jobs (
    tenant_id    uuid        NOT NULL,
    kind         text        NOT NULL CHECK (kind IN ('rewrite', 'backfill')),
    table_name   text        NOT NULL,
    column_name  text        NOT NULL,
    target       text        NOT NULL,
    after_key    text,
    rows_sealed  bigint      NOT NULL DEFAULT 0,
    worker       uuid        NOT NULL,
    leased_until timestamptz NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz,
    PRIMARY KEY (tenant_id, kind, table_name, column_name)
);
ALTER TABLE stockade.field_jobs OWNER TO stockade_owner;
ALTER TABLE stockade.field_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE stockade.field_jobs FORCE ROW LEVEL SECURITY;
REVOKE ALL ON stockade.field_jobs FROM PUBLIC;

COMMENT ON TABLE stockade.field_jobs IS 'How far rotation and backfill of stockade-field-crypto are. Losing it loses no value.';
COMMENT ON COLUMN stockade.field_jobs.target IS 'The keys that the rows are sealed under: with others the work begins anew.';
COMMENT ON COLUMN stockade.field_jobs.after_key IS 'The key of the last row that was looked at.';

DROP POLICY IF EXISTS field_jobs_of_the_tenant ON stockade.field_jobs;
CREATE POLICY field_jobs_of_the_tenant ON stockade.field_jobs TO stockade_rotator
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))
    WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
DROP POLICY IF EXISTS field_jobs_are_seen ON stockade.field_jobs;
CREATE POLICY field_jobs_are_seen ON stockade.field_jobs FOR SELECT TO stockade_rotator USING (true);
GRANT SELECT, INSERT, UPDATE ON stockade.field_jobs TO stockade_rotator;

-- What is wrong with a registered column. `key_kind` is what its values are bound to: `uuid`, `integer`, or null for any.
CREATE OR REPLACE FUNCTION stockade.field_site_problems(
        site regclass, key_column text, key_kind text, tenant_column text, sealed_column text, plain_column text, index_columns text[])
    RETURNS TABLE (problem text, subject text)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    the_key pg_attribute;
    the_tenant pg_attribute;
    the_column pg_attribute;
    expression text;
    answers boolean[];
    -- Each must be refused: plain text, nothing, a long text, a sealed value of another version, one under key 0.
    samples CONSTANT bytea[] := ARRAY['plain'::bytea, ''::bytea, convert_to(repeat('plain', 9), 'UTF8'),
        '\x0200000001'::bytea || decode(repeat('00', 28), 'hex'), '\x0100000000'::bytea || decode(repeat('00', 28), 'hex')];
    refused boolean[] := array_fill(false, ARRAY[5]);
BEGIN
    IF site IS NULL OR NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = site AND c.relkind IN ('r', 'p')) THEN
        RETURN QUERY SELECT 'no_table', NULL;
        RETURN;
    END IF;
    RETURN QUERY SELECT 'no_column', n.name
        FROM unnest(ARRAY[key_column, tenant_column, sealed_column, plain_column] || index_columns) AS n (name)
        WHERE n.name IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = site AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped);

    SELECT * INTO the_key FROM pg_attribute a WHERE a.attrelid = site AND a.attname = key_column AND a.attnum > 0;
    SELECT * INTO the_tenant FROM pg_attribute a WHERE a.attrelid = site AND a.attname = tenant_column AND a.attnum > 0;
    IF the_key.attnum IS NOT NULL THEN
        IF NOT coalesce(CASE the_key.atttypid WHEN 'uuid'::regtype THEN 'uuid' WHEN 'bigint'::regtype THEN 'integer'
                WHEN 'integer'::regtype THEN 'integer' END = coalesce(key_kind, CASE WHEN the_key.atttypid = 'uuid'::regtype
                THEN 'uuid' ELSE 'integer' END), false) THEN
            RETURN QUERY SELECT 'key_type', key_column;
        END IF;
        IF NOT the_key.attnotnull THEN
            RETURN QUERY SELECT 'key_nullable', key_column;
        END IF;
        IF NOT EXISTS (
            SELECT FROM pg_index i WHERE i.indrelid = site AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL
                AND i.indexprs IS NULL AND the_key.attnum = ANY (i.indkey::int2[])
                AND (SELECT bool_and(k.attnum IN (the_key.attnum, the_tenant.attnum))
                    FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) WHERE k.place <= i.indnkeyatts))
        THEN
            RETURN QUERY SELECT 'key_not_unique', key_column;
        END IF;
    END IF;
    IF the_tenant.atttypid <> 'uuid'::regtype THEN
        RETURN QUERY SELECT 'tenant_type', tenant_column;
    END IF;
    RETURN QUERY SELECT 'not_bytea', a.attname::text FROM pg_attribute a
        WHERE a.attrelid = site AND a.attname = ANY (index_columns || sealed_column) AND a.attnum > 0 AND NOT a.attisdropped
            AND a.atttypid <> 'bytea'::regtype;
    RETURN QUERY SELECT 'plain_type', a.attname::text FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = site AND a.attname = plain_column AND a.attnum > 0 AND NOT a.attisdropped
            AND t.typcategory <> 'S' AND t.oid <> 'bytea'::regtype;

    SELECT * INTO the_column FROM pg_attribute a
        WHERE a.attrelid = site AND a.attname = sealed_column AND a.attnum > 0 AND a.atttypid = 'bytea'::regtype;
    IF the_column.attnum IS NOT NULL THEN
        -- What the constraints do counts, not how they are written.
        FOR expression IN
            SELECT pg_get_expr(c.conbin, c.conrelid) FROM pg_constraint c
            WHERE c.conrelid = site AND c.contype = 'c' AND c.convalidated AND c.conkey = ARRAY[the_column.attnum]
        LOOP
            EXECUTE format('SELECT array_agg(coalesce(NOT (%s), false) ORDER BY %I) FROM unnest($1) WITH ORDINALITY AS s (%I, %I)',
                expression, sealed_column || '.place', sealed_column, sealed_column || '.place')
                INTO answers USING samples;
            refused := ARRAY(SELECT a.earlier OR a.now FROM unnest(refused, answers) WITH ORDINALITY AS a (earlier, now, place)
                ORDER BY a.place);
        END LOOP;
        IF NOT (true = ALL (refused)) THEN
            RETURN QUERY SELECT 'not_checked', sealed_column;
        END IF;
    END IF;
END
$$;

-- A column of plain text as bytes.
CREATE OR REPLACE FUNCTION stockade.field_plain_bytes(site regclass, plain_column text) RETURNS text
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE a.atttypid WHEN 'bytea'::regtype THEN format('s.%I', plain_column)
        ELSE format('convert_to(s.%I::text, ''UTF8'')', plain_column) END
    FROM pg_attribute a WHERE a.attrelid = site AND a.attname = plain_column AND a.attnum > 0
$$;

-- The next rows of a tenant that are not sealed under its keys `sealing` and `indexing`, with the stored values; or, with a
-- `plain_column`, those that are not sealed at all, with the plain text.
CREATE OR REPLACE FUNCTION stockade.field_page(
        site regclass, key_column text, tenant_column text, sealed_column text, plain_column text, index_columns text[],
        tenant uuid, sealing bigint, indexing bigint, after_key text, page_rows bigint)
    RETURNS TABLE (row_key text, content bytea)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_type CONSTANT text := (SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
        WHERE a.attrelid = site AND a.attname = key_column AND a.attnum > 0);
    open_work text;
BEGIN
    IF plain_column IS NULL THEN
        open_work := format('s.%1$I IS NOT NULL AND (substring(s.%1$I FROM 2 FOR 4) <> $2', sealed_column)
            || coalesce((SELECT string_agg(format(' OR substring(s.%I FROM 2 FOR 4) <> $3', i.name), '')
                FROM unnest(index_columns) AS i (name)), '') || ')';
    ELSE
        open_work := format('s.%I IS NULL AND s.%I IS NOT NULL', sealed_column, plain_column);
    END IF;
    RETURN QUERY EXECUTE format('SELECT s.%1$I::text, %2$s FROM %3$s AS s WHERE s.%4$I = $1 AND %5$s', key_column,
            coalesce(stockade.field_plain_bytes(site, plain_column), format('s.%I', sealed_column)), site, tenant_column, open_work)
        || CASE WHEN after_key IS NULL THEN '' ELSE format(' AND s.%I > $4::%s', key_column, key_type) END
        || format(' ORDER BY s.%I LIMIT $5', key_column)
        USING tenant, int4send(sealing::bit(32)::int), int4send(indexing::bit(32)::int), after_key, page_rows;
END
$$;

-- Writes new values and tags into the rows whose content still is what it was, and says how many those are. Rows that somebody
-- has locked are left for later, so that nobody waits for nobody. `tags` has all tags of the first index, then of the next.
CREATE OR REPLACE FUNCTION stockade.field_write(
        site regclass, key_column text, tenant_column text, sealed_column text, plain_column text, index_columns text[],
        tenant uuid, row_keys text[], contents bytea[], sealed_values bytea[], tags bytea[])
    RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_type CONSTANT text := (SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
        WHERE a.attrelid = site AND a.attname = key_column AND a.attnum > 0);
    unchanged CONSTANT text := CASE WHEN plain_column IS NULL THEN format('s.%I =', sealed_column)
        ELSE format('s.%I IS NULL AND %s =', sealed_column, stockade.field_plain_bytes(site, plain_column)) END;
    places CONSTANT bigint := cardinality(row_keys);
    tag_arrays CONSTANT text := coalesce((SELECT string_agg(format(', $5[%s:%s]', (i.place - 1) * places + 1, i.place * places),
        '' ORDER BY i.place) FROM generate_subscripts(index_columns, 1) AS i (place)), '');
    tag_names CONSTANT text := coalesce((SELECT string_agg(format(', tag_%s', i.place), '' ORDER BY i.place)
        FROM generate_subscripts(index_columns, 1) AS i (place)), '');
    tag_changes CONSTANT text := coalesce((SELECT string_agg(format(', %I = l.tag_%s', i.name, i.place), '' ORDER BY i.place)
        FROM unnest(index_columns) WITH ORDINALITY AS i (name, place)), '');
    -- Tags may be in a unique index, whose columns an UPDATE locks harder.
    lock_mode CONSTANT text := CASE WHEN cardinality(index_columns) = 0 THEN 'NO KEY UPDATE' ELSE 'UPDATE' END;
    written bigint;
BEGIN
    -- For triggers of the table, which may want to tell this work from that of the application.
    PERFORM set_config('stockade.field_job', 'on', true);
    EXECUTE format(
        'UPDATE %1$s AS s SET %2$I = l.sealed_value%3$s'
        ' FROM (SELECT n.* FROM %1$s AS s JOIN unnest($2::%4$s[], $3, $4%5$s) AS n (row_key, content, sealed_value%6$s)'
        '     ON s.%7$I = n.row_key WHERE s.%8$I = $1 AND %9$s n.content FOR %10$s OF s SKIP LOCKED) AS l'
        ' WHERE s.%7$I = l.row_key AND s.%8$I = $1 AND %9$s l.content',
        site, sealed_column, tag_changes, key_type, tag_arrays, tag_names, key_column, tenant_column, unchanged, lock_mode)
        USING tenant, row_keys, contents, sealed_values, tags;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END
$$;

-- The next rows that have both a plain text and a sealed value, with both.
CREATE OR REPLACE FUNCTION stockade.field_pairs(
        site regclass, key_column text, tenant_column text, sealed_column text, plain_column text,
        tenant uuid, after_key text, page_rows bigint)
    RETURNS TABLE (row_key text, plain bytea, content bytea)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_type CONSTANT text := (SELECT format_type(a.atttypid, NULL) FROM pg_attribute a
        WHERE a.attrelid = site AND a.attname = key_column AND a.attnum > 0);
BEGIN
    RETURN QUERY EXECUTE format('SELECT s.%1$I::text, %2$s, s.%3$I FROM %4$s AS s WHERE s.%5$I = $1 AND s.%3$I IS NOT NULL'
            ' AND s.%6$I IS NOT NULL', key_column, stockade.field_plain_bytes(site, plain_column), sealed_column, site, tenant_column,
            plain_column)
        || CASE WHEN after_key IS NULL THEN '' ELSE format(' AND s.%I > $2::%s', key_column, key_type) END
        || format(' ORDER BY s.%I LIMIT $3', key_column)
        USING tenant, after_key, page_rows;
END
$$;

-- Waits for the transactions that are writing to a table now. The lock is for the wait: end the transaction at once.
CREATE OR REPLACE FUNCTION stockade.field_settle(site regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
BEGIN
    EXECUTE format('LOCK TABLE %s IN SHARE MODE', site);
END
$$;

-- How many values or tags in a column of a tenant are of a key.
CREATE OR REPLACE FUNCTION stockade.field_key_uses(site regclass, tenant_column text, used_in text, tenant uuid, key bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    uses bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s AS s WHERE s.%I = $1 AND substring(s.%I FROM 2 FOR 4) = $2', site, tenant_column, used_in)
        INTO uses USING tenant, int4send(key::bit(32)::int);
    RETURN uses;
END
$$;

-- How the rows of each tenant that the caller sees are kept: by key, with the key's state, or `plain`, `null` or `malformed`.
CREATE OR REPLACE FUNCTION stockade.field_coverage(site regclass, tenant_column text, sealed_column text, plain_column text)
    RETURNS TABLE (tenant_id uuid, kept text, key_id bigint, key_state text, rows_kept bigint)
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- The numbers of subjects' keys (migration 3) are in the upper half of the tenant's, those of its own in the lower.
    RETURN QUERY EXECUTE format(
        'SELECT g.tenant, g.kept, g.key_id, k.state, g.rows_kept FROM ('
        '    SELECT s.%1$I AS tenant, c.kept, CASE c.kept WHEN ''sealed'' THEN '
        '            (''x'' || encode(substring(s.%2$I FROM 2 FOR 4), ''hex''))::bit(32)::bigint END AS key_id, count(*) AS rows_kept'
        '    FROM %3$s AS s CROSS JOIN LATERAL (SELECT CASE WHEN s.%2$I IS NULL THEN %4$s'
        '        WHEN octet_length(s.%2$I) >= 33 AND substring(s.%2$I FROM 1 FOR 1) = ''\x01'' THEN ''sealed'''
        '        ELSE ''malformed'' END) AS c (kept) GROUP BY 1, 2, 3) AS g'
        ' LEFT JOIN (SELECT a.tenant_id, a.key_id, a.state FROM stockade.field_keys a WHERE a.purpose = ''aead'''
        '    UNION ALL SELECT b.tenant_id, b.key_id, b.state FROM stockade.field_subject_keys b) AS k'
        '    ON k.tenant_id = g.tenant AND k.key_id = g.key_id ORDER BY 1, 2, 3',
        tenant_column, sealed_column, site,
        CASE WHEN plain_column IS NULL THEN quote_literal('null')
            ELSE format('CASE WHEN s.%I IS NULL THEN ''null'' ELSE ''plain'' END', plain_column) END);
END
$$;

DO $$
DECLARE
    made regprocedure;
BEGIN
    FOREACH made IN ARRAY ARRAY[
        'stockade.field_key_state()', 'stockade.field_key_wrapped()', 'stockade.field_kek_forget(text)',
        'stockade.field_key_promote(uuid, bigint, interval)', 'stockade.field_key_retire(uuid, bigint, interval)',
        'stockade.field_key_destroy_retired(uuid, bigint, interval)',
        'stockade.field_site_problems(regclass, text, text, text, text, text, text[])',
        'stockade.field_plain_bytes(regclass, text)',
        'stockade.field_page(regclass, text, text, text, text, text[], uuid, bigint, bigint, text, bigint)',
        'stockade.field_write(regclass, text, text, text, text, text[], uuid, text[], bytea[], bytea[], bytea[])',
        'stockade.field_pairs(regclass, text, text, text, text, uuid, text, bigint)',
        'stockade.field_settle(regclass)', 'stockade.field_key_uses(regclass, text, text, uuid, bigint)',
        'stockade.field_coverage(regclass, text, text, text)']::regprocedure[]
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO stockade_owner', made);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO stockade_rotator', made);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION stockade.field_site_problems(regclass, text, text, text, text, text, text[]),
    stockade.field_coverage(regclass, text, text, text) TO stockade_app, stockade_keyring;
