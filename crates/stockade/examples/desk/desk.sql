CREATE SCHEMA IF NOT EXISTS desk;
CREATE TABLE IF NOT EXISTS desk.loads (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    reference text NOT NULL,
    rate_cents bigint NOT NULL,
    PRIMARY KEY (tenant_id, id)
);

CREATE OR REPLACE FUNCTION pg_temp.login(name text, member_of text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
        EXECUTE format('CREATE ROLE %I LOGIN', name);
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN', name);
    EXECUTE format('GRANT %I TO %I', member_of, name);
END $$;

-- As the administrator, past the rules of who may give what: somebody has to be the first.
CREATE OR REPLACE FUNCTION pg_temp.admit(tenant uuid, person uuid, role_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL stockade.tenant_id = %L', tenant);
    INSERT INTO stockade.rbac_tenant (tenant_id) VALUES (tenant) ON CONFLICT DO NOTHING;
    INSERT INTO stockade.rbac_member (tenant_id, user_id) VALUES (tenant, person) ON CONFLICT DO NOTHING;
    INSERT INTO stockade.rbac_role_assignment (tenant_id, user_id, role, granted_by, reason)
        VALUES (tenant, person, role_name, person, 'installed') ON CONFLICT DO NOTHING;
END $$;
