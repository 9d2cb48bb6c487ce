-- API tokens and impersonations. Like everything of migration 1 they belong to stockade_owner, and only members of stockade_auth may
-- use them.

-- Accounts that may be used.
CREATE VIEW stockade.auth_active_account AS
SELECT a.user_id, a.tenant_id, a.version FROM stockade.auth_account a WHERE a.status = 'active';

-- The secret is a random text of 256 bits; digest is its HMAC under the key of the application's ring with the id key_id.
CREATE TABLE stockade.auth_api_token (
    id            uuid PRIMARY KEY,
    user_id       uuid NOT NULL REFERENCES stockade.auth_account ON DELETE CASCADE,
    tenant_id     uuid NOT NULL,
    name          text NOT NULL,
    scopes        text[] NOT NULL CHECK (pg_catalog.cardinality(scopes) > 0),
    networks      text[] NOT NULL,
    legacy_lookup text UNIQUE,
    key_id        smallint CHECK (key_id BETWEEN 0 AND 255),
    digest        bytea UNIQUE CHECK (pg_catalog.octet_length(digest) = 32),
    legacy_bcrypt text,
    created_at    timestamptz NOT NULL,
    expires_at    timestamptz,
    last_used_at  timestamptz,
    last_used_ip  text,
    seen          text[] NOT NULL DEFAULT '{}',
    rotated_to    uuid,
    revoked_at    timestamptz,
    CHECK ((digest IS NULL) = (legacy_bcrypt IS NOT NULL) AND (digest IS NULL) = (key_id IS NULL)),
    CHECK (legacy_bcrypt IS NULL OR legacy_lookup IS NOT NULL)
) WITH (fillfactor = 80);
CREATE INDEX ON stockade.auth_api_token (user_id);
CREATE INDEX ON stockade.auth_api_token (tenant_id);
COMMENT ON COLUMN stockade.auth_api_token.seen IS 'the networks that the token was used from, the newest last';

-- A scope or an end of life that was taken away does not come back.
CREATE FUNCTION stockade.auth_api_token_narrows() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $narrows$
BEGIN
    IF NOT OLD.scopes @> NEW.scopes
       OR COALESCE(NEW.expires_at, 'infinity') > COALESCE(OLD.expires_at, 'infinity')
       OR (OLD.rotated_to IS NOT NULL AND NEW.rotated_to IS DISTINCT FROM OLD.rotated_to) THEN
        RAISE EXCEPTION 'an api token only gets narrower' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$narrows$;
CREATE TRIGGER only_narrower BEFORE UPDATE ON stockade.auth_api_token
    FOR EACH ROW EXECUTE FUNCTION stockade.auth_api_token_narrows();

-- Whose users staff may not impersonate.
CREATE TABLE stockade.auth_impersonation_refusal (
    tenant_id uuid PRIMARY KEY,
    since     timestamptz NOT NULL DEFAULT pg_catalog.now()
);

-- No reference to accounts or sessions: who looked stays on record when they are gone.
CREATE TABLE stockade.auth_impersonation (
    id             uuid PRIMARY KEY,
    digest         bytea NOT NULL UNIQUE CHECK (pg_catalog.octet_length(digest) = 32),
    actor_id       uuid NOT NULL,
    session_id     uuid NOT NULL,
    target_id      uuid NOT NULL CHECK (target_id <> actor_id),
    tenant_id      uuid NOT NULL,
    user_version   bigint NOT NULL,
    tenant_version bigint NOT NULL,
    global_version bigint NOT NULL,
    reason         text NOT NULL CHECK (reason <> ''),
    started_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL CHECK (expires_at <= started_at + interval '60 minutes'),
    ended_at       timestamptz,
    ip             text NOT NULL
);
CREATE INDEX ON stockade.auth_impersonation (tenant_id, started_at);
CREATE INDEX ON stockade.auth_impersonation (session_id) WHERE ended_at IS NULL;

-- The accounts that may be impersonated, with their versions now.
CREATE VIEW stockade.auth_impersonable AS
SELECT a.user_id, a.tenant_id, a.version AS user_version,
       COALESCE(t.version, 0) AS tenant_version, COALESCE(g.version, 0) AS global_version
