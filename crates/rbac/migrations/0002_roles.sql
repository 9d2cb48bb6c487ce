-- Who belongs to a tenant, with which roles and exceptions, and who is invited, of stockade-rbac.
--
-- Every statement can be repeated. No text of a role's name is looked up here: what a role may do is the policy's.

-- One row a tenant. Whatever changes what somebody may do counts it up, and so takes its turn: two such transactions of one
-- tenant never decide beside each other, and one whose snapshot is older than the other's commit fails to serialise.
CREATE TABLE IF NOT EXISTS stockade.rbac_tenant (
    tenant_id uuid   PRIMARY KEY CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000'),
    changes   bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE stockade.rbac_tenant IS 'The tenants that have members, each with the row that changes of authority lock.';

-- The roles that the policy marks `owner`. The application reads them and cannot change them.
CREATE TABLE IF NOT EXISTS stockade.rbac_owner_role (
    role text PRIMARY KEY CHECK (role ~ '^[a-z0-9_-]{1,64}$')
);
COMMENT ON TABLE stockade.rbac_owner_role IS 'The roles of which a tenant keeps at least one active holder.';

CREATE TABLE IF NOT EXISTS stockade.rbac_member (
    tenant_id uuid        NOT NULL REFERENCES stockade.rbac_tenant ON DELETE CASCADE,
    user_id   uuid        NOT NULL CHECK (user_id <> '00000000-0000-0000-0000-000000000000'),
    status    text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
);
COMMENT ON TABLE stockade.rbac_member IS 'Who belongs to which tenant.';

CREATE TABLE IF NOT EXISTS stockade.rbac_role_assignment (
    tenant_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    role       text        NOT NULL CHECK (role ~ '^[a-z0-9_-]{1,64}$'),
    granted_by uuid        NOT NULL,
    reason     text        NOT NULL CHECK (btrim(reason) <> '' AND char_length(reason) <= 200),
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz CHECK (expires_at > granted_at),
    PRIMARY KEY (tenant_id, user_id, role),
    FOREIGN KEY (tenant_id, user_id) REFERENCES stockade.rbac_member ON DELETE CASCADE
);
COMMENT ON TABLE stockade.rbac_role_assignment IS 'Who has which role.';

CREATE TABLE IF NOT EXISTS stockade.rbac_override (
    tenant_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL,
    permission text        NOT NULL CHECK (permission ~ '^[a-z][a-z0-9._-]{0,63}$'),
    effect     text        NOT NULL CHECK (effect IN ('allow', 'deny')),
    scope      text        CHECK (scope IN ('own', 'team', 'office', 'tenant')),
    granted_by uuid        NOT NULL,
    reason     text        NOT NULL CHECK (btrim(reason) <> '' AND char_length(reason) <= 200),
    granted_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz CHECK (expires_at > granted_at),
    PRIMARY KEY (tenant_id, user_id, permission, effect),
    FOREIGN KEY (tenant_id, user_id) REFERENCES stockade.rbac_member ON DELETE CASCADE,
    CHECK ((effect = 'allow') = (scope IS NOT NULL)),
    CHECK (effect = 'deny' OR expires_at IS NOT NULL)
);
COMMENT ON TABLE stockade.rbac_override IS 'Exceptions for single people: an allow ends, a denial may be for good.';

-- Only a hash of the token is here, and the application cannot read even that.
CREATE TABLE IF NOT EXISTS stockade.rbac_invitation (
    tenant_id     uuid        NOT NULL REFERENCES stockade.rbac_tenant ON DELETE CASCADE,
    invitation_id uuid        NOT NULL,
    token_hash    bytea       NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    email         text        NOT NULL CHECK (email <> '' AND octet_length(email) <= 254),
    role          text        NOT NULL CHECK (role ~ '^[a-z0-9_-]{1,64}$'),
    reason        text        NOT NULL CHECK (btrim(reason) <> '' AND char_length(reason) <= 200),
    invited_by    uuid        NOT NULL,
    invited_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL CHECK (expires_at > invited_at),
    accepted_by   uuid,
    accepted_at   timestamptz,
    revoked_by    uuid,
    revoked_at    timestamptz,
    PRIMARY KEY (tenant_id, invitation_id),
    CHECK ((accepted_by IS NULL) = (accepted_at IS NULL)),
    CHECK ((revoked_by IS NULL) = (revoked_at IS NULL)),
    CHECK (accepted_at IS NULL OR revoked_at IS NULL)
);
COMMENT ON TABLE stockade.rbac_invitation IS 'Who is or was invited to which tenant, with which role.';

-- What a cached authority is compared with. A number is never given twice, not even after a transaction that was rolled back: a
-- counter would give the number that such a transaction has seen to the next change, and its authority with it.
CREATE SEQUENCE IF NOT EXISTS stockade.rbac_version;
CREATE TABLE IF NOT EXISTS stockade.rbac_subject_version (
    tenant_id uuid   NOT NULL,
    user_id   uuid   NOT NULL,
    version   bigint NOT NULL,
    PRIMARY KEY (tenant_id, user_id)
);
COMMENT ON TABLE stockade.rbac_subject_version IS 'The last change of what each person may do.';

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rbac_tenant', 'rbac_member', 'rbac_role_assignment', 'rbac_override', 'rbac_invitation', 'rbac_subject_version'] LOOP
        EXECUTE format('ALTER TABLE stockade.%I OWNER TO stockade_owner', name);
        EXECUTE format('ALTER TABLE stockade.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE stockade.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('DROP POLICY IF EXISTS %I ON stockade.%I', name || '_of_the_tenant', name);
        EXECUTE format('CREATE POLICY %I ON stockade.%I TO stockade_app
            USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))
            WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))', name || '_of_the_tenant', name);
        EXECUTE format('REVOKE ALL ON stockade.%I FROM PUBLIC', name);
    END LOOP;
    ALTER TABLE stockade.rbac_owner_role OWNER TO stockade_owner;
    ALTER SEQUENCE stockade.rbac_version OWNER TO stockade_owner;
    REVOKE ALL ON stockade.rbac_owner_role FROM PUBLIC;
    REVOKE ALL ON SEQUENCE stockade.rbac_version FROM PUBLIC;

    -- The triggers below run as the owner, and name the tenant of the row they are about: what the transaction calls its tenant
    -- may be another one by the time they run.
    FOREACH name IN ARRAY ARRAY['rbac_member', 'rbac_role_assignment', 'rbac_team_member', 'rbac_office_member', 'rbac_invitation'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS rbac_owner_reads ON stockade.%I', name);
        EXECUTE format('CREATE POLICY rbac_owner_reads ON stockade.%I FOR SELECT TO stockade_owner USING (true)', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['rbac_tenant', 'rbac_subject_version'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS rbac_owner_counts ON stockade.%I', name);
        EXECUTE format('CREATE POLICY rbac_owner_counts ON stockade.%I TO stockade_owner USING (true) WITH CHECK (true)', name);
    END LOOP;
END
$$;

GRANT SELECT, INSERT (tenant_id), UPDATE (changes) ON stockade.rbac_tenant TO stockade_app;
GRANT SELECT ON stockade.rbac_owner_role, stockade.rbac_subject_version TO stockade_app;
GRANT SELECT, INSERT, UPDATE (status), DELETE ON stockade.rbac_member TO stockade_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON stockade.rbac_role_assignment, stockade.rbac_override TO stockade_app;
GRANT SELECT (tenant_id, invitation_id, email, role, reason, invited_by, invited_at, expires_at, accepted_by, accepted_at, revoked_by, revoked_at),
    INSERT, UPDATE (accepted_by, accepted_at, revoked_by, revoked_at), DELETE ON stockade.rbac_invitation TO stockade_app;

CREATE OR REPLACE FUNCTION stockade.rbac_changed(tenant uuid, people uuid[]) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO stockade.rbac_subject_version AS v (tenant_id, user_id, version)
    SELECT tenant, person, nextval('stockade.rbac_version')
    FROM (SELECT DISTINCT p FROM unnest(people) AS p WHERE p IS NOT NULL ORDER BY p) AS each (person)
    ON CONFLICT (tenant_id, user_id) DO UPDATE SET version = excluded.version;
END
$$;

-- A row about one person. With the argument `in turn` the change waits for every other change of authority in the tenant.
CREATE OR REPLACE FUNCTION stockade.rbac_person_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_NARGS > 0 THEN
        UPDATE stockade.rbac_tenant SET changes = changes + 1
        WHERE tenant_id IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.tenant_id END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.tenant_id END);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        PERFORM stockade.rbac_changed(OLD.tenant_id, ARRAY[OLD.user_id]);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM stockade.rbac_changed(NEW.tenant_id, ARRAY[NEW.user_id]);
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE FUNCTION stockade.rbac_share_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM stockade.rbac_changed(OLD.tenant_id, OLD.user_id
            || ARRAY(SELECT m.user_id FROM stockade.rbac_team_member m WHERE m.tenant_id = OLD.tenant_id AND m.team_id = OLD.team_id)
            || ARRAY(SELECT m.user_id FROM stockade.rbac_office_member m WHERE m.tenant_id = OLD.tenant_id AND m.office_id = OLD.office_id));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM stockade.rbac_changed(NEW.tenant_id, NEW.user_id
            || ARRAY(SELECT m.user_id FROM stockade.rbac_team_member m WHERE m.tenant_id = NEW.tenant_id AND m.team_id = NEW.team_id)
            || ARRAY(SELECT m.user_id FROM stockade.rbac_office_member m WHERE m.tenant_id = NEW.tenant_id AND m.office_id = NEW.office_id));
    END IF;
    RETURN NULL;
END
$$;
CREATE INDEX IF NOT EXISTS rbac_team_member_of_team ON stockade.rbac_team_member (tenant_id, team_id);
CREATE INDEX IF NOT EXISTS rbac_office_member_of_office ON stockade.rbac_office_member (tenant_id, office_id);

-- An owner is who has such a role for good and is active. Each tenant keeps one, whoever writes: the trigger before this one has
-- taken the tenant's row, so that of two owners who leave at once the second sees that the first is gone. A tenant that is being
-- deleted has no row any more.
CREATE OR REPLACE FUNCTION stockade.rbac_keep_owner() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    counted boolean;
BEGIN
    IF TG_TABLE_NAME = 'rbac_member' THEN
        counted := OLD.status = 'active' AND EXISTS (SELECT FROM stockade.rbac_role_assignment a
            JOIN stockade.rbac_owner_role o ON o.role = a.role
            WHERE a.tenant_id = OLD.tenant_id AND a.user_id = OLD.user_id AND a.expires_at IS NULL);
    ELSE
        counted := OLD.expires_at IS NULL AND EXISTS (SELECT FROM stockade.rbac_owner_role o WHERE o.role = OLD.role);
    END IF;
    IF counted
        AND EXISTS (SELECT FROM stockade.rbac_tenant t WHERE t.tenant_id = OLD.tenant_id)
        AND NOT EXISTS (SELECT FROM stockade.rbac_role_assignment a
            JOIN stockade.rbac_owner_role o ON o.role = a.role
            JOIN stockade.rbac_member m ON m.tenant_id = a.tenant_id AND m.user_id = a.user_id
            WHERE a.tenant_id = OLD.tenant_id AND a.expires_at IS NULL AND m.status = 'active') THEN
        RAISE EXCEPTION 'the last owner of a tenant cannot go' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

-- Triggers of one table run in the order of their names.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rbac_member', 'rbac_role_assignment', 'rbac_override'] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER rbac_1_changed AFTER INSERT OR UPDATE OR DELETE ON stockade.%I
            FOR EACH ROW EXECUTE FUNCTION stockade.rbac_person_changed(''in turn'')', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['rbac_team_member', 'rbac_office_member'] LOOP
        EXECUTE format('CREATE OR REPLACE TRIGGER rbac_1_changed AFTER INSERT OR UPDATE OR DELETE ON stockade.%I
            FOR EACH ROW EXECUTE FUNCTION stockade.rbac_person_changed()', name);
    END LOOP;
END
$$;
CREATE OR REPLACE TRIGGER rbac_1_changed AFTER INSERT OR UPDATE OR DELETE ON stockade.rbac_share
    FOR EACH ROW EXECUTE FUNCTION stockade.rbac_share_changed();
CREATE OR REPLACE TRIGGER rbac_2_owner AFTER UPDATE ON stockade.rbac_member
    FOR EACH ROW EXECUTE FUNCTION stockade.rbac_keep_owner();
CREATE OR REPLACE TRIGGER rbac_2_owner AFTER UPDATE OR DELETE ON stockade.rbac_role_assignment
    FOR EACH ROW EXECUTE FUNCTION stockade.rbac_keep_owner();

-- Which invitation of the tenant a token opens, for a role that cannot read hashes.
CREATE OR REPLACE FUNCTION stockade.rbac_invitation_of(hash bytea) RETURNS uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT i.invitation_id FROM stockade.rbac_invitation i
        WHERE i.token_hash = hash AND i.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
END
$$;

DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOREACH routine IN ARRAY ARRAY['stockade.rbac_changed(uuid, uuid[])', 'stockade.rbac_person_changed()', 'stockade.rbac_share_changed()',
        'stockade.rbac_keep_owner()', 'stockade.rbac_invitation_of(bytea)']::regprocedure[] LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO stockade_owner', routine);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', routine);
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION stockade.rbac_invitation_of(bytea) TO stockade_app;
