CREATE OR REPLACE VIEW stockade.current_tenant WITH (security_barrier) AS
  SELECT l.tenant_id FROM stockade.tenant_lease l
   WHERE l.digest = (SELECT sha256(convert_to(current_setting('stockade.lease', true), 'UTF8'))) AND l.expires_at > now();
CREATE OR REPLACE VIEW stockade.current_actor WITH (security_barrier) AS
  SELECT l.actor_id, l.scopes, l.read_only FROM stockade.tenant_lease l
   WHERE l.digest = (SELECT sha256(convert_to(current_setting('stockade.lease', true), 'UTF8'))) AND l.expires_at > now()
