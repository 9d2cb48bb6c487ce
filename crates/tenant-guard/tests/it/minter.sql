-- A login that may mint leases and nothing else. Roles belong to the whole cluster, and other tests create this one at the same time.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tenant_guard_minter') THEN
        CREATE ROLE tenant_guard_minter LOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;
DO $$
BEGIN
    IF NOT pg_has_role('tenant_guard_minter', 'stockade_minter', 'MEMBER') THEN
        GRANT stockade_minter TO tenant_guard_minter;
    END IF;
EXCEPTION WHEN unique_violation OR internal_error THEN
    -- Granted by another test meanwhile ("tuple concurrently updated").
    NULL;
END
$$;
