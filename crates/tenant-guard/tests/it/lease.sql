-- What a plan of rls-migrations with `Context::Lease` makes of a database, as one file: roles, schema, views, leases.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'stockade_owner') THEN
    CREATE ROLE stockade_owner NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'stockade_minter') THEN
    CREATE ROLE stockade_minter NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;
CREATE SCHEMA IF NOT EXISTS stockade;
ALTER SCHEMA stockade OWNER TO stockade_owner;
GRANT USAGE ON SCHEMA stockade TO PUBLIC;

CREATE TABLE IF NOT EXISTS stockade.tenant_lease (
  digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
  tenant_id uuid NOT NULL,
  actor_id uuid,
  scopes text NOT NULL DEFAULT '',
  read_only boolean NOT NULL DEFAULT false,
  expires_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS tenant_lease_expires_at ON stockade.tenant_lease (expires_at);
ALTER TABLE stockade.tenant_lease OWNER TO stockade_owner;
REVOKE ALL ON stockade.tenant_lease FROM PUBLIC;

CREATE TABLE IF NOT EXISTS stockade.lease_schema (name text PRIMARY KEY);
ALTER TABLE stockade.lease_schema OWNER TO stockade_owner;
GRANT SELECT ON stockade.lease_schema TO PUBLIC;

CREATE OR REPLACE FUNCTION stockade.mint_lease(
  digest bytea, tenant_id uuid, lifetime interval, actor_id uuid, scopes text, read_only boolean
) RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $mint$
#variable_conflict use_column
DECLARE
  -- Seconds, because the length of a month or a day depends on when it begins.
  seconds float8 := extract(epoch FROM mint_lease.lifetime);
  ends timestamptz;
  fault text := CASE
    WHEN octet_length(mint_lease.digest) IS DISTINCT FROM 32 THEN 'a digest of 32 bytes'
    -- An empty setting must never be somebody's secret.
    WHEN mint_lease.digest = sha256('') THEN 'the digest of a secret'
    WHEN mint_lease.tenant_id IS NULL THEN 'a tenant'
    WHEN (seconds > 0 AND seconds <= 86400) IS NOT TRUE THEN 'a lifetime of at most 24 hours'
    WHEN (length(mint_lease.scopes) <= 4096 AND mint_lease.scopes ~ '^[0-9A-Za-z._-]*$') IS NOT TRUE
      THEN 'scopes of at most 4096 letters, digits, points, lines and dashes'
    WHEN mint_lease.read_only IS NULL THEN 'a choice between reading and writing'
  END;
BEGIN
  IF fault IS NOT NULL THEN
    RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('a lease needs %s', fault);
  END IF;
  -- Leases of transactions that began before the expiry are still in use for a while.
  DELETE FROM stockade.tenant_lease l WHERE l.digest IN (
    SELECT o.digest FROM stockade.tenant_lease o WHERE o.expires_at < now() - interval '1 hour'
     ORDER BY o.expires_at LIMIT 16 FOR UPDATE SKIP LOCKED);
  INSERT INTO stockade.tenant_lease AS l (digest, tenant_id, actor_id, scopes, read_only, expires_at)
  VALUES (mint_lease.digest, mint_lease.tenant_id, mint_lease.actor_id, mint_lease.scopes, mint_lease.read_only,
          clock_timestamp() + make_interval(secs => seconds))
  RETURNING l.expires_at INTO ends;
  RETURN ends;
END
$mint$;
CREATE OR REPLACE FUNCTION stockade.revoke_lease(digest bytea)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $revoke$
#variable_conflict use_column
BEGIN
  DELETE FROM stockade.tenant_lease l WHERE l.digest = revoke_lease.digest;
  RETURN FOUND;
END
$revoke$;
ALTER FUNCTION stockade.mint_lease(bytea, uuid, interval, uuid, text, boolean) OWNER TO stockade_owner;
ALTER FUNCTION stockade.revoke_lease(bytea) OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.mint_lease(bytea, uuid, interval, uuid, text, boolean), stockade.revoke_lease(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.mint_lease(bytea, uuid, interval, uuid, text, boolean), stockade.revoke_lease(bytea) TO stockade_minter;

CREATE OR REPLACE VIEW stockade.current_tenant WITH (security_barrier) AS
  SELECT l.tenant_id FROM stockade.tenant_lease l
   WHERE l.digest = (SELECT sha256(convert_to(current_setting('stockade.lease', true), 'UTF8'))) AND l.expires_at > now();
CREATE OR REPLACE VIEW stockade.current_actor WITH (security_barrier) AS
  SELECT l.actor_id, l.scopes, l.read_only FROM stockade.tenant_lease l
   WHERE l.digest = (SELECT sha256(convert_to(current_setting('stockade.lease', true), 'UTF8'))) AND l.expires_at > now();
ALTER VIEW stockade.current_tenant OWNER TO stockade_owner;
ALTER VIEW stockade.current_actor OWNER TO stockade_owner;
GRANT SELECT ON stockade.current_tenant, stockade.current_actor TO PUBLIC;
