-- Subjects' keys and shredding of stockade-field-crypto.
--
-- Who schedules and cancels (stockade_keyring) is not who executes (stockade_shredder): neither can destroy a key alone.
-- A destroyed key stays as a tombstone that nobody revives, changes or removes. Every statement can be repeated.

DO $$
BEGIN
    BEGIN
        IF to_regrole('stockade_shredder') IS NULL THEN
            CREATE ROLE stockade_shredder NOLOGIN;
        END IF;
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
    END;
END
$$;

-- The upper half of a tenant's key numbers belongs to its subjects, so that no two allocations meet.
CREATE TABLE IF NOT EXISTS stockade.field_subject_keys (
    tenant_id    uuid        NOT NULL,
    subject_id   uuid        NOT NULL,
    key_id       bigint      NOT NULL CHECK (key_id BETWEEN 2147483648 AND 4294967295),
    state        text        NOT NULL CHECK (state IN ('active', 'destroyed')),
    wrapping_key bigint      NOT NULL,
    wrapped      bytea,
    kcv          bytea       NOT NULL CHECK (octet_length(kcv) = 16),
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, subject_id),
    UNIQUE (tenant_id, key_id),
    CHECK ((state = 'destroyed') = (wrapped IS NULL))
);
CREATE INDEX IF NOT EXISTS field_subject_keys_by_wrapping_key
    ON stockade.field_subject_keys (tenant_id, wrapping_key) WHERE state <> 'destroyed';
ALTER TABLE stockade.field_subject_keys OWNER TO stockade_owner;
COMMENT ON TABLE stockade.field_subject_keys IS 'Keys of single persons, each wrapped by a key of its tenant.';

