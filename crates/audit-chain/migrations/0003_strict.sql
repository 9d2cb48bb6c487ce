-- stockade-audit-chain, migration 3: appending without a transaction of the application's, and linking at commit.
-- Needs what migration 1 needs.

-- Roles belong to the whole cluster, so the migration of another database can be creating the same ones at this moment.
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['stockade_appender', 'stockade_linker'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
END
$$;

-- Links entries of the transaction's tenant, in the given order, to the end of its chain: byte for byte what the sealer would write.
-- The head stays locked until the transaction ends, so this belongs at its end.
CREATE FUNCTION stockade.audit_link_now(entries uuid[])
    RETURNS TABLE (entry_id uuid, seq bigint, prev bytea, leaf bytea, hash bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    tenant uuid := (SELECT c.tenant_id FROM stockade.current_tenant c);
    chain  uuid;
    new_id uuid;
BEGIN
    IF tenant IS NULL OR coalesce(cardinality(entries), 0) = 0 THEN
        RAISE EXCEPTION 'nothing that can be linked' USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT h.seq, h.hash INTO seq, prev FROM stockade.audit_head h WHERE h.tenant_id = tenant FOR UPDATE;
    IF NOT FOUND THEN
        -- The sealer passes by a chain that somebody is beginning, instead of waiting for it.
        PERFORM pg_advisory_xact_lock(hashtextextended(tenant::text, 5061031185870174152));
        chain := gen_random_uuid();
        INSERT INTO stockade.audit_head (tenant_id, chain_id, seq, hash)
        VALUES (tenant, chain, 0, sha256('audit-chain/v1/genesis'::bytea || decode('00', 'hex') || uuid_send(tenant) || uuid_send(chain)))
        ON CONFLICT DO NOTHING;
        SELECT h.seq, h.hash INTO STRICT seq, prev FROM stockade.audit_head h WHERE h.tenant_id = tenant FOR UPDATE;
    END IF;
    FOREACH new_id IN ARRAY entries LOOP
        -- The leaf as it is stored, not as the caller says. Another tenant's entry is not visible here.
        SELECT e.leaf INTO leaf FROM stockade.audit_entry e WHERE e.entry_id = new_id AND e.tenant_id = tenant;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'no such entry of this tenant' USING ERRCODE = 'insufficient_privilege';
        END IF;
        entry_id := new_id;
        seq := seq + 1;
        hash := sha256('audit-chain/v1/link'::bytea || decode('00', 'hex') || uuid_send(tenant) || int8send(seq) || prev || leaf);
        INSERT INTO stockade.audit_link (tenant_id, seq, entry_id, prev, leaf, hash) VALUES (tenant, seq, new_id, prev, leaf, hash);
        RETURN NEXT;
        prev := hash;
    END LOOP;
    UPDATE stockade.audit_head h SET seq = audit_link_now.seq, hash = audit_link_now.hash WHERE h.tenant_id = tenant;
END
$$;
REVOKE ALL ON FUNCTION stockade.audit_link_now(uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.audit_link_now(uuid[]) TO stockade_app;

DO $$
DECLARE
    held text[] := ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles r
        WHERE r.rolname IN ('stockade_owner', 'stockade_linker') AND pg_catalog.pg_has_role(current_user, r.oid, 'USAGE'));
    wanted text;
    name text;
    attempts int;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['stockade_owner', 'stockade_linker'] LOOP
        attempts := 0;
        -- Only a member of a role can give objects to it. Another database's migration can be writing the same membership.
        WHILE wanted <> ALL (held) LOOP
            BEGIN
                EXECUTE pg_catalog.format('GRANT %I TO CURRENT_USER', wanted);
                EXIT;
            EXCEPTION WHEN internal_error OR unique_violation THEN
                attempts := attempts + 1;
                IF attempts = 20 THEN
                    RAISE;
                END IF;
                PERFORM pg_catalog.pg_sleep(0.02 * attempts);
            END;
        END LOOP;
    END LOOP;

    -- The appender: may add to the log of any tenant, one tenant a statement, and read none. Its policies look at the setting and
    -- not at stockade.current_tenant, because it serves no request that could carry a proof of its tenant.
    GRANT INSERT ON stockade.audit_entry, stockade.audit_payload TO stockade_appender;
    GRANT INSERT (tenant_id, entry_id) ON stockade.audit_unsealed TO stockade_appender;
    CREATE POLICY audit_appender_appends ON stockade.audit_entry FOR INSERT TO stockade_appender
        WITH CHECK (tenant_id = (SELECT nullif(current_setting('stockade.tenant_id', true), '')::uuid)
            AND recorded_at BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '5 minutes');
    FOREACH name IN ARRAY ARRAY['audit_payload', 'audit_unsealed'] LOOP
        EXECUTE pg_catalog.format(
            'CREATE POLICY audit_appender_appends ON stockade.%I FOR INSERT TO stockade_appender
            WITH CHECK (tenant_id = (SELECT nullif(current_setting(''stockade.tenant_id'', true), '''')::uuid))', name);
    END LOOP;

    -- The linker: nobody logs in as it or is a member. It owns one function, which appends links for one tenant at a time.
    GRANT SELECT (entry_id, tenant_id, leaf) ON stockade.audit_entry TO stockade_linker;
    GRANT INSERT ON stockade.audit_link TO stockade_linker;
    GRANT SELECT, INSERT, UPDATE (seq, hash) ON stockade.audit_head TO stockade_linker;
    CREATE POLICY audit_linker_reads ON stockade.audit_entry FOR SELECT TO stockade_linker
        USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
    CREATE POLICY audit_linker_links ON stockade.audit_link FOR INSERT TO stockade_linker
        WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
    CREATE POLICY audit_linker_moves ON stockade.audit_head FOR ALL TO stockade_linker
        USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))
        WITH CHECK (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));

    -- A function's new owner needs CREATE on the schema, for this one statement.
    GRANT CREATE ON SCHEMA stockade TO stockade_linker;
    ALTER FUNCTION stockade.audit_link_now(uuid[]) OWNER TO stockade_linker;
    REVOKE CREATE ON SCHEMA stockade FROM stockade_linker;

    FOREACH wanted IN ARRAY ARRAY['stockade_owner', 'stockade_linker'] LOOP
        IF wanted <> ALL (held) THEN
            EXECUTE pg_catalog.format('REVOKE %I FROM CURRENT_USER', wanted);
        END IF;
    END LOOP;
END
$$;
