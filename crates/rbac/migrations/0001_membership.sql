-- Who belongs to which team and office, and which single rows are shared, of stockade-rbac.
--
-- Row-level security of the application's tables reads these through three functions. Every statement can be repeated.

CREATE SCHEMA IF NOT EXISTS stockade;

-- Roles belong to the cluster, not to the database: another database may be creating them right now.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['stockade_owner', 'stockade_app'] LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted) THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            END IF;
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN NULL;
        END;
    END LOOP;
END
$$;

-- Who is not a superuser must be a member of stockade_owner to give it objects.
DO $$
BEGIN
    FOR attempt IN 1..20 LOOP
        EXIT WHEN pg_catalog.pg_has_role(current_user, 'stockade_owner', 'USAGE');
        BEGIN
            EXECUTE format('GRANT stockade_owner TO %I', current_user);
        EXCEPTION
            -- "tuple concurrently updated"
            WHEN internal_error OR unique_violation THEN PERFORM pg_catalog.pg_sleep(0.02 * attempt);
        END;
    END LOOP;
END
$$;

DO $$
BEGIN
    IF (SELECT nspowner::regrole::text FROM pg_catalog.pg_namespace WHERE nspname = 'stockade') <> 'stockade_owner' THEN
        ALTER SCHEMA stockade OWNER TO stockade_owner;
    END IF;
END
$$;
GRANT USAGE ON SCHEMA stockade TO PUBLIC;

-- The tenant of the transaction, and who acts in it. All crates of Stockade read them here and nowhere else.
DO $$
BEGIN
    IF to_regclass('stockade.current_tenant') IS NULL THEN
        CREATE VIEW stockade.current_tenant AS SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid AS tenant_id;
        ALTER VIEW stockade.current_tenant OWNER TO stockade_owner;
        GRANT SELECT ON stockade.current_tenant TO PUBLIC;
    END IF;
    IF to_regclass('stockade.current_actor') IS NULL THEN
        CREATE VIEW stockade.current_actor AS SELECT nullif(current_setting('stockade.actor_id', true), '')::uuid AS actor_id,
            coalesce(current_setting('stockade.actor_scopes', true), '') AS scopes,
            coalesce(nullif(current_setting('stockade.read_only', true), '')::boolean, false) AS read_only;
        ALTER VIEW stockade.current_actor OWNER TO stockade_owner;
        GRANT SELECT ON stockade.current_actor TO PUBLIC;
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS stockade.rbac_team_member (
    tenant_id uuid NOT NULL,
    user_id   uuid NOT NULL,
    team_id   uuid NOT NULL,
    PRIMARY KEY (tenant_id, user_id, team_id)
);
CREATE TABLE IF NOT EXISTS stockade.rbac_office_member (
    tenant_id uuid NOT NULL,
    user_id   uuid NOT NULL,
    office_id uuid NOT NULL,
    PRIMARY KEY (tenant_id, user_id, office_id)
);
COMMENT ON TABLE stockade.rbac_team_member IS 'Who is in which team.';
COMMENT ON TABLE stockade.rbac_office_member IS 'Who is in which office.';

-- A share widens which rows a permission reaches; whoever lacks the permission gains nothing by it.
CREATE TABLE IF NOT EXISTS stockade.rbac_share (
    share_id   uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL,
    kind       text        NOT NULL CHECK (kind <> ''),
    row_id     uuid        NOT NULL,
    user_id    uuid,
    team_id    uuid,
    office_id  uuid,
    level      text        NOT NULL CHECK (level IN ('view', 'edit')),
    reason     text        NOT NULL CHECK (reason <> ''),
    granted_by uuid        NOT NULL,
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    CHECK (num_nonnulls(user_id, team_id, office_id) = 1),
    CHECK (expires_at > granted_at)
);
CREATE INDEX IF NOT EXISTS rbac_share_of_row ON stockade.rbac_share (tenant_id, kind, row_id);
CREATE INDEX IF NOT EXISTS rbac_share_with_user ON stockade.rbac_share (tenant_id, user_id, kind) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS rbac_share_with_team ON stockade.rbac_share (tenant_id, team_id, kind) WHERE team_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS rbac_share_with_office ON stockade.rbac_share (tenant_id, office_id, kind) WHERE office_id IS NOT NULL;
COMMENT ON TABLE stockade.rbac_share IS 'Single rows that a person, a team or an office sees beside its own.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rbac_team_member', 'rbac_office_member', 'rbac_share'] LOOP
        EXECUTE format('ALTER TABLE stockade.%I OWNER TO stockade_owner', name);
        EXECUTE format('ALTER TABLE stockade.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE stockade.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('DROP POLICY IF EXISTS %I ON stockade.%I', name || '_of_the_tenant', name);
        EXECUTE format('CREATE POLICY %I ON stockade.%I TO stockade_app
            USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))
            WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))', name || '_of_the_tenant', name);
        EXECUTE format('REVOKE ALL ON stockade.%I FROM PUBLIC', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON stockade.%I TO stockade_app', name);
    END LOOP;
END
$$;

-- What the policies of the application's tables read, once a statement each. They run with the rights of the caller, to whom
-- row-level security shows the tenant's rows alone.
CREATE OR REPLACE FUNCTION stockade.rbac_teams() RETURNS uuid[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(SELECT m.team_id FROM stockade.rbac_team_member m
        WHERE m.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c)
          AND m.user_id = (SELECT a.actor_id FROM stockade.current_actor a)
          AND m.team_id <> '00000000-0000-0000-0000-000000000000');
END
$$;

CREATE OR REPLACE FUNCTION stockade.rbac_offices() RETURNS uuid[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(SELECT m.office_id FROM stockade.rbac_office_member m
        WHERE m.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c)
          AND m.user_id = (SELECT a.actor_id FROM stockade.current_actor a)
          AND m.office_id <> '00000000-0000-0000-0000-000000000000');
END
$$;

CREATE OR REPLACE FUNCTION stockade.rbac_shared(rows text, at_level text) RETURNS uuid[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN ARRAY(SELECT s.row_id FROM stockade.rbac_share s
        WHERE s.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c)
          AND s.kind = rows AND s.level IN ('edit', at_level) AND (s.expires_at IS NULL OR s.expires_at > now())
          AND (s.user_id = (SELECT nullif(a.actor_id, '00000000-0000-0000-0000-000000000000') FROM stockade.current_actor a)
            OR s.team_id = ANY (stockade.rbac_teams()) OR s.office_id = ANY (stockade.rbac_offices())));
END
$$;

ALTER FUNCTION stockade.rbac_teams() OWNER TO stockade_owner;
ALTER FUNCTION stockade.rbac_offices() OWNER TO stockade_owner;
ALTER FUNCTION stockade.rbac_shared(text, text) OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION stockade.rbac_teams(), stockade.rbac_offices(), stockade.rbac_shared(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.rbac_teams(), stockade.rbac_offices(), stockade.rbac_shared(text, text) TO stockade_app;
