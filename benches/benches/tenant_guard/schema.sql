DO $$
BEGIN
    CREATE ROLE tenant_guard_bench LOGIN NOSUPERUSER NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
CREATE SCHEMA stockade;
GRANT USAGE ON SCHEMA stockade TO PUBLIC;
CREATE VIEW stockade.current_tenant AS SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;
GRANT SELECT ON stockade.current_tenant TO PUBLIC;

CREATE TABLE plain (tenant_id uuid, id bigint, reference text NOT NULL, rate_cents bigint NOT NULL, PRIMARY KEY (tenant_id, id));
INSERT INTO plain
SELECT lpad(t::text, 32, '0')::uuid, n, 'L' || n, n * 100 FROM generate_series(1, 100) t, generate_series(1, 1000) n;
CREATE TABLE guarded (LIKE plain INCLUDING ALL);
INSERT INTO guarded SELECT * FROM plain;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON guarded USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
GRANT SELECT ON plain, guarded TO tenant_guard_bench;
