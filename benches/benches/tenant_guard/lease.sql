-- Level 1, as rls-migrations makes it, with as much as reading needs.
CREATE TABLE stockade.tenant_lease (
    digest bytea PRIMARY KEY, tenant_id uuid NOT NULL, actor_id uuid, scopes text NOT NULL DEFAULT '',
    read_only boolean NOT NULL DEFAULT false, expires_at timestamptz NOT NULL
);
CREATE FUNCTION stockade.mint_lease(
    digest bytea, tenant_id uuid, lifetime interval, actor_id uuid, scopes text, read_only boolean
) RETURNS timestamptz LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
    'INSERT INTO stockade.tenant_lease VALUES ($1, $2, $4, $5, $6, clock_timestamp() + $3) RETURNING expires_at';
CREATE OR REPLACE VIEW stockade.current_tenant WITH (security_barrier) AS
    SELECT l.tenant_id FROM stockade.tenant_lease l
     WHERE l.digest = (SELECT sha256(convert_to(current_setting('stockade.lease', true), 'UTF8'))) AND l.expires_at > now();
ANALYZE;
