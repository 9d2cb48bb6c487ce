-- stockade-audit-chain, migration 1: the tables of the audit log, and who may do what with them.
-- Needs no superuser: a role with CREATEROLE and CREATE on the database is enough.

-- Roles belong to the whole cluster, so the migration of another database can be creating the same ones at this moment.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['stockade_owner', 'stockade_app', 'stockade_sealer'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

CREATE SCHEMA IF NOT EXISTS stockade;

-- The tenant of the running transaction, shared by every table of the schema.
DO $$
BEGIN
    IF pg_catalog.to_regclass('stockade.current_tenant') IS NULL THEN
        CREATE VIEW stockade.current_tenant AS
            SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;
        GRANT SELECT ON stockade.current_tenant TO PUBLIC;
    END IF;
    IF NOT pg_catalog.has_schema_privilege('public', 'stockade', 'USAGE') THEN
        GRANT USAGE ON SCHEMA stockade TO PUBLIC;
    END IF;
END
$$;

-- What happened. Never changes. `json`, not `jsonb`: the text is hashed as it was written. In partitions by month, which are ranges
-- of the key because the key begins with the time.
CREATE TABLE stockade.audit_entry (
    entry_id       uuid           PRIMARY KEY,
    tenant_id      uuid           NOT NULL,
    format         smallint       NOT NULL,
    recorded_at    timestamptz(3) NOT NULL,
    occurred_at    timestamptz(3),
    action         text           NOT NULL,
    severity       smallint       NOT NULL CHECK (severity BETWEEN 0 AND 3), -- info, notice, warning, critical
    outcome        text           NOT NULL,
    actor_kind     text           NOT NULL,
    actor_id       text           NOT NULL,
    actor_role     text,
    on_behalf_of   text,
    impersonation  text,
    entity_type    text,
    entity_id      text,
    method         text,
    endpoint       text,
    status         smallint,
    request_id     text,
    before         json,
    after          json,
    changes        json,
    personal_paths text[],
    commitments    bytea[],
    leaf           bytea          NOT NULL CHECK (octet_length(leaf) = 32),
    -- UUIDv7: the first six bytes are the milliseconds of recorded_at, or the entry would be kept with those of another month.
    CONSTRAINT audit_entry_id_check CHECK (
        substr(uuid_send(entry_id), 1, 6) = substr(int8send((extract(epoch FROM recorded_at) * 1000)::bigint), 3))
) PARTITION BY RANGE (entry_id);
CREATE INDEX audit_entry_by_time ON stockade.audit_entry (tenant_id, recorded_at, entry_id);
CREATE INDEX audit_entry_by_actor ON stockade.audit_entry (tenant_id, actor_id, recorded_at, entry_id);
CREATE INDEX audit_entry_by_entity ON stockade.audit_entry (tenant_id, entity_type, entity_id, recorded_at, entry_id);
CREATE INDEX audit_entry_by_action ON stockade.audit_entry (tenant_id, action, recorded_at, entry_id);

-- The personal values of an entry, in the order of its personal_paths, with the salts that open its commitments.
CREATE TABLE stockade.audit_payload (
    entry_id     uuid    PRIMARY KEY,
    tenant_id    uuid    NOT NULL,
    field_values bytea[] NOT NULL,
    salts        bytea[] NOT NULL
) PARTITION BY RANGE (entry_id);

-- What has been recorded and not yet sealed. The position is the order of recording.
CREATE TABLE stockade.audit_unsealed (
    position  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id uuid NOT NULL,
    entry_id  uuid NOT NULL
);

-- The chain: hashes only. Never changes. The three constraints make a fork an error instead of data.
CREATE TABLE stockade.audit_link (
    tenant_id uuid   NOT NULL,
    seq       bigint NOT NULL CHECK (seq > 0),
    entry_id  uuid   NOT NULL,
    prev      bytea  NOT NULL CHECK (octet_length(prev) = 32),
    leaf      bytea  NOT NULL CHECK (octet_length(leaf) = 32),
    hash      bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (tenant_id, seq),
    CONSTRAINT audit_link_one_successor UNIQUE (tenant_id, prev),
    CONSTRAINT audit_link_one_place UNIQUE (entry_id)
);

-- The end of each chain.
CREATE TABLE stockade.audit_head (
    tenant_id uuid   PRIMARY KEY,
    chain_id  uuid   NOT NULL,
    seq       bigint NOT NULL CHECK (seq >= 0),
    hash      bytea  NOT NULL CHECK (octet_length(hash) = 32)
);

CREATE FUNCTION stockade.audit_refuse() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE FUNCTION stockade.audit_head_advances() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.tenant_id <> OLD.tenant_id OR NEW.chain_id <> OLD.chain_id OR NEW.seq <= OLD.seq THEN
        RAISE EXCEPTION 'the head of an audit chain only moves forward' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
REVOKE ALL ON FUNCTION stockade.audit_refuse(), stockade.audit_head_advances() FROM PUBLIC;

-- ENABLE ALWAYS: an ordinary trigger does not fire under session_replication_role = replica.
DO $$
DECLARE
    name text;
    refused text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_entry', 'audit_payload', 'audit_link', 'audit_unsealed', 'audit_head'] LOOP
        refused := CASE name WHEN 'audit_unsealed' THEN 'UPDATE' WHEN 'audit_head' THEN 'DELETE' ELSE 'UPDATE OR DELETE' END;
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER audit_append_only BEFORE %s ON stockade.%I FOR EACH ROW EXECUTE FUNCTION stockade.audit_refuse()',
            refused, name);
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON stockade.%I FOR EACH STATEMENT EXECUTE FUNCTION stockade.audit_refuse()',
            name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ALWAYS TRIGGER audit_append_only', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ALWAYS TRIGGER audit_no_truncate', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON stockade.%I FROM PUBLIC', name);
    END LOOP;
