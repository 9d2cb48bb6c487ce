-- Accounts, sign-in attempts, pending sign-ins and sessions.
--
-- Everything here belongs to stockade_owner. Only members of stockade_auth may use it: an application grants that role to the
-- login of a pool that is used for signing in and looking sessions up, and to nothing that serves a tenant's requests.

DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['stockade_owner', 'stockade_auth'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- roles belong to the whole cluster, and another database was faster
            END;
        END IF;
    END LOOP;

    -- A superuser passes without the grant; a role with CREATEROLE needs it for the changes of owner below.
    FOR attempt IN 1..10 LOOP
        EXIT WHEN pg_catalog.pg_has_role(current_user, 'stockade_owner', 'USAGE');
        BEGIN
            GRANT stockade_owner TO CURRENT_USER;
        EXCEPTION WHEN internal_error OR unique_violation THEN
            PERFORM pg_catalog.pg_sleep(0.05); -- "tuple concurrently updated", from another database
        END;
    END LOOP;
END
$roles$;

CREATE SCHEMA IF NOT EXISTS stockade;
GRANT USAGE ON SCHEMA stockade TO PUBLIC;
GRANT USAGE, CREATE ON SCHEMA stockade TO stockade_owner;

CREATE TABLE stockade.auth_account (
    user_id       uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL,
    identifier    text NOT NULL UNIQUE,
    password_hash text NOT NULL,
    version       bigint NOT NULL DEFAULT 0 CHECK (version >= 0),
    created_at    timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON COLUMN stockade.auth_account.version IS 'adding one revokes every session and pending sign-in of the user';

-- The versions of tenants and, with the nil uuid, of everybody. No row means version 0.
CREATE TABLE stockade.auth_version (
    scope   text NOT NULL CHECK (scope IN ('tenant', 'global')),
    id      uuid NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    PRIMARY KEY (scope, id)
);

-- Taking a version back would bring revoked sessions back.
CREATE FUNCTION stockade.auth_version_grows() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $grows$
BEGIN
    IF NEW.version < OLD.version THEN
        RAISE EXCEPTION 'a session version never decreases' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$grows$;
CREATE TRIGGER version_grows BEFORE UPDATE ON stockade.auth_account
    FOR EACH ROW EXECUTE FUNCTION stockade.auth_version_grows();
CREATE TRIGGER version_grows BEFORE UPDATE ON stockade.auth_version
    FOR EACH ROW EXECUTE FUNCTION stockade.auth_version_grows();

CREATE TABLE stockade.auth_totp (
    user_id     uuid PRIMARY KEY REFERENCES stockade.auth_account ON DELETE CASCADE,
    sealed_seed bytea NOT NULL,
    active      boolean NOT NULL,
    last_step   bigint NOT NULL
);

CREATE TABLE stockade.auth_attempt (
    bucket       bytea PRIMARY KEY CHECK (pg_catalog.octet_length(bucket) = 32),
    number       integer NOT NULL CHECK (number > 0),
    last_at      timestamptz NOT NULL,
    locked_until timestamptz
);

CREATE TABLE stockade.auth_flow (
    digest         bytea PRIMARY KEY CHECK (pg_catalog.octet_length(digest) = 32),
    user_id        uuid NOT NULL REFERENCES stockade.auth_account ON DELETE CASCADE,
    tenant_id      uuid NOT NULL,
    user_version   bigint NOT NULL,
    tenant_version bigint NOT NULL,
    global_version bigint NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL
);
CREATE INDEX ON stockade.auth_flow (user_id);

-- No index on last_seen_at, so that recording a use stays a heap-only update.
CREATE TABLE stockade.auth_session (
    sid              uuid PRIMARY KEY,
    digest           bytea NOT NULL UNIQUE CHECK (pg_catalog.octet_length(digest) = 32),
    user_id          uuid NOT NULL REFERENCES stockade.auth_account ON DELETE CASCADE,
    tenant_id        uuid NOT NULL,
    user_version     bigint NOT NULL,
    tenant_version   bigint NOT NULL,
    global_version   bigint NOT NULL,
    assurance        text NOT NULL CHECK (assurance IN ('password', 'password+totp')),
    authenticated_at timestamptz NOT NULL,
    last_seen_at     timestamptz NOT NULL,
    idle_seconds     integer NOT NULL CHECK (idle_seconds > 0),
    expires_at       timestamptz NOT NULL,
    ip               text NOT NULL,
    user_agent       text,
    revoked_at       timestamptz
) WITH (fillfactor = 80);
CREATE INDEX ON stockade.auth_session (user_id);

-- Sessions that nothing has revoked. Whether they are expired depends on the caller's clock.
CREATE VIEW stockade.auth_current_session AS
SELECT s.*
FROM stockade.auth_session s
JOIN stockade.auth_account a ON a.user_id = s.user_id AND a.version = s.user_version
LEFT JOIN stockade.auth_version t ON t.scope = 'tenant' AND t.id = s.tenant_id
LEFT JOIN stockade.auth_version g ON g.scope = 'global' AND g.id = '00000000-0000-0000-0000-000000000000'
WHERE s.revoked_at IS NULL
  AND COALESCE(t.version, 0) = s.tenant_version
  AND COALESCE(g.version, 0) = s.global_version;

-- The same for pending sign-ins.
CREATE VIEW stockade.auth_current_flow AS
SELECT f.*
FROM stockade.auth_flow f
JOIN stockade.auth_account a ON a.user_id = f.user_id AND a.version = f.user_version
LEFT JOIN stockade.auth_version t ON t.scope = 'tenant' AND t.id = f.tenant_id
LEFT JOIN stockade.auth_version g ON g.scope = 'global' AND g.id = '00000000-0000-0000-0000-000000000000'
WHERE COALESCE(t.version, 0) = f.tenant_version
  AND COALESCE(g.version, 0) = f.global_version;

-- PL/pgSQL rather than SQL: its plan is kept, which makes it about twice as fast.
CREATE FUNCTION stockade.auth_resolve(token_digest bytea, at_time timestamptz)
RETURNS SETOF stockade.auth_current_session
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $resolve$
BEGIN
    RETURN QUERY
    SELECT s.*
    FROM stockade.auth_current_session s
    WHERE s.digest = token_digest
      AND s.expires_at > at_time
      AND s.last_seen_at + make_interval(secs => s.idle_seconds) > at_time;
END
$resolve$;

DO $protect$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['auth_account', 'auth_version', 'auth_totp', 'auth_attempt', 'auth_flow', 'auth_session'] LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON stockade.%I FROM PUBLIC', relation);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I FORCE ROW LEVEL SECURITY', relation);
        -- The view and auth_resolve read with the rights of the owner, to whom FORCE applies too.
        EXECUTE pg_catalog.format('CREATE POLICY owner_reads ON stockade.%I FOR SELECT TO stockade_owner USING (true)', relation);
        IF relation <> 'auth_session' THEN
            EXECUTE pg_catalog.format('CREATE POLICY auth_all ON stockade.%I TO stockade_auth USING (true) WITH CHECK (true)', relation);
        END IF;
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I OWNER TO stockade_owner', relation);
    END LOOP;
END
$protect$;

CREATE POLICY auth_reads ON stockade.auth_session FOR SELECT TO stockade_auth USING (true);
CREATE POLICY auth_adds ON stockade.auth_session FOR INSERT TO stockade_auth WITH CHECK (revoked_at IS NULL);
-- A revoked session is out of reach of every later UPDATE: it cannot come back.
CREATE POLICY auth_changes ON stockade.auth_session FOR UPDATE TO stockade_auth USING (revoked_at IS NULL) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE (password_hash, version) ON stockade.auth_account TO stockade_auth;
GRANT SELECT, INSERT, UPDATE (version) ON stockade.auth_version TO stockade_auth;
GRANT SELECT, INSERT, UPDATE (sealed_seed, active, last_step) ON stockade.auth_totp TO stockade_auth;
GRANT SELECT, INSERT, UPDATE (number, last_at, locked_until), DELETE ON stockade.auth_attempt TO stockade_auth;
GRANT SELECT, INSERT, DELETE ON stockade.auth_flow TO stockade_auth;
GRANT SELECT, INSERT, UPDATE (digest, last_seen_at, revoked_at) ON stockade.auth_session TO stockade_auth;

ALTER VIEW stockade.auth_current_session OWNER TO stockade_owner;
ALTER VIEW stockade.auth_current_flow OWNER TO stockade_owner;
REVOKE ALL ON stockade.auth_current_session, stockade.auth_current_flow FROM PUBLIC;
GRANT SELECT ON stockade.auth_current_session, stockade.auth_current_flow TO stockade_auth;

ALTER FUNCTION stockade.auth_version_grows() OWNER TO stockade_owner;
ALTER FUNCTION stockade.auth_resolve(bytea, timestamptz) OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.auth_version_grows(), stockade.auth_resolve(bytea, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.auth_resolve(bytea, timestamptz) TO stockade_auth;
