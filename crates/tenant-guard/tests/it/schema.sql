-- Roles belong to the whole cluster, and other tests create this one at the same time.
DO $$
BEGIN
    CREATE ROLE tenant_guard_app LOGIN NOSUPERUSER NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

CREATE SCHEMA stockade;
GRANT USAGE ON SCHEMA stockade TO PUBLIC;
CREATE VIEW stockade.current_tenant AS SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;
CREATE VIEW stockade.current_actor AS
    SELECT nullif(current_setting('stockade.actor_id', true), '')::uuid AS actor_id,
           coalesce(current_setting('stockade.actor_scopes', true), '') AS scopes,
           coalesce(nullif(current_setting('stockade.read_only', true), ''), 'off') = 'on' AS read_only;
GRANT SELECT ON stockade.current_tenant, stockade.current_actor TO PUBLIC;

CREATE TABLE loads (
    tenant_id  uuid   NOT NULL,
    id         uuid   NOT NULL DEFAULT gen_random_uuid() PRIMARY KEY,
    reference  text   NOT NULL,
    rate_cents bigint NOT NULL DEFAULT 0,
    CONSTRAINT loads_reference UNIQUE (tenant_id, reference) DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE loads ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON loads
    USING      (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))
    WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
CREATE POLICY stockade_read_only_insert ON loads AS RESTRICTIVE FOR INSERT
    WITH CHECK (NOT (SELECT c.read_only FROM stockade.current_actor c));
CREATE POLICY stockade_read_only_update ON loads AS RESTRICTIVE FOR UPDATE
    USING (NOT (SELECT c.read_only FROM stockade.current_actor c));
CREATE POLICY stockade_read_only_delete ON loads AS RESTRICTIVE FOR DELETE
    USING (NOT (SELECT c.read_only FROM stockade.current_actor c));
GRANT SELECT, INSERT, UPDATE, DELETE ON loads TO tenant_guard_app;

-- A table whose owner forgot row-level security.
CREATE TABLE naked (tenant_id uuid NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON naked TO tenant_guard_app;