END
$$;

-- The smallest id of an entry that is recorded at a time.
CREATE FUNCTION stockade.audit_id_at(at timestamptz) RETURNS uuid
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT rpad(lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;

-- The partitions of both tables, but the default ones: `_2026_11`, with its first id and the first id after it.
CREATE FUNCTION stockade.audit_partitions() RETURNS TABLE (suffix text, first_id uuid, end_id uuid)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT substr(c.relname, length('audit_entry') + 1), bound[1]::uuid, bound[2]::uuid
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        CROSS JOIN regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''([0-9a-f-]{36})''\) TO \(''([0-9a-f-]{36})''\)') AS bound
    WHERE i.inhparent = 'stockade.audit_entry'::regclass AND bound IS NOT NULL
$$;

-- Makes a partition of each table. Row triggers come from the table; statement triggers, row-level security and privileges do not.
CREATE FUNCTION stockade.audit_add_partition(suffix text, bound text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parent text;
BEGIN
    FOREACH parent IN ARRAY ARRAY['audit_entry', 'audit_payload'] LOOP
        EXECUTE format('CREATE TABLE stockade.%I (LIKE stockade.%I INCLUDING CONSTRAINTS)', parent || suffix, parent);
        EXECUTE format('CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON stockade.%I FOR EACH STATEMENT EXECUTE FUNCTION stockade.audit_refuse()',
            parent || suffix);
        EXECUTE format('ALTER TABLE stockade.%I ENABLE ALWAYS TRIGGER audit_no_truncate', parent || suffix);
        EXECUTE format('ALTER TABLE stockade.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', parent || suffix);
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON stockade.%I FROM CURRENT_USER', parent || suffix);
        EXECUTE format('ALTER TABLE stockade.%I ATTACH PARTITION stockade.%I %s', parent, parent || suffix, bound);
        IF bound = 'DEFAULT' THEN
            -- The owner sees no row of the log but these, whose months it has to know.
            EXECUTE format('CREATE POLICY audit_owner_reads ON stockade.%I FOR SELECT TO stockade_owner USING (true)', parent || suffix);
        END IF;
    END LOOP;
END
$$;

-- The month of a time, in UTC, as a partition.
CREATE FUNCTION stockade.audit_add_month(at timestamptz) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month timestamp := date_trunc('month', at AT TIME ZONE 'UTC');
BEGIN
    PERFORM stockade.audit_add_partition(to_char(month, '_YYYY_MM'), format('FOR VALUES FROM (%L) TO (%L)',
        stockade.audit_id_at(month AT TIME ZONE 'UTC'), stockade.audit_id_at((month + interval '1 month') AT TIME ZONE 'UTC')));
END
$$;

-- Makes the partitions of this month and the next three. A month that was not made in time has gone to the default partition, which then
-- becomes that month's, with nothing moved. Waits for no transaction longer than the time-out: there is time enough to try again.
CREATE FUNCTION stockade.audit_make_partitions() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    month timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
    stray uuid;
    stray_month timestamp;
    first_month timestamp;
    end_month timestamp;
    suffix text;
    parent text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(7205759403792793601) THEN
        RETURN;
    END IF;
    FOR stray IN
        (SELECT d.entry_id FROM stockade.audit_entry_default d ORDER BY d.entry_id LIMIT 1) UNION ALL
        (SELECT d.entry_id FROM stockade.audit_payload_default d ORDER BY d.entry_id LIMIT 1) UNION ALL
        (SELECT d.entry_id FROM stockade.audit_entry_default d ORDER BY d.entry_id DESC LIMIT 1) UNION ALL
        (SELECT d.entry_id FROM stockade.audit_payload_default d ORDER BY d.entry_id DESC LIMIT 1)
    LOOP
        stray_month := date_trunc('month',
            to_timestamp(('x' || left(translate(stray::text, '-', ''), 12))::bit(48)::bigint / 1000.0) AT TIME ZONE 'UTC');
        first_month := least(first_month, stray_month);
        end_month := greatest(end_month, stray_month + interval '1 month');
    END LOOP;
    IF first_month IS NOT NULL AND NOT EXISTS (
        SELECT FROM stockade.audit_partitions() m
        WHERE m.end_id > stockade.audit_id_at(first_month AT TIME ZONE 'UTC')
            AND m.first_id < stockade.audit_id_at(end_month AT TIME ZONE 'UTC'))
    THEN
        suffix := to_char(first_month, '_YYYY_MM');
        FOREACH parent IN ARRAY ARRAY['audit_entry', 'audit_payload'] LOOP
            EXECUTE format('ALTER TABLE stockade.%I DETACH PARTITION stockade.%I', parent, parent || '_default');
            EXECUTE format('DROP POLICY audit_owner_reads ON stockade.%I', parent || '_default');
            EXECUTE format('ALTER TABLE stockade.%I RENAME TO %I', parent || '_default', parent || suffix);
            EXECUTE format('ALTER TABLE stockade.%I ATTACH PARTITION stockade.%I FOR VALUES FROM (%L) TO (%L)', parent, parent || suffix,
                stockade.audit_id_at(first_month AT TIME ZONE 'UTC'), stockade.audit_id_at(end_month AT TIME ZONE 'UTC'));
        END LOOP;
        PERFORM stockade.audit_add_partition('_default', 'DEFAULT');
    END IF;
    FOR ahead IN 0..3 LOOP
        IF NOT EXISTS (
            SELECT FROM stockade.audit_partitions() m
            WHERE stockade.audit_id_at((month + make_interval(months => ahead)) AT TIME ZONE 'UTC') >= m.first_id
                AND stockade.audit_id_at((month + make_interval(months => ahead)) AT TIME ZONE 'UTC') < m.end_id)
        THEN
            PERFORM stockade.audit_add_month((month + make_interval(months => ahead)) AT TIME ZONE 'UTC');
        END IF;
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION stockade.audit_id_at(timestamptz), stockade.audit_partitions(), stockade.audit_add_partition(text, text),
    stockade.audit_add_month(timestamptz), stockade.audit_make_partitions() FROM PUBLIC;

CREATE TRIGGER audit_head_advances BEFORE UPDATE ON stockade.audit_head
    FOR EACH ROW EXECUTE FUNCTION stockade.audit_head_advances();
ALTER TABLE stockade.audit_head ENABLE ALWAYS TRIGGER audit_head_advances;

-- The application: appends to its tenant's log and reads it. An entry is dated when it is written, give or take a skewed clock.
GRANT SELECT, INSERT ON stockade.audit_entry, stockade.audit_payload TO stockade_app;
GRANT SELECT, INSERT (tenant_id, entry_id) ON stockade.audit_unsealed TO stockade_app;
GRANT SELECT ON stockade.audit_link, stockade.audit_head TO stockade_app;

CREATE POLICY audit_app_appends ON stockade.audit_entry FOR INSERT TO stockade_app
    WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c)
        AND recorded_at BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '5 minutes');
