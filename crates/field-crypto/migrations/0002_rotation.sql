-- Rotation of stockade-field-crypto: the states that a key goes through, the registry's look at the catalogue, and the
-- statements over an application's tables, built on the server from names that it has resolved itself.
--
-- All functions here run with the rights of whoever calls them, so that the grants and policies of the application's
-- tables hold, unless they say otherwise. Every statement can be repeated.

-- Who rotates keys: the login role of the job that does it, beside stockade_keyring, and no other.
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

DO $$
DECLARE
    made regprocedure;
BEGIN
    FOR made IN SELECT p.oid FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'stockade'::regnamespace AND p.proname LIKE 'field\_%'
    LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO stockade_owner', made);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', made);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION stockade.field_site_problems(regclass, text, text, text, text, text, text[])
    TO stockade_rotator, stockade_app, stockade_keyring;
