-- stockade-audit-chain, migration 4: tiles of the Merkle trees, and signed checkpoints over all tenants.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = 'stockade_checkpointer') THEN
        CREATE ROLE stockade_checkpointer NOLOGIN;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$$;

-- The objects are made as their owner. Whoever runs this is a member of it no longer than that.
DO $$
DECLARE
    attempts int := 0;
BEGIN
    PERFORM pg_catalog.set_config('stockade.migrator', current_user, true);
    PERFORM pg_catalog.set_config('stockade.migrator_joined', '', true);
    WHILE NOT pg_catalog.pg_has_role(current_user, 'stockade_owner', 'USAGE') LOOP
        BEGIN
            EXECUTE 'GRANT stockade_owner TO CURRENT_USER';
            PERFORM pg_catalog.set_config('stockade.migrator_joined', 'yes', true);
            EXIT;
        EXCEPTION WHEN internal_error OR unique_violation THEN
            attempts := attempts + 1;
            IF attempts = 20 THEN
                RAISE;
            END IF;
            PERFORM pg_catalog.pg_sleep(0.02 * attempts);
        END;
    END LOOP;
END
$$;
SET LOCAL ROLE stockade_owner;

-- Full tiles of each tenant's tree: 256 neighbouring nodes of every eighth level (C2SP tlog-tiles), with the root over them.
-- `hashes` is stored out of line, so that reading a root does not read its tile.
CREATE TABLE stockade.audit_tile (
    tenant_id uuid     NOT NULL,
    level     smallint NOT NULL CHECK (level BETWEEN 0 AND 6),
    place     bigint   NOT NULL CHECK (place >= 0),
    hashes    bytea    NOT NULL CHECK (octet_length(hashes) = 8192),
    root      bytea    NOT NULL CHECK (octet_length(root) = 32),
    PRIMARY KEY (tenant_id, level, place)
);
ALTER TABLE stockade.audit_tile ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Every checkpoint that was ever signed, with its snapshot's leaf and the right edge of the log before it.
CREATE TABLE stockade.audit_checkpoint (
    size      bigint      PRIMARY KEY CHECK (size > 0),
    note      text        NOT NULL,
    snapshot  bytea       NOT NULL CHECK (octet_length(snapshot) = 32),
    peaks     bytea[]     NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The heads of a checkpoint that differ from those of the one before.
CREATE TABLE stockade.audit_checkpoint_head (
    tenant_id uuid   NOT NULL,
    size      bigint NOT NULL CHECK (size > 0),
    chain_id  uuid   NOT NULL,
    seq       bigint NOT NULL CHECK (seq >= 0),
    hash      bytea  NOT NULL CHECK (octet_length(hash) = 32),
    root      bytea  NOT NULL CHECK (octet_length(root) = 32),
    PRIMARY KEY (tenant_id, size)
);

-- Which checkpoint an anchor has acknowledged.
CREATE TABLE stockade.audit_anchored (
    size        bigint      PRIMARY KEY CHECK (size > 0),
    anchored_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Which entries declare that a restored backup lost the end of a chain.
CREATE TABLE stockade.audit_restored (
    tenant_id uuid   NOT NULL,
    entry_id  uuid   PRIMARY KEY,
    after_seq bigint NOT NULL CHECK (after_seq >= 0),
    kept_seq  bigint NOT NULL CHECK (kept_seq > after_seq),
    kept_hash bytea  NOT NULL CHECK (octet_length(kept_hash) = 32)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY
        ARRAY['audit_tile', 'audit_checkpoint', 'audit_checkpoint_head', 'audit_anchored', 'audit_restored']
    LOOP
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON stockade.%I
            FOR EACH ROW EXECUTE FUNCTION stockade.audit_refuse()', name);
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON stockade.%I
            FOR EACH STATEMENT EXECUTE FUNCTION stockade.audit_refuse()', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ALWAYS TRIGGER audit_append_only', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ALWAYS TRIGGER audit_no_truncate', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I FORCE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON stockade.%I FROM PUBLIC', name);
        EXECUTE pg_catalog.format(
            'REVOKE UPDATE, DELETE, TRUNCATE, TRIGGER, REFERENCES ON stockade.%I FROM stockade_owner', name);
    END LOOP;
END
$$;

-- The root of a full tree over these nodes (RFC 6962, section 2.1).
CREATE FUNCTION stockade.audit_tile_root(nodes bytea[]) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    WHILE cardinality(nodes) > 1 LOOP
        nodes := ARRAY(
            SELECT sha256('\x01'::bytea || string_agg(n.hash, ''::bytea ORDER BY n.place))
            FROM unnest(nodes) WITH ORDINALITY AS n (hash, place)
            GROUP BY (n.place - 1) / 2 ORDER BY (n.place - 1) / 2);
    END LOOP;
    RETURN nodes[1];
END
$$;

-- Writes the tiles of a tenant that its links fill and that are not there yet, at most `most` of the lowest level, and says how
-- many. Nobody may write a tile otherwise, so none says anything else than the links did.
CREATE FUNCTION stockade.audit_complete_tiles(tenant uuid, most integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    written integer := 0;
    lowest bigint := coalesce(
        (SELECT max(t.place) + 1 FROM stockade.audit_tile t WHERE t.tenant_id = tenant AND t.level = 0), 0);
    at_level smallint;
    at_place bigint;
    nodes bytea[];
BEGIN
    WHILE written < most LOOP
        nodes := ARRAY(
            SELECT l.leaf FROM stockade.audit_link l
            WHERE l.tenant_id = tenant AND l.seq > lowest * 256 AND l.seq <= lowest * 256 + 256 ORDER BY l.seq);
        at_level := 0;
        at_place := lowest;
        EXIT WHEN cardinality(nodes) < 256;
        LOOP
            INSERT INTO stockade.audit_tile (tenant_id, level, place, hashes, root)
            SELECT tenant, at_level, at_place, string_agg(n.hash, ''::bytea ORDER BY n.place), stockade.audit_tile_root(nodes)
            FROM unnest(nodes) WITH ORDINALITY AS n (hash, place)
            ON CONFLICT DO NOTHING;
            EXIT WHEN at_level = 6 OR at_place % 256 < 255;
            at_place := at_place / 256;
            nodes := ARRAY(
                SELECT t.root FROM stockade.audit_tile t
                WHERE t.tenant_id = tenant AND t.level = at_level AND t.place BETWEEN at_place * 256 AND at_place * 256 + 255
                ORDER BY t.place);
            at_level := at_level + 1;
            EXIT WHEN cardinality(nodes) < 256;
        END LOOP;
        lowest := lowest + 1;
        written := written + 1;
    END LOOP;
    RETURN written;
END
$$;
REVOKE ALL ON FUNCTION stockade.audit_tile_root(bytea[]), stockade.audit_complete_tiles(uuid, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stockade.audit_complete_tiles(uuid, integer) TO stockade_sealer, stockade_checkpointer;

CREATE POLICY audit_owner_tiles ON stockade.audit_link FOR SELECT TO stockade_owner USING (true);
CREATE POLICY audit_owner_tiles ON stockade.audit_tile FOR SELECT TO stockade_owner USING (true);
CREATE POLICY audit_owner_writes ON stockade.audit_tile FOR INSERT TO stockade_owner WITH CHECK (true);

-- The application: proofs and signed heads of its own tenant. A note names no tenant.
GRANT SELECT ON stockade.audit_tile, stockade.audit_checkpoint, stockade.audit_checkpoint_head, stockade.audit_anchored,
    stockade.audit_restored TO stockade_app;
CREATE POLICY audit_app_reads ON stockade.audit_tile FOR SELECT TO stockade_app
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
CREATE POLICY audit_app_reads ON stockade.audit_checkpoint FOR SELECT TO stockade_app USING (true);
CREATE POLICY audit_app_reads ON stockade.audit_checkpoint_head FOR SELECT TO stockade_app
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));
CREATE POLICY audit_app_reads ON stockade.audit_anchored FOR SELECT TO stockade_app USING (true);
CREATE POLICY audit_app_reads ON stockade.audit_restored FOR SELECT TO stockade_app
    USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c));

