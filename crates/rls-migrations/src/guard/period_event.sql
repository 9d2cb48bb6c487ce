CREATE TABLE IF NOT EXISTS stockade.rls_period_event (
  tenant_id uuid NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  xact xid8 NOT NULL DEFAULT pg_current_xact_id(),
  periods text NOT NULL,
  action text NOT NULL CHECK (action IN ('adjust', 'reopen')),
  ends_on date CHECK ((ends_on IS NOT NULL) = (action = 'reopen')),
  reason text NOT NULL,
  actor_id uuid,
  login name NOT NULL DEFAULT session_user,
  PRIMARY KEY (tenant_id, at, id)
);
ALTER TABLE stockade.rls_period_event OWNER TO stockade_owner;
ALTER TABLE stockade.rls_period_event ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS stockade_tenant ON stockade.rls_period_event;
CREATE POLICY stockade_tenant ON stockade.rls_period_event AS RESTRICTIVE FOR ALL TO PUBLIC
  USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))
  WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
DROP POLICY IF EXISTS stockade_read_only_insert ON stockade.rls_period_event;
CREATE POLICY stockade_read_only_insert ON stockade.rls_period_event AS RESTRICTIVE FOR INSERT TO PUBLIC
  WITH CHECK (NOT (SELECT c.read_only FROM stockade.current_actor c));
DROP POLICY IF EXISTS stockade_guard ON stockade.rls_period_event;
CREATE POLICY stockade_guard ON stockade.rls_period_event FOR INSERT TO stockade_owner WITH CHECK (true);
DROP POLICY IF EXISTS stockade_access ON stockade.rls_period_event;
CREATE POLICY stockade_access ON stockade.rls_period_event FOR SELECT TO PUBLIC USING (true);
CREATE OR REPLACE TRIGGER stockade_append_only BEFORE UPDATE OR DELETE ON stockade.rls_period_event
  FOR EACH ROW EXECUTE FUNCTION stockade.rls_refuse_change('append-only');
CREATE OR REPLACE TRIGGER stockade_append_only_all BEFORE TRUNCATE ON stockade.rls_period_event
  FOR EACH STATEMENT EXECUTE FUNCTION stockade.rls_refuse_change('append-only');
ALTER TABLE stockade.rls_period_event ENABLE ALWAYS TRIGGER stockade_append_only, ENABLE ALWAYS TRIGGER stockade_append_only_all
