-- The removal of impersonations and connections that have ended. The store may not delete them. These functions may, and only what
-- ended before a time.

CREATE POLICY owner_sweeps ON stockade.auth_impersonation FOR DELETE TO stockade_owner USING (ended_at IS NOT NULL);
CREATE POLICY owner_sweeps ON stockade.auth_connection FOR DELETE TO stockade_owner USING (ended_at IS NOT NULL);

CREATE FUNCTION stockade.auth_sweep_impersonations(ended_before timestamptz, batch integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $sweep$
DECLARE
    swept bigint;
BEGIN
    DELETE FROM stockade.auth_impersonation i
    WHERE i.id IN (SELECT o.id FROM stockade.auth_impersonation o WHERE o.ended_at < ended_before LIMIT batch)
      AND i.ended_at < ended_before;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END
$sweep$;

CREATE FUNCTION stockade.auth_sweep_connections(ended_before timestamptz, batch integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $sweep$
DECLARE
    swept bigint;
BEGIN
    DELETE FROM stockade.auth_connection c
    WHERE c.id IN (SELECT o.id FROM stockade.auth_connection o WHERE o.ended_at < ended_before LIMIT batch)
      AND c.ended_at < ended_before;
    GET DIAGNOSTICS swept = ROW_COUNT;
    RETURN swept;
END
$sweep$;

ALTER FUNCTION stockade.auth_sweep_impersonations(timestamptz, integer) OWNER TO stockade_owner;
ALTER FUNCTION stockade.auth_sweep_connections(timestamptz, integer) OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.auth_sweep_impersonations(timestamptz, integer), stockade.auth_sweep_connections(timestamptz, integer)
    FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.auth_sweep_impersonations(timestamptz, integer),
    stockade.auth_sweep_connections(timestamptz, integer) TO stockade_auth;
