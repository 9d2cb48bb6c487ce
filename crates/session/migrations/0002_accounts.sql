-- What an account goes through between its creation and its end: status, policy of its tenant, recovery codes, replacement of a second
-- factor, reset and change of what is typed at sign-in, known networks, and the removal of what has ended.

ALTER TABLE stockade.auth_account
    ADD COLUMN status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    ADD COLUMN mfa_required_from timestamptz;
COMMENT ON COLUMN stockade.auth_account.mfa_required_from IS 'from then on the user needs a second factor; NULL: the tenant decides';

-- A deleted account stays deleted.
CREATE FUNCTION stockade.auth_deletion_stays() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $stays$
BEGIN
    IF OLD.status = 'deleted' THEN
        RAISE EXCEPTION 'a deleted account never changes' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$stays$;
CREATE TRIGGER deletion_stays BEFORE UPDATE ON stockade.auth_account
    FOR EACH ROW EXECUTE FUNCTION stockade.auth_deletion_stays();

ALTER TABLE stockade.auth_totp ADD COLUMN replacement bytea;
COMMENT ON COLUMN stockade.auth_totp.replacement IS 'a sealed seed that waits for its first code while the old one still counts';

-- When the user last proved again who they are; the absolute limit still counts from authenticated_at.
ALTER TABLE stockade.auth_session ADD COLUMN stepped_up_at timestamptz;

CREATE TABLE stockade.auth_tenant_policy (
    tenant_id         uuid PRIMARY KEY,
    mfa_required_from timestamptz,
    idle_seconds      integer CHECK (idle_seconds > 0),
    absolute_seconds  integer CHECK (absolute_seconds >= idle_seconds)
);

-- The unused codes of a user. One row, so that using one and replacing all are single steps.
CREATE TABLE stockade.auth_recovery (
    user_id uuid PRIMARY KEY REFERENCES stockade.auth_account ON DELETE CASCADE,
    digests bytea[] NOT NULL CHECK (pg_catalog.cardinality(digests) <= 32)
);

-- user_id is NULL where nobody has the identifier, so that the request does the same work. A reset is current while user_version is
-- the user's: using one, or any other revocation of the user, ends all of them.
CREATE TABLE stockade.auth_reset (
    digest       bytea PRIMARY KEY CHECK (pg_catalog.octet_length(digest) = 32),
    user_id      uuid REFERENCES stockade.auth_account ON DELETE CASCADE,
    user_version bigint NOT NULL,
    expires_at   timestamptz NOT NULL
);
CREATE INDEX ON stockade.auth_reset (user_id);
CREATE INDEX ON stockade.auth_reset (expires_at);

-- At most one change under way a user. A NULL digest is a side that needs no confirmation.
CREATE TABLE stockade.auth_identifier_change (
    user_id        uuid PRIMARY KEY REFERENCES stockade.auth_account ON DELETE CASCADE,
    user_version   bigint NOT NULL,
    new_identifier text NOT NULL,
    old_digest     bytea UNIQUE CHECK (pg_catalog.octet_length(old_digest) = 32),
    new_digest     bytea NOT NULL UNIQUE CHECK (pg_catalog.octet_length(new_digest) = 32),
    old_confirmed  boolean NOT NULL,
    new_confirmed  boolean NOT NULL,
    expires_at     timestamptz NOT NULL
);

CREATE TABLE stockade.auth_network (
    user_id       uuid NOT NULL REFERENCES stockade.auth_account ON DELETE CASCADE,
    network       cidr NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, network)
) WITH (fillfactor = 80);

-- Sessions that nothing has revoked, with the limits that hold now: the tighter of the session's own and the tenant's.
CREATE OR REPLACE VIEW stockade.auth_current_session AS
SELECT s.sid, s.digest, s.user_id, s.tenant_id, s.user_version, s.tenant_version, s.global_version, s.assurance,
       GREATEST(s.authenticated_at, s.stepped_up_at) AS authenticated_at,
       s.last_seen_at,
       LEAST(s.idle_seconds, p.idle_seconds) AS idle_seconds,
       LEAST(s.expires_at, s.authenticated_at + pg_catalog.make_interval(secs => p.absolute_seconds)) AS expires_at,
       s.ip, s.user_agent, s.revoked_at,
       LEAST(a.mfa_required_from, p.mfa_required_from) AS mfa_required_from