-- The same for a payload, by the time in its id.
CREATE POLICY audit_app_appends ON stockade.audit_payload FOR INSERT TO stockade_app
    WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c)
        AND substr(uuid_send(entry_id), 1, 6) BETWEEN
            substr(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint - 300000), 3)
            AND substr(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint + 300000), 3));
CREATE POLICY audit_app_appends ON stockade.audit_unsealed FOR INSERT TO stockade_app
    WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
CREATE POLICY audit_app_reads ON stockade.audit_entry FOR SELECT TO stockade_app
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
CREATE POLICY audit_app_reads ON stockade.audit_payload FOR SELECT TO stockade_app
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
CREATE POLICY audit_app_reads ON stockade.audit_unsealed FOR SELECT TO stockade_app
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
CREATE POLICY audit_app_reads ON stockade.audit_link FOR SELECT TO stockade_app
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
CREATE POLICY audit_app_reads ON stockade.audit_head FOR SELECT TO stockade_app
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));

-- The sealer: reads every tenant, appends links, moves heads forward, empties the queue. Locking a queue row needs an UPDATE
-- privilege; the trigger refuses the update itself.
GRANT EXECUTE ON FUNCTION stockade.audit_make_partitions() TO stockade_sealer;
GRANT SELECT ON stockade.audit_entry, stockade.audit_payload TO stockade_sealer;
GRANT SELECT, DELETE, UPDATE (entry_id) ON stockade.audit_unsealed TO stockade_sealer;
GRANT SELECT, INSERT ON stockade.audit_link TO stockade_sealer;
GRANT SELECT, INSERT, UPDATE (seq, hash) ON stockade.audit_head TO stockade_sealer;

