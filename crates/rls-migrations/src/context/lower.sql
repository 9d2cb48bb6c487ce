CREATE OR REPLACE VIEW stockade.current_tenant AS
  SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;
CREATE OR REPLACE VIEW stockade.current_actor AS
  SELECT nullif(current_setting('stockade.actor_id', true), '')::uuid AS actor_id,
         coalesce(current_setting('stockade.actor_scopes', true), '') AS scopes,
         coalesce(nullif(current_setting('stockade.read_only', true), '')::boolean, false) AS read_only;
DROP FUNCTION stockade.mint_lease(bytea, uuid, interval, uuid, text, boolean), stockade.revoke_lease(bytea);
DROP TABLE stockade.tenant_lease, stockade.lease_schema
