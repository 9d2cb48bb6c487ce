-- What the application's own role may do with sessions: check one whose token it was shown, and list and end those of the tenant
-- of its transaction. Through functions alone: no table of this crate is open to it, and no function gives a digest that it was not given.

-- Roles belong to the cluster, not to the database: another database may be creating it right now.
DO $roles$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = 'stockade_app') THEN
        BEGIN
            CREATE ROLE stockade_app NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END IF;
END
$roles$;

-- The tenant of the transaction. All crates of Stockade read it here and nowhere else.
DO $context$
BEGIN
    IF pg_catalog.to_regclass('stockade.current_tenant') IS NULL THEN
        CREATE VIEW stockade.current_tenant AS SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;
        ALTER VIEW stockade.current_tenant OWNER TO stockade_owner;
        GRANT SELECT ON stockade.current_tenant TO PUBLIC;
    END IF;
END
$context$;

-- The functions below run with the rights of the owner, to whom row-level security applies too. A revoked session is out of its
-- reach as it is out of the store's, and a trigger keeps versions from decreasing.
CREATE POLICY owner_changes ON stockade.auth_session FOR UPDATE TO stockade_owner USING (revoked_at IS NULL) WITH CHECK (true);
CREATE POLICY owner_counts ON stockade.auth_account FOR UPDATE TO stockade_owner USING (true) WITH CHECK (true);
CREATE POLICY owner_adds ON stockade.auth_version FOR INSERT TO stockade_owner WITH CHECK (scope = 'tenant');
CREATE POLICY owner_counts ON stockade.auth_version FOR UPDATE TO stockade_owner USING (scope = 'tenant') WITH CHECK (true);

-- Records a use. It only moves forward.
CREATE FUNCTION stockade.auth_touch(of_sid uuid, at_time timestamptz, unless_after timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $touch$
BEGIN
    UPDATE stockade.auth_session s SET last_seen_at = at_time
    WHERE s.sid = of_sid AND s.last_seen_at <= least(unless_after, at_time) AND s.revoked_at IS NULL;
    RETURN FOUND;
END
$touch$;

-- The live sessions of the tenant, or of one user of it, newest first. Nobody's if the transaction has no tenant.
CREATE FUNCTION stockade.auth_tenant_sessions(of_user uuid, at_time timestamptz)
RETURNS TABLE (sid uuid, user_id uuid, assurance text, authenticated_at timestamptz, last_seen_at timestamptz,
               expires_at timestamptz, ip text, user_agent text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $sessions$
BEGIN
    RETURN QUERY
    SELECT s.sid, s.user_id, s.assurance, s.authenticated_at, s.last_seen_at, s.expires_at, s.ip, s.user_agent
    FROM stockade.auth_current_session s
    WHERE s.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c)
      AND (of_user IS NULL OR s.user_id = of_user)
      AND s.expires_at > at_time
      AND s.last_seen_at + make_interval(secs => s.idle_seconds) > at_time
    ORDER BY s.authenticated_at DESC, s.sid DESC;
END
$sessions$;
CREATE INDEX ON stockade.auth_session (tenant_id);

-- Ends a session of the tenant for good, and says whose it was. Nothing if it is another tenant's or has ended.
CREATE FUNCTION stockade.auth_tenant_revoke(of_sid uuid, at_time timestamptz) RETURNS TABLE (user_id uuid, tenant_id uuid)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $revoke$
BEGIN
    RETURN QUERY
    UPDATE stockade.auth_session s SET revoked_at = at_time
    WHERE s.sid = of_sid AND s.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND s.revoked_at IS NULL
    RETURNING s.user_id, s.tenant_id;
END
$revoke$;

-- Ends everything of a user of the tenant. False if the account is another tenant's.
CREATE FUNCTION stockade.auth_tenant_revoke_user(of_user uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $revoke$
BEGIN
    UPDATE stockade.auth_account a SET version = a.version + 1
    WHERE a.user_id = of_user AND a.status <> 'deleted' AND a.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c);
    RETURN FOUND;
END
$revoke$;

-- Ends everything of the tenant, and says which it is. NULL if the transaction has none.
CREATE FUNCTION stockade.auth_tenant_revoke_all() RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $revoke$
DECLARE
    tenant uuid := (SELECT c.tenant_id FROM stockade.current_tenant c);
BEGIN
    IF tenant IS NOT NULL THEN
        INSERT INTO stockade.auth_version AS v (scope, id, version) VALUES ('tenant', tenant, 1)
        ON CONFLICT (scope, id) DO UPDATE SET version = v.version + 1;
    END IF;
    RETURN tenant;
END
$revoke$;

ALTER FUNCTION stockade.auth_touch(uuid, timestamptz, timestamptz) OWNER TO stockade_owner;
ALTER FUNCTION stockade.auth_tenant_sessions(uuid, timestamptz) OWNER TO stockade_owner;
ALTER FUNCTION stockade.auth_tenant_revoke(uuid, timestamptz) OWNER TO stockade_owner;
ALTER FUNCTION stockade.auth_tenant_revoke_user(uuid) OWNER TO stockade_owner;
ALTER FUNCTION stockade.auth_tenant_revoke_all() OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.auth_touch(uuid, timestamptz, timestamptz), stockade.auth_tenant_sessions(uuid, timestamptz),
    stockade.auth_tenant_revoke(uuid, timestamptz), stockade.auth_tenant_revoke_user(uuid), stockade.auth_tenant_revoke_all()
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.auth_resolve(bytea, timestamptz), stockade.auth_touch(uuid, timestamptz, timestamptz)
    TO stockade_app, stockade_auth;
GRANT EXECUTE ON FUNCTION stockade.auth_tenant_sessions(uuid, timestamptz), stockade.auth_tenant_revoke(uuid, timestamptz),
    stockade.auth_tenant_revoke_user(uuid), stockade.auth_tenant_revoke_all()
    TO stockade_app;