CREATE POLICY audit_sealer_reads ON stockade.audit_entry FOR SELECT TO stockade_sealer USING (true);
CREATE POLICY audit_sealer_reads ON stockade.audit_payload FOR SELECT TO stockade_sealer USING (true);
CREATE POLICY audit_sealer_takes ON stockade.audit_unsealed FOR ALL TO stockade_sealer USING (true) WITH CHECK (true);
CREATE POLICY audit_sealer_reads ON stockade.audit_link FOR SELECT TO stockade_sealer USING (true);
CREATE POLICY audit_sealer_links ON stockade.audit_link FOR INSERT TO stockade_sealer WITH CHECK (true);
CREATE POLICY audit_sealer_moves ON stockade.audit_head FOR ALL TO stockade_sealer USING (true) WITH CHECK (true);

SELECT stockade.audit_add_partition('_default', 'DEFAULT');
SELECT stockade.audit_make_partitions();

-- The owner: a role that nobody logs in as, and that has given away the privileges an owner is born with.
REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES
    ON stockade.audit_entry, stockade.audit_payload, stockade.audit_unsealed, stockade.audit_link, stockade.audit_head FROM CURRENT_USER;
DO $$
DECLARE
    held boolean := pg_catalog.pg_has_role(current_user, 'stockade_owner', 'USAGE');
    attempts int := 0;
    object record;
BEGIN
    -- Only a member of a role can give objects to it. Another database's migration can be writing the same membership.
    WHILE NOT held LOOP
        BEGIN
            EXECUTE 'GRANT stockade_owner TO CURRENT_USER';
            EXIT;
        EXCEPTION WHEN internal_error OR unique_violation THEN
            attempts := attempts + 1;
            IF attempts = 20 THEN
                RAISE;
            END IF;
            PERFORM pg_catalog.pg_sleep(0.02 * attempts);
        END;
    END LOOP;
    -- The owner of a schema can drop what is in it. Whoever runs migrations keeps only what the next one needs.
    IF (SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'stockade') = current_user::regrole THEN
        ALTER SCHEMA stockade OWNER TO stockade_owner;
        IF NOT held THEN
            EXECUTE pg_catalog.format('GRANT USAGE, CREATE ON SCHEMA stockade TO %I', current_user);
        END IF;
    ELSIF NOT pg_catalog.has_schema_privilege('stockade_owner', 'stockade', 'CREATE') THEN
        GRANT USAGE, CREATE ON SCHEMA stockade TO stockade_owner;
    END IF;
    FOR object IN
        SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind, c.oid::regclass::text AS name
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'stockade'::regnamespace AND c.relowner = current_user::regrole AND c.relkind IN ('r', 'p', 'v')
            AND (c.relname = 'current_tenant' OR c.relname LIKE 'audit\_%')
        UNION ALL
        SELECT 'FUNCTION', p.oid::regprocedure::text
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'stockade'::regnamespace AND p.proowner = current_user::regrole AND p.proname LIKE 'audit\_%'
    LOOP
        EXECUTE pg_catalog.format('ALTER %s %s OWNER TO stockade_owner', object.kind, object.name);
    END LOOP;
    IF NOT held THEN
        EXECUTE 'REVOKE stockade_owner FROM CURRENT_USER';
    END IF;
END
$$;