FROM stockade.auth_active_account a
LEFT JOIN stockade.auth_version t ON t.scope = 'tenant' AND t.id = a.tenant_id
LEFT JOIN stockade.auth_version g ON g.scope = 'global' AND g.id = '00000000-0000-0000-0000-000000000000'
WHERE NOT EXISTS (SELECT FROM stockade.auth_impersonation_refusal r WHERE r.tenant_id = a.tenant_id);

-- Impersonations that nothing has ended. Whether their time is over depends on the caller's clock.
CREATE VIEW stockade.auth_current_impersonation AS
SELECT i.*, LEAST(s.expires_at, s.last_seen_at + pg_catalog.make_interval(secs => s.idle_seconds)) AS session_ends_at
FROM stockade.auth_impersonation i
JOIN stockade.auth_current_session s ON s.sid = i.session_id AND s.user_id = i.actor_id
JOIN stockade.auth_impersonable a
    ON a.user_id = i.target_id AND a.tenant_id = i.tenant_id AND a.user_version = i.user_version
    AND a.tenant_version = i.tenant_version AND a.global_version = i.global_version
WHERE i.ended_at IS NULL;

DO $protect$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['auth_api_token', 'auth_impersonation', 'auth_impersonation_refusal'] LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON stockade.%I FROM PUBLIC', relation);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I FORCE ROW LEVEL SECURITY', relation);
        EXECUTE pg_catalog.format('CREATE POLICY owner_reads ON stockade.%I FOR SELECT TO stockade_owner USING (true)', relation);
        EXECUTE pg_catalog.format('CREATE POLICY auth_reads ON stockade.%I FOR SELECT TO stockade_auth USING (true)', relation);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I OWNER TO stockade_owner', relation);
    END LOOP;
END
$protect$;

-- What was revoked is out of reach of every later UPDATE: it cannot come back.
CREATE POLICY auth_adds ON stockade.auth_api_token FOR INSERT TO stockade_auth WITH CHECK (revoked_at IS NULL);
CREATE POLICY auth_changes ON stockade.auth_api_token FOR UPDATE TO stockade_auth USING (revoked_at IS NULL) WITH CHECK (true);
GRANT SELECT, INSERT,
    UPDATE (scopes, key_id, digest, legacy_bcrypt, expires_at, last_used_at, last_used_ip, seen, rotated_to, revoked_at)
    ON stockade.auth_api_token TO stockade_auth;

CREATE POLICY auth_adds ON stockade.auth_impersonation FOR INSERT TO stockade_auth WITH CHECK (ended_at IS NULL);
CREATE POLICY auth_changes ON stockade.auth_impersonation FOR UPDATE TO stockade_auth
    USING (ended_at IS NULL) WITH CHECK (ended_at IS NOT NULL);
GRANT SELECT, INSERT, UPDATE (ended_at) ON stockade.auth_impersonation TO stockade_auth;

CREATE POLICY auth_adds ON stockade.auth_impersonation_refusal FOR INSERT TO stockade_auth WITH CHECK (true);
CREATE POLICY auth_removes ON stockade.auth_impersonation_refusal FOR DELETE TO stockade_auth USING (true);
GRANT SELECT, INSERT, DELETE ON stockade.auth_impersonation_refusal TO stockade_auth;

ALTER VIEW stockade.auth_active_account OWNER TO stockade_owner;
ALTER VIEW stockade.auth_impersonable OWNER TO stockade_owner;
ALTER VIEW stockade.auth_current_impersonation OWNER TO stockade_owner;
REVOKE ALL ON stockade.auth_active_account, stockade.auth_impersonable, stockade.auth_current_impersonation FROM PUBLIC;
GRANT SELECT ON stockade.auth_active_account, stockade.auth_impersonable, stockade.auth_current_impersonation TO stockade_auth;

ALTER FUNCTION stockade.auth_api_token_narrows() OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.auth_api_token_narrows() FROM PUBLIC;