-- The sealer verifies: it reads all of it.
GRANT SELECT ON stockade.audit_tile, stockade.audit_checkpoint, stockade.audit_checkpoint_head, stockade.audit_anchored,
    stockade.audit_restored TO stockade_sealer;
CREATE POLICY audit_sealer_reads ON stockade.audit_tile FOR SELECT TO stockade_sealer USING (true);
CREATE POLICY audit_sealer_reads ON stockade.audit_checkpoint FOR SELECT TO stockade_sealer USING (true);
CREATE POLICY audit_sealer_reads ON stockade.audit_checkpoint_head FOR SELECT TO stockade_sealer USING (true);
CREATE POLICY audit_sealer_reads ON stockade.audit_anchored FOR SELECT TO stockade_sealer USING (true);
CREATE POLICY audit_sealer_reads ON stockade.audit_restored FOR SELECT TO stockade_sealer USING (true);

-- The checkpointer reads hashes, appends checkpoints, and records no entry but the declaration of a loss, without personal
-- values: no policy lets it write a payload.
GRANT SELECT ON stockade.audit_head, stockade.audit_link, stockade.audit_tile TO stockade_checkpointer;
GRANT SELECT, INSERT ON stockade.audit_checkpoint, stockade.audit_checkpoint_head, stockade.audit_anchored,
    stockade.audit_restored TO stockade_checkpointer;
