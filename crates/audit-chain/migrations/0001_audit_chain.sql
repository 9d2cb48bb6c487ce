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

-- What happened. Never changes. `json`, not `jsonb`: the text is hashed as it was written.
CREATE TABLE stockade.audit_entry (
    entry_id       uuid           PRIMARY KEY, -- UUIDv7 of recorded_at
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
    leaf           bytea          NOT NULL CHECK (octet_length(leaf) = 32)
);
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
);

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
CREATE POLICY audit_app_appends ON stockade.audit_payload FOR INSERT TO stockade_app
    WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
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
        SELECT c.relname, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END AS kind
        FROM pg_catalog.pg_class c
        WHERE c.relnamespace = 'stockade'::regnamespace AND c.relowner = current_user::regrole AND c.relkind IN ('r', 'v')
            AND c.relname IN ('current_tenant', 'audit_entry', 'audit_payload', 'audit_unsealed', 'audit_link', 'audit_head')
    LOOP
        EXECUTE pg_catalog.format('ALTER %s stockade.%I OWNER TO stockade_owner', object.kind, object.relname);
    END LOOP;
    ALTER FUNCTION stockade.audit_refuse() OWNER TO stockade_owner;
    ALTER FUNCTION stockade.audit_head_advances() OWNER TO stockade_owner;
    IF NOT held THEN
        EXECUTE 'REVOKE stockade_owner FROM CURRENT_USER';
    END IF;
END
$$;
