-- API tokens and impersonations. Like everything of migration 1 they belong to stockade_owner, and only members of stockade_auth may
-- use them.

-- Accounts that may be used.
CREATE VIEW stockade.auth_active_account AS
SELECT a.user_id, a.tenant_id, a.version FROM stockade.auth_account a;

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

DO $protect$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['auth_api_token'] LOOP
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

ALTER VIEW stockade.auth_active_account OWNER TO stockade_owner;
REVOKE ALL ON stockade.auth_active_account FROM PUBLIC;
GRANT SELECT ON stockade.auth_active_account TO stockade_auth;

ALTER FUNCTION stockade.auth_api_token_narrows() OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.auth_api_token_narrows() FROM PUBLIC;
