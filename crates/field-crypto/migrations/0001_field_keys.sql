-- Wrapped keys of stockade-field-crypto.
--
-- A tenant may see which keys it has, but not the wrapped keys; members of stockade_keyring see all.
-- Every statement can be repeated.

CREATE SCHEMA IF NOT EXISTS stockade;

-- Roles belong to the cluster, not to the database: another database may be creating them right now.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['stockade_owner', 'stockade_app', 'stockade_keyring'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END
$$;

-- Who is not a superuser must be a member of stockade_owner to give it objects.
DO $$
BEGIN
    FOR attempt IN 1..20 LOOP
        EXIT WHEN pg_catalog.pg_has_role(current_user, 'stockade_owner', 'USAGE');
        BEGIN
            EXECUTE format('GRANT stockade_owner TO %I', current_user);
        EXCEPTION
            -- "tuple concurrently updated"
            WHEN internal_error OR unique_violation THEN PERFORM pg_catalog.pg_sleep(0.02 * attempt);
        END;
    END LOOP;
END
$$;

DO $$
BEGIN
    IF (SELECT nspowner::regrole::text FROM pg_catalog.pg_namespace WHERE nspname = 'stockade') <> 'stockade_owner' THEN
        ALTER SCHEMA stockade OWNER TO stockade_owner;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA stockade TO PUBLIC;

-- The tenant of the transaction. All crates of Stockade read it here and nowhere else.
DO $$
BEGIN
    IF to_regclass('stockade.current_tenant') IS NULL THEN
        CREATE VIEW stockade.current_tenant AS SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;
        ALTER VIEW stockade.current_tenant OWNER TO stockade_owner;
        GRANT SELECT ON stockade.current_tenant TO PUBLIC;
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS stockade.field_keys (
    tenant_id  uuid        NOT NULL,
    key_id     bigint      NOT NULL CHECK (key_id BETWEEN 1 AND 4294967295),
    purpose    text        NOT NULL CHECK (purpose IN ('aead', 'index')),
    state      text        NOT NULL CHECK (state IN ('active', 'decrypt_only', 'destroyed')),
    kek_id     text        NOT NULL CHECK (octet_length(kek_id) BETWEEN 1 AND 255),
    wrapped    bytea,
    kcv        bytea       NOT NULL CHECK (octet_length(kcv) = 16),
    messages   bigint      NOT NULL DEFAULT 0 CHECK (messages >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key_id),
    CHECK ((state = 'destroyed') = (wrapped IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS field_keys_one_active
    ON stockade.field_keys (tenant_id, purpose) WHERE state = 'active';
ALTER TABLE stockade.field_keys OWNER TO stockade_owner;

COMMENT ON TABLE stockade.field_keys IS 'Keys of stockade-field-crypto, wrapped by a key encryption key. Without these rows no sealed field opens again.';
COMMENT ON COLUMN stockade.field_keys.kcv IS 'Check value: which key the number stands for. Not secret.';
COMMENT ON COLUMN stockade.field_keys.messages IS 'How many values the key has sealed, as far as the processes have told.';

-- Key encryption keys by what they have wrapped, to recognise at boot that they are the right ones.
CREATE TABLE IF NOT EXISTS stockade.field_keks (
    kek_id     text        PRIMARY KEY CHECK (octet_length(kek_id) BETWEEN 1 AND 255),
    canary     bytea       NOT NULL,
    kcv        bytea       NOT NULL CHECK (octet_length(kcv) = 16),
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE stockade.field_keks OWNER TO stockade_owner;

COMMENT ON TABLE stockade.field_keks IS 'Canaries of stockade-field-crypto: random keys wrapped by each key encryption key.';

ALTER TABLE stockade.field_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE stockade.field_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE stockade.field_keks ENABLE ROW LEVEL SECURITY;
ALTER TABLE stockade.field_keks FORCE ROW LEVEL SECURITY;

DROP POLICY IF EXISTS field_keys_of_the_tenant ON stockade.field_keys;
CREATE POLICY field_keys_of_the_tenant ON stockade.field_keys FOR SELECT TO stockade_app
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
DROP POLICY IF EXISTS field_keys_of_the_keyring ON stockade.field_keys;
CREATE POLICY field_keys_of_the_keyring ON stockade.field_keys TO stockade_keyring
    USING (true) WITH CHECK (true);
DROP POLICY IF EXISTS field_keks_of_the_keyring ON stockade.field_keks;
CREATE POLICY field_keks_of_the_keyring ON stockade.field_keks TO stockade_keyring
    USING (true) WITH CHECK (true);

REVOKE ALL ON stockade.field_keys, stockade.field_keks FROM PUBLIC;
GRANT SELECT (tenant_id, key_id, purpose, state, kek_id, kcv, messages, created_at)
    ON stockade.field_keys TO stockade_app;
GRANT SELECT, INSERT ON stockade.field_keys, stockade.field_keks TO stockade_keyring;
GRANT UPDATE (messages) ON stockade.field_keys TO stockade_keyring;