CREATE TABLE IF NOT EXISTS stockade.field_shreds (
    shred_id      uuid        PRIMARY KEY,
    tenant_id     uuid        NOT NULL,
    subject_id    uuid,
    reason        text        NOT NULL CHECK (octet_length(reason) BETWEEN 1 AND 1000),
    requested_by  text        NOT NULL CHECK (octet_length(requested_by) BETWEEN 1 AND 200),
    requested_at  timestamptz NOT NULL,
    execute_after timestamptz NOT NULL CHECK (execute_after >= requested_at),
    state         text        NOT NULL CHECK (state IN ('scheduled', 'cancelled', 'executed')),
    ended_by      text        CHECK (octet_length(ended_by) BETWEEN 1 AND 200),
    ended_at      timestamptz,
    CHECK ((state = 'scheduled') = (ended_at IS NULL) AND (ended_at IS NULL) = (ended_by IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS field_shreds_one_scheduled
    ON stockade.field_shreds (tenant_id, subject_id) NULLS NOT DISTINCT WHERE state = 'scheduled';
CREATE INDEX IF NOT EXISTS field_shreds_of_target ON stockade.field_shreds (tenant_id, subject_id, state);
ALTER TABLE stockade.field_shreds OWNER TO stockade_owner;
COMMENT ON TABLE stockade.field_shreds IS 'Who wanted which keys destroyed, why, and what became of it.';

-- Whether a target may be destroyed now: its shred is due, or has been executed (a restore may have brought keys back).
-- Without a subject: whether the whole tenant may.
CREATE OR REPLACE FUNCTION stockade.field_shred_holds(tenant uuid, subject uuid)
    RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM stockade.field_shreds s WHERE s.tenant_id = tenant AND (s.subject_id IS NULL OR s.subject_id = subject)
            AND (s.state = 'executed' OR s.state = 'scheduled' AND s.execute_after <= clock_timestamp()))
$$;

-- A shred ends once, and its history stays.
CREATE OR REPLACE FUNCTION stockade.field_shreds_guard()
    RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.state = 'scheduled' THEN
        RETURN NEW;
    ELSIF TG_OP = 'UPDATE' AND OLD.state = 'scheduled' AND NEW.state <> 'scheduled'
        AND (NEW.shred_id, NEW.tenant_id, NEW.reason, NEW.requested_by, NEW.requested_at, NEW.execute_after)
            = (OLD.shred_id, OLD.tenant_id, OLD.reason, OLD.requested_by, OLD.requested_at, OLD.execute_after)
        AND NEW.subject_id IS NOT DISTINCT FROM OLD.subject_id
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the history of shredding is not rewritten' USING ERRCODE = 'restrict_violation';
END
$$;

-- For both key tables; the argument says which.
CREATE OR REPLACE FUNCTION stockade.field_keys_guard()
    RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    the_subject uuid;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        RAISE EXCEPTION 'keys are not truncated' USING ERRCODE = 'restrict_violation';
    ELSIF TG_OP = 'DELETE' THEN
        IF OLD.state = 'destroyed' THEN
            RAISE EXCEPTION 'the tombstone of a destroyed key stays' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF TG_ARGV[0] = 'subject' THEN
        the_subject := NEW.subject_id;
    END IF;

    IF TG_OP = 'INSERT' THEN
        IF NEW.state = 'destroyed' AND current_user <> 'stockade_owner' THEN
            RAISE EXCEPTION 'a key does not begin destroyed' USING ERRCODE = 'restrict_violation';
        ELSIF NEW.state <> 'destroyed' AND (
            EXISTS (SELECT FROM stockade.field_shreds s WHERE s.tenant_id = NEW.tenant_id AND s.state = 'executed'
                AND (s.subject_id IS NULL OR s.subject_id = the_subject))
            OR EXISTS (SELECT FROM stockade.field_keys k
                WHERE k.tenant_id = NEW.tenant_id AND k.kcv = NEW.kcv AND k.state = 'destroyed')
            OR EXISTS (SELECT FROM stockade.field_subject_keys k
                WHERE k.tenant_id = NEW.tenant_id AND k.kcv = NEW.kcv AND k.state = 'destroyed'))
        THEN
            RAISE EXCEPTION 'what was destroyed does not come back' USING ERRCODE = 'restrict_violation';
        END IF;
    ELSE
        IF EXISTS (SELECT FROM unnest(ARRAY['tenant_id', 'subject_id', 'key_id', 'purpose', 'kcv', 'created_at']) AS f (name)
            WHERE to_jsonb(NEW) -> f.name IS DISTINCT FROM to_jsonb(OLD) -> f.name)
        THEN
            RAISE EXCEPTION 'a key keeps its number, owner and check value' USING ERRCODE = 'restrict_violation';
        ELSIF OLD.state = 'destroyed' THEN
            IF to_jsonb(NEW) - 'messages' <> to_jsonb(OLD) - 'messages' THEN
                RAISE EXCEPTION 'what was destroyed does not come back' USING ERRCODE = 'restrict_violation';
            END IF;
        ELSIF NEW.state = 'destroyed' AND OLD.state IN ('active', 'decrypt_only') AND (
            current_user <> 'stockade_owner' OR NOT stockade.field_shred_holds(NEW.tenant_id, the_subject))
        THEN
            RAISE EXCEPTION 'a key in use is destroyed by a shred that is due, and by nothing else'
                USING ERRCODE = 'insufficient_privilege';
        END IF;
    END IF;

    -- The lock makes the retirement of the wrapping key wait for this row, and sees this row then.
    IF TG_ARGV[0] = 'subject' AND NEW.state <> 'destroyed' THEN
        PERFORM FROM stockade.field_keys k WHERE k.tenant_id = NEW.tenant_id AND k.key_id = NEW.wrapping_key
            AND k.purpose = 'aead' AND k.state IN ('active', 'decrypt_only') FOR SHARE;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the wrapping key is no longer in use' USING ERRCODE = 'serialization_failure';
        END IF;
    ELSIF TG_ARGV[0] = 'tenant' AND TG_OP = 'UPDATE' AND NEW.state NOT IN ('active', 'decrypt_only')
        AND OLD.state IN ('active', 'decrypt_only')
        AND EXISTS (SELECT FROM stockade.field_subject_keys k
            WHERE k.tenant_id = NEW.tenant_id AND k.wrapping_key = NEW.key_id AND k.state <> 'destroyed')
    THEN
        RAISE EXCEPTION 'the key still wraps keys of subjects' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

-- Which caches have to forget what. Only changes of state are told, which are rare: a NOTIFY takes a lock at commit.
CREATE OR REPLACE FUNCTION stockade.field_keys_notify()
    RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    changed jsonb := coalesce(to_jsonb(NEW), to_jsonb(OLD));
BEGIN
    -- The statement and not the function, which a hardened database takes from everybody.
    EXECUTE format('NOTIFY stockade_field_keys, %L', concat_ws(' ', changed ->> 'tenant_id', changed ->> 'subject_id'));
    RETURN NULL;
END
$$;

-- Destroys all keys of a target, and returns those that were not yet destroyed.
CREATE OR REPLACE FUNCTION stockade.field_shred_destroy(tenant uuid, subject uuid)
    RETURNS TABLE (key_id bigint, purpose text, kcv bytea)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Nobody provisions a subject meanwhile: its trigger waits for these rows.
    PERFORM FROM stockade.field_keys k WHERE subject IS NULL AND k.tenant_id = tenant ORDER BY k.key_id FOR UPDATE;
    RETURN QUERY UPDATE stockade.field_subject_keys k SET state = 'destroyed', wrapped = NULL
        WHERE k.tenant_id = tenant AND (subject IS NULL OR k.subject_id = subject) AND k.state <> 'destroyed'
        RETURNING k.key_id, 'aead', k.kcv;
    RETURN QUERY UPDATE stockade.field_keys k SET state = 'destroyed', wrapped = NULL
        WHERE k.tenant_id = tenant AND subject IS NULL AND k.state <> 'destroyed'
        RETURNING k.key_id, k.purpose, k.kcv;
END
$$;

-- Plans a shred, or returns the one that is planned for the target already.
CREATE OR REPLACE FUNCTION stockade.field_shred_schedule(
        shred uuid, tenant uuid, subject uuid, grace_seconds bigint, why text, who text)
    RETURNS SETOF stockade.field_shreds
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF grace_seconds < 0 THEN
        RAISE EXCEPTION 'a grace is not negative' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    LOOP
        RETURN QUERY INSERT INTO stockade.field_shreds AS s
            (shred_id, tenant_id, subject_id, reason, requested_by, requested_at, execute_after, state)
            VALUES (shred, tenant, subject, why, who, now(), now() + make_interval(secs => grace_seconds), 'scheduled')
            ON CONFLICT (tenant_id, subject_id) WHERE state = 'scheduled' DO NOTHING RETURNING s.*;
        EXIT WHEN FOUND;
        RETURN QUERY SELECT s.* FROM stockade.field_shreds s
            WHERE s.tenant_id = tenant AND s.subject_id IS NOT DISTINCT FROM subject AND s.state = 'scheduled';
        EXIT WHEN FOUND;
    END LOOP;
END
$$;

-- Ends a shred that was not executed. Returns its state before: `scheduled` if it is this call that has cancelled it.
CREATE OR REPLACE FUNCTION stockade.field_shred_cancel(shred uuid, who text)
    RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    before text;
BEGIN
    SELECT s.state INTO before FROM stockade.field_shreds s WHERE s.shred_id = shred FOR UPDATE;
    IF before = 'scheduled' THEN
        UPDATE stockade.field_shreds s SET state = 'cancelled', ended_by = who, ended_at = clock_timestamp()
            WHERE s.shred_id = shred;
    END IF;
    RETURN before;
END
$$;

-- Destroys the keys of a target whose shred is due. Returns the state before: `scheduled` without a date of the end is
-- a refusal, because it is not due. An executed one is executed again, for keys that a restore has brought back.
CREATE OR REPLACE FUNCTION stockade.field_shred_execute(shred uuid, who text)
    RETURNS TABLE (before text, tenant_id uuid, subject_id uuid, execute_after timestamptz, ended_at timestamptz,
        keys bigint[], purposes text[], kcvs bytea[], keks text[], wrapped_by bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target stockade.field_shreds;
BEGIN
    SELECT * INTO target FROM stockade.field_shreds s WHERE s.shred_id = shred FOR UPDATE;
    IF target.shred_id IS NULL THEN
        RETURN;
    END IF;
    before := target.state;
    IF target.state = 'executed' OR target.state = 'scheduled' AND target.execute_after <= clock_timestamp() THEN
        SELECT array_agg(d.key_id), array_agg(d.purpose), array_agg(d.kcv) INTO keys, purposes, kcvs
            FROM stockade.field_shred_destroy(target.tenant_id, target.subject_id) d;
        SELECT array_agg(k.kek_id ORDER BY k.kek_id) INTO keks FROM stockade.field_keks k;
        SELECT nullif(k.wrapping_key, 0) INTO wrapped_by FROM stockade.field_subject_keys k
            WHERE k.tenant_id = target.tenant_id AND k.subject_id = target.subject_id;
        IF target.state = 'scheduled' THEN
            UPDATE stockade.field_shreds s SET state = 'executed', ended_by = who, ended_at = clock_timestamp()
                WHERE s.shred_id = shred RETURNING s.* INTO target;
        END IF;
    END IF;
    RETURN QUERY SELECT before, target.tenant_id, target.subject_id, target.execute_after, target.ended_at,
        coalesce(keys, '{}'), coalesce(purposes, '{}'), coalesce(kcvs, '{}'), coalesce(keks, '{}'), wrapped_by;
END
$$;

-- After a restore: destroys again what a shred of the kept list has destroyed, and puts the tombstones of keys that the
-- backup does not know. It refuses, and changes nothing, if the database says that the shred was cancelled or was another
-- one, or if it has another key under a number of the list.
CREATE OR REPLACE FUNCTION stockade.field_shred_replay(
        shred uuid, tenant uuid, subject uuid, executed_at timestamptz,
        keys bigint[], owners uuid[], purposes text[], kcvs bytea[])
    RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    destroyed bigint;
BEGIN
    -- The target is destroyed by this shred: another one that the backup still plans for it has no object.
    UPDATE stockade.field_shreds s SET state = 'cancelled', ended_by = 'replay', ended_at = clock_timestamp()
        WHERE s.tenant_id = tenant AND s.subject_id IS NOT DISTINCT FROM subject AND s.state = 'scheduled' AND s.shred_id <> shred;
    INSERT INTO stockade.field_shreds
        (shred_id, tenant_id, subject_id, reason, requested_by, requested_at, execute_after, state)
        VALUES (shred, tenant, subject, 'replayed after a restore', 'replay', executed_at, executed_at, 'scheduled')
        ON CONFLICT DO NOTHING;
    IF NOT EXISTS (
            SELECT FROM stockade.field_shreds s WHERE s.shred_id = shred AND s.tenant_id = tenant
                AND s.subject_id IS NOT DISTINCT FROM subject AND s.state <> 'cancelled' AND s.execute_after <= clock_timestamp())
        OR EXISTS (
            SELECT FROM unnest(keys, owners, kcvs) AS t (key_id, owner, kcv)
                LEFT JOIN stockade.field_keys k ON t.owner IS NULL AND k.tenant_id = tenant AND k.key_id = t.key_id
                LEFT JOIN stockade.field_subject_keys o ON o.tenant_id = tenant AND o.subject_id = t.owner
            WHERE t.kcv <> k.kcv OR t.kcv <> o.kcv)
    THEN
        RAISE EXCEPTION 'the list of tombstones contradicts the database' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO stockade.field_subject_keys (tenant_id, subject_id, key_id, state, wrapping_key, kcv)
        SELECT tenant, t.owner, t.key_id, 'destroyed', 0, t.kcv FROM unnest(keys, owners, kcvs) AS t (key_id, owner, kcv)
        WHERE t.owner IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO stockade.field_keys (tenant_id, key_id, purpose, state, kek_id, kcv)
        SELECT tenant, t.key_id, t.purpose, 'destroyed', 'unknown', t.kcv
        FROM unnest(keys, owners, purposes, kcvs) AS t (key_id, owner, purpose, kcv)
        WHERE t.owner IS NULL ON CONFLICT DO NOTHING;
    SELECT count(*) INTO destroyed FROM stockade.field_shred_destroy(tenant, subject);
    UPDATE stockade.field_shreds s SET state = 'executed', ended_by = 'replay', ended_at = clock_timestamp()
        WHERE s.shred_id = shred AND s.state = 'scheduled';
    RETURN destroyed;
END
$$;

-- Empties a blind index for a target's rows. A subject's rows are those whose sealed value names its key.
CREATE OR REPLACE FUNCTION stockade.field_clear_index(
        site regclass, tenant_column text, tenant uuid, sealed_column text, subject uuid, index_column text)
    RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    cleared bigint;
    header bytea;
BEGIN
    IF subject IS NOT NULL THEN
        SELECT '\x01'::bytea || substring(int8send(k.key_id) FROM 5) INTO header
            FROM stockade.field_subject_keys k WHERE k.tenant_id = tenant AND k.subject_id = subject;
        IF header IS NULL THEN
            RETURN 0;
        END IF;
    END IF;
    EXECUTE format('UPDATE %s SET %I = NULL WHERE %I = $1 AND ($2 IS NULL OR substring(%I FROM 1 FOR 5) = $2) AND %I IS NOT NULL',
        site, index_column, tenant_column, sealed_column, index_column) USING tenant, header;
    GET DIAGNOSTICS cleared = ROW_COUNT;
    RETURN cleared;
END
$$;

-- Executes a shred and empties the blind indexes of its target's rows, all or nothing. The indexes, one for each place of the
-- lists, are emptied under the rights and policies of whoever calls, in the tenant's context.
CREATE OR REPLACE FUNCTION stockade.field_shred_run(
        shred uuid, who text, sites text[], tenant_columns text[], sealed_columns text[], of_subjects boolean[], index_columns text[])
    RETURNS TABLE (before text, tenant_id uuid, subject_id uuid, execute_after timestamptz, ended_at timestamptz,
        keys bigint[], purposes text[], kcvs bytea[], keks text[], wrapped_by bigint, index_entries bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done record;
    place record;
    entries bigint := 0;
BEGIN
    FOR done IN SELECT e.* FROM stockade.field_shred_execute(shred, who) e LOOP
        IF done.before <> 'cancelled' AND done.ended_at IS NOT NULL THEN
            PERFORM set_config('stockade.tenant_id', done.tenant_id::text, true);
            FOR place IN SELECT p.* FROM unnest(sites, tenant_columns, sealed_columns, of_subjects, index_columns)
                AS p (site, tenant_column, sealed_column, of_subject, index_column)
                WHERE p.of_subject OR done.subject_id IS NULL
            LOOP
                entries := entries + stockade.field_clear_index(place.site::regclass, place.tenant_column, done.tenant_id,
                    place.sealed_column, done.subject_id, place.index_column);
            END LOOP;
        END IF;
        RETURN QUERY SELECT done.before, done.tenant_id, done.subject_id, done.execute_after, done.ended_at,
            done.keys, done.purposes, done.kcvs, done.keks, done.wrapped_by, entries;
    END LOOP;
END
$$;

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN SELECT * FROM (VALUES
            ('field_shreds', 'field_shreds_guard', 'BEFORE INSERT OR UPDATE OR DELETE', 'ROW', '', 'field_shreds_guard()'),
            ('field_shreds', 'field_shreds_guard_all', 'BEFORE TRUNCATE', 'STATEMENT', '', 'field_shreds_guard()'),
            ('field_keys', 'field_keys_guard', 'BEFORE INSERT OR UPDATE OR DELETE', 'ROW', '', 'field_keys_guard(''tenant'')'),
            ('field_keys', 'field_keys_guard_all', 'BEFORE TRUNCATE', 'STATEMENT', '', 'field_keys_guard(''tenant'')'),
            ('field_keys', 'field_keys_made', 'AFTER INSERT OR DELETE', 'ROW', '', 'field_keys_notify()'),
            ('field_keys', 'field_keys_changed', 'AFTER UPDATE OF state', 'ROW', 'WHEN (OLD.state IS DISTINCT FROM NEW.state)',
                'field_keys_notify()'),
            ('field_subject_keys', 'field_keys_guard', 'BEFORE INSERT OR UPDATE OR DELETE', 'ROW', '',
                'field_keys_guard(''subject'')'),
            ('field_subject_keys', 'field_keys_guard_all', 'BEFORE TRUNCATE', 'STATEMENT', '', 'field_keys_guard(''subject'')'),
            ('field_subject_keys', 'field_keys_gone', 'AFTER DELETE', 'ROW', '', 'field_keys_notify()'),
            ('field_subject_keys', 'field_keys_changed', 'AFTER UPDATE OF state', 'ROW',
                'WHEN (OLD.state IS DISTINCT FROM NEW.state)', 'field_keys_notify()')
        ) AS w (site, name, moment, level, condition, call)
    LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER %I %s ON stockade.%I FOR EACH %s %s EXECUTE FUNCTION stockade.%s',
            wanted.name, wanted.moment, wanted.site, wanted.level, wanted.condition, wanted.call);
    END LOOP;
END
$$;

ALTER TABLE stockade.field_subject_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE stockade.field_subject_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE stockade.field_shreds ENABLE ROW LEVEL SECURITY;
ALTER TABLE stockade.field_shreds FORCE ROW LEVEL SECURITY;

-- stockade_owner is who the functions above run as: it reaches keys that a shred holds, and no other.
DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN SELECT * FROM (VALUES
            ('field_subject_keys', 'of_the_tenant', 'FOR SELECT TO stockade_app',
                'USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))'),
            ('field_subject_keys', 'of_the_keyring', 'TO stockade_keyring, stockade_rotator', 'USING (true) WITH CHECK (true)'),
            ('field_subject_keys', 'of_the_shredder', 'FOR SELECT TO stockade_shredder', 'USING (true)'),
            ('field_subject_keys', 'of_a_shred', 'FOR SELECT TO stockade_owner',
                'USING (stockade.field_shred_holds(tenant_id, subject_id))'),
            ('field_subject_keys', 'destroyed_by_a_shred', 'FOR UPDATE TO stockade_owner',
                'USING (stockade.field_shred_holds(tenant_id, subject_id)) WITH CHECK (state = ''destroyed'')'),
            ('field_subject_keys', 'replayed', 'FOR INSERT TO stockade_owner',
                'WITH CHECK (state = ''destroyed'' AND stockade.field_shred_holds(tenant_id, subject_id))'),
            ('field_keys', 'of_the_shredder', 'FOR SELECT TO stockade_shredder', 'USING (true)'),
            ('field_keys', 'of_a_shred', 'FOR SELECT TO stockade_owner', 'USING (stockade.field_shred_holds(tenant_id, NULL))'),
            ('field_keys', 'destroyed_by_a_shred', 'FOR UPDATE TO stockade_owner',
                'USING (stockade.field_shred_holds(tenant_id, NULL)) WITH CHECK (state = ''destroyed'')'),
            ('field_keys', 'replayed', 'FOR INSERT TO stockade_owner',
                'WITH CHECK (state = ''destroyed'' AND stockade.field_shred_holds(tenant_id, NULL))'),
            ('field_keks', 'named_by_a_shred', 'FOR SELECT TO stockade_owner', 'USING (true)'),
            ('field_shreds', 'of_the_tenant', 'FOR SELECT TO stockade_app',
                'USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))'),
            ('field_shreds', 'of_the_keyring', 'FOR SELECT TO stockade_keyring, stockade_rotator, stockade_shredder',
                'USING (true)'),
            ('field_shreds', 'of_the_functions', 'TO stockade_owner', 'USING (true) WITH CHECK (true)')
        ) AS w (site, name, reach, condition)
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS %I ON stockade.%I', wanted.site || '_' || wanted.name, wanted.site);
        EXECUTE format('CREATE POLICY %I ON stockade.%I %s %s', wanted.site || '_' || wanted.name, wanted.site, wanted.reach,
            wanted.condition);
    END LOOP;
END
$$;

REVOKE ALL ON stockade.field_subject_keys, stockade.field_shreds FROM PUBLIC;
GRANT SELECT (tenant_id, subject_id, key_id, state, wrapping_key, kcv, created_at)
    ON stockade.field_subject_keys TO stockade_app, stockade_shredder, stockade_rotator;
GRANT SELECT (tenant_id, key_id, purpose, state, kek_id, kcv) ON stockade.field_keys TO stockade_shredder;
GRANT SELECT, INSERT ON stockade.field_subject_keys TO stockade_keyring, stockade_rotator;
GRANT UPDATE (wrapping_key, wrapped) ON stockade.field_subject_keys TO stockade_keyring, stockade_rotator;
GRANT SELECT ON stockade.field_shreds TO stockade_app, stockade_keyring, stockade_rotator, stockade_shredder;

DO $$
DECLARE
    made record;
BEGIN
    FOR made IN SELECT * FROM (VALUES
            ('field_shred_holds(uuid, uuid)', 'stockade_app, stockade_keyring, stockade_rotator, stockade_shredder'),
            ('field_shreds_guard()', NULL),
            ('field_keys_guard()', NULL),
            ('field_keys_notify()', NULL),
            ('field_shred_destroy(uuid, uuid)', NULL),
            ('field_shred_schedule(uuid, uuid, uuid, bigint, text, text)', 'stockade_keyring'),
            ('field_shred_cancel(uuid, text)', 'stockade_keyring'),
            ('field_shred_execute(uuid, text)', 'stockade_shredder'),
            ('field_shred_replay(uuid, uuid, uuid, timestamptz, bigint[], uuid[], text[], bytea[])', NULL),
            ('field_clear_index(regclass, text, uuid, text, uuid, text)', 'stockade_shredder'),
            ('field_shred_run(uuid, text, text[], text[], text[], boolean[], text[])', 'stockade_shredder')
        ) AS m (signature, callers)
    LOOP
        EXECUTE format('ALTER FUNCTION stockade.%s OWNER TO stockade_owner', made.signature);
        EXECUTE format('REVOKE ALL ON FUNCTION stockade.%s FROM PUBLIC', made.signature);
        IF made.callers IS NOT NULL THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION stockade.%s TO %s', made.signature, made.callers);
        END IF;
    END LOOP;
END
$$;