FROM stockade.auth_session s
JOIN stockade.auth_account a ON a.user_id = s.user_id AND a.version = s.user_version AND a.status = 'active'
LEFT JOIN stockade.auth_tenant_policy p ON p.tenant_id = s.tenant_id
LEFT JOIN stockade.auth_version t ON t.scope = 'tenant' AND t.id = s.tenant_id
LEFT JOIN stockade.auth_version g ON g.scope = 'global' AND g.id = '00000000-0000-0000-0000-000000000000'
WHERE s.revoked_at IS NULL
  AND COALESCE(t.version, 0) = s.tenant_version
  AND COALESCE(g.version, 0) = s.global_version;

CREATE OR REPLACE VIEW stockade.auth_current_flow AS
SELECT f.*
FROM stockade.auth_flow f
JOIN stockade.auth_account a ON a.user_id = f.user_id AND a.version = f.user_version AND a.status = 'active'
LEFT JOIN stockade.auth_version t ON t.scope = 'tenant' AND t.id = f.tenant_id
LEFT JOIN stockade.auth_version g ON g.scope = 'global' AND g.id = '00000000-0000-0000-0000-000000000000'
WHERE COALESCE(t.version, 0) = f.tenant_version
  AND COALESCE(g.version, 0) = f.global_version;

-- The store may not delete sessions. This may, and only those that ended before a time.
CREATE FUNCTION stockade.auth_sweep_sessions(ended_before timestamptz, batch integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $sweep$
DECLARE
    swept bigint;
BEGIN
    DELETE FROM stockade.auth_session s
    WHERE s.sid IN (
        SELECT o.sid FROM stockade.auth_session o
        WHERE LEAST(o.revoked_at, o.expires_at, o.last_seen_at + make_interval(secs => o.idle_seconds)) < ended_before
        LIMIT batch
    ) AND LEAST(s.revoked_at, s.expires_at, s.last_seen_at + make_interval(secs => s.idle_seconds)) < ended_before;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END
$sweep$;

DO $protect$
DECLARE
    relation text;
BEGIN
    FOREACH relation IN ARRAY ARRAY['auth_tenant_policy', 'auth_recovery', 'auth_reset', 'auth_identifier_change', 'auth_network'] LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON stockade.%I FROM PUBLIC', relation);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ROW LEVEL SECURITY', relation);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I FORCE ROW LEVEL SECURITY', relation);
        EXECUTE pg_catalog.format('CREATE POLICY owner_reads ON stockade.%I FOR SELECT TO stockade_owner USING (true)', relation);
        EXECUTE pg_catalog.format('CREATE POLICY auth_all ON stockade.%I TO stockade_auth USING (true) WITH CHECK (true)', relation);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I OWNER TO stockade_owner', relation);
    END LOOP;
END
$protect$;

CREATE POLICY owner_sweeps ON stockade.auth_session FOR DELETE TO stockade_owner USING (true);

GRANT UPDATE (identifier, status, mfa_required_from) ON stockade.auth_account TO stockade_auth;
GRANT UPDATE (replacement), DELETE ON stockade.auth_totp TO stockade_auth;
GRANT UPDATE (stepped_up_at) ON stockade.auth_session TO stockade_auth;
GRANT SELECT, INSERT, UPDATE (mfa_required_from, idle_seconds, absolute_seconds) ON stockade.auth_tenant_policy TO stockade_auth;
GRANT SELECT, INSERT, UPDATE (digests), DELETE ON stockade.auth_recovery TO stockade_auth;
GRANT SELECT, INSERT, DELETE ON stockade.auth_reset TO stockade_auth;
GRANT SELECT, INSERT, DELETE,
      UPDATE (user_version, new_identifier, old_digest, new_digest, old_confirmed, new_confirmed, expires_at)
    ON stockade.auth_identifier_change TO stockade_auth;
GRANT SELECT, INSERT, UPDATE (last_seen_at), DELETE ON stockade.auth_network TO stockade_auth;

ALTER FUNCTION stockade.auth_deletion_stays() OWNER TO stockade_owner;
ALTER FUNCTION stockade.auth_sweep_sessions(timestamptz, integer) OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.auth_deletion_stays(), stockade.auth_sweep_sessions(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.auth_sweep_sessions(timestamptz, integer) TO stockade_auth;