GRANT INSERT ON stockade.audit_entry, stockade.audit_payload TO stockade_checkpointer;
GRANT INSERT (tenant_id, entry_id) ON stockade.audit_unsealed TO stockade_checkpointer;
CREATE POLICY audit_checkpointer_reads ON stockade.audit_head FOR SELECT TO stockade_checkpointer USING (true);
CREATE POLICY audit_checkpointer_reads ON stockade.audit_link FOR SELECT TO stockade_checkpointer USING (true);
CREATE POLICY audit_checkpointer_reads ON stockade.audit_tile FOR SELECT TO stockade_checkpointer USING (true);
CREATE POLICY audit_checkpointer_signs ON stockade.audit_checkpoint TO stockade_checkpointer USING (true) WITH CHECK (true);
CREATE POLICY audit_checkpointer_signs ON stockade.audit_checkpoint_head TO stockade_checkpointer
    USING (true) WITH CHECK (true);
CREATE POLICY audit_checkpointer_signs ON stockade.audit_anchored TO stockade_checkpointer USING (true) WITH CHECK (true);
CREATE POLICY audit_checkpointer_signs ON stockade.audit_restored TO stockade_checkpointer USING (true) WITH CHECK (true);
CREATE POLICY audit_checkpointer_declares ON stockade.audit_entry FOR INSERT TO stockade_checkpointer
    WITH CHECK (action = 'audit.restored' AND recorded_at BETWEEN clock_timestamp() - interval '5 minutes'
        AND clock_timestamp() + interval '5 minutes');
CREATE POLICY audit_checkpointer_declares ON stockade.audit_unsealed FOR INSERT TO stockade_checkpointer WITH CHECK (true);

DO $$
BEGIN
    EXECUTE pg_catalog.format('SET LOCAL ROLE %I', pg_catalog.current_setting('stockade.migrator'));
    IF pg_catalog.current_setting('stockade.migrator_joined') = 'yes' THEN
        EXECUTE 'REVOKE stockade_owner FROM CURRENT_USER';
    END IF;
END
$$;
