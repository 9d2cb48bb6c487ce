-- The look-up that each request makes: what auth_resolve gives, in four reads of one row each and as one value.
--
-- Most of the time of a small query goes into setting up its plan. A join of four tables sets up each column of the result anew at each
-- join, and a function in FROM brings a store for its rows; reads of one row and a value in the list of columns need neither. The function
-- is STABLE, so the four reads see one snapshot. auth_resolve stays for statements that join a session.

CREATE FUNCTION stockade.auth_look_up(token_digest bytea, at_time timestamptz) RETURNS record
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $look_up$
DECLARE
    live            record;
    user_now        bigint;
    tenant_now      bigint;
    global_now      bigint;
    user_mfa        timestamptz;
    tenant_mfa      timestamptz;
    tenant_idle     integer;
    tenant_absolute integer;
BEGIN
    SELECT s.sid, s.user_id, s.tenant_id, s.user_version, s.tenant_version, s.global_version, s.assurance,
           GREATEST(s.authenticated_at, s.stepped_up_at) AS authenticated_at, s.last_seen_at, s.idle_seconds, s.expires_at,
           s.ip, s.user_agent, NULL::timestamptz AS mfa_required_from, s.authenticated_at AS signed_in_at
    INTO live
    FROM stockade.auth_session s WHERE s.digest = token_digest AND s.revoked_at IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT a.version, a.mfa_required_from INTO user_now, user_mfa
    FROM stockade.auth_account a WHERE a.user_id = live.user_id AND a.status = 'active';
    SELECT t.version, t.mfa_required_from, t.idle_seconds, t.absolute_seconds
    INTO tenant_now, tenant_mfa, tenant_idle, tenant_absolute
    FROM stockade.auth_version t WHERE t.scope = 'tenant' AND t.id = live.tenant_id;
    SELECT g.version INTO global_now
    FROM stockade.auth_version g WHERE g.scope = 'global' AND g.id = '00000000-0000-0000-0000-000000000000';

    IF tenant_idle IS NOT NULL THEN
        live.idle_seconds := LEAST(live.idle_seconds, tenant_idle);
    END IF;
    IF tenant_absolute IS NOT NULL THEN
        live.expires_at := LEAST(live.expires_at, live.signed_in_at + make_interval(secs => tenant_absolute));
    END IF;
    IF user_mfa IS NOT NULL OR tenant_mfa IS NOT NULL THEN
        live.mfa_required_from := LEAST(user_mfa, tenant_mfa);
    END IF;
    IF user_now = live.user_version AND COALESCE(tenant_now, 0) = live.tenant_version
       AND COALESCE(global_now, 0) = live.global_version AND live.expires_at > at_time
       AND live.last_seen_at + make_interval(secs => live.idle_seconds) > at_time THEN
        RETURN live;
    END IF;
    RETURN NULL;
END
$look_up$;

ALTER FUNCTION stockade.auth_look_up(bytea, timestamptz) OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.auth_look_up(bytea, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.auth_look_up(bytea, timestamptz) TO stockade_app, stockade_auth;

-- Records a use as auth_touch does, in a transaction whose commit waits for no disk: a crash that forgets the last uses ends a session
-- earlier, never later. Call it in a transaction of its own.
CREATE FUNCTION stockade.auth_record_use(of_sid uuid, at_time timestamptz, unless_after timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $record_use$
BEGIN
    SET LOCAL synchronous_commit = off;
    RETURN stockade.auth_touch(of_sid, at_time, unless_after);
END
$record_use$;

ALTER FUNCTION stockade.auth_record_use(uuid, timestamptz, timestamptz) OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.auth_record_use(uuid, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.auth_record_use(uuid, timestamptz, timestamptz) TO stockade_app, stockade_auth;
