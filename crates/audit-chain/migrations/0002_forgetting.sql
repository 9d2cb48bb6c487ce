-- stockade-audit-chain, migration 2: forgetting without hiding. Erasure of personal values, purge of old months, legal holds.
-- Each is a function for one role group, and leaves evidence that no role can change.

DO $$
DECLARE
    wanted text;
    attempts int := 0;
BEGIN
    -- The custodian owns the functions below and nothing else: nobody logs in as it or is a member of it.
    FOREACH wanted IN ARRAY ARRAY['stockade_custodian', 'stockade_eraser', 'stockade_purger', 'stockade_holder'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;
    -- Whoever migrates is a member of both for as long as this takes. Another database's migration can be writing the same membership.
    PERFORM pg_catalog.set_config('stockade.audit_joined', '', true);
    FOREACH wanted IN ARRAY ARRAY['stockade_owner', 'stockade_custodian'] LOOP
        WHILE NOT pg_catalog.pg_has_role(current_user, wanted, 'USAGE') LOOP
            BEGIN
                EXECUTE pg_catalog.format('GRANT %I TO CURRENT_USER', wanted);
                PERFORM pg_catalog.set_config('stockade.audit_joined',
                    pg_catalog.concat_ws(' ', nullif(pg_catalog.current_setting('stockade.audit_joined'), ''), wanted), true);
                EXIT;
            EXCEPTION WHEN internal_error OR unique_violation THEN
                attempts := attempts + 1;
                IF attempts = 40 THEN
                    RAISE;
                END IF;
                PERFORM pg_catalog.pg_sleep(0.02 * attempts);
            END;
        END LOOP;
    END LOOP;
END
$$;

-- Entries that say what was forgotten, as the bytes that were hashed: they go on to prove it when they are purged themselves.
CREATE TABLE stockade.audit_evidence (
    entry_id  uuid  PRIMARY KEY,
    tenant_id uuid  NOT NULL,
    action    text  NOT NULL CHECK (action IN ('audit.erased', 'audit.purged')),
    list_id   uuid  NOT NULL UNIQUE, -- of what it covers
    envelope  bytea NOT NULL
);

-- What was erased: the list whose root the entry states.
CREATE TABLE stockade.audit_erased (
    list_id    uuid  NOT NULL,
    entry_id   uuid  NOT NULL,
    path       text  NOT NULL COLLATE "C",
    tenant_id  uuid  NOT NULL,
    commitment bytea NOT NULL CHECK (octet_length(commitment) = 32),
    PRIMARY KEY (list_id, entry_id, path)
);
CREATE INDEX audit_erased_by_entry ON stockade.audit_erased (tenant_id, entry_id);

-- What was purged: the numbers, and the hashes of the kept links around them.
CREATE TABLE stockade.audit_purged (
    list_id   uuid   NOT NULL,
    tenant_id uuid   NOT NULL,
    first_seq bigint NOT NULL CHECK (first_seq > 0),
    last_seq  bigint NOT NULL CHECK (last_seq >= first_seq),
    before    bytea  NOT NULL CHECK (octet_length(before) = 32),
    after     bytea  NOT NULL CHECK (octet_length(after) = 32),
    PRIMARY KEY (list_id, first_seq)
);
CREATE INDEX audit_purged_by_seq ON stockade.audit_purged (tenant_id, first_seq);

-- What the purge of a running transaction has found and may drop. Nothing is ever left in it.
CREATE TABLE stockade.audit_purge_plan (
    xact   xid8   PRIMARY KEY DEFAULT pg_current_xact_id(),
    months text[] NOT NULL,
    lists  uuid[] NOT NULL
);

-- Legal holds, by the entry that records each. A release is another row.
CREATE TABLE stockade.audit_hold (
    entry_id  uuid    PRIMARY KEY,
    hold_id   uuid    NOT NULL, -- the entry that placed it
    tenant_id uuid    NOT NULL,
    since     timestamptz, -- which times of recording it covers
    until     timestamptz,
    released  boolean NOT NULL,
    UNIQUE (hold_id, released)
);

-- How long every entry is kept at least. The longest counts.
CREATE TABLE stockade.audit_retention (
    months integer     PRIMARY KEY CHECK (months >= 84),
    set_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO stockade.audit_retention (months) VALUES (84);

-- The commitment that a value and its salt open, as the page `format` of the documentation lays it out.
CREATE FUNCTION stockade.audit_commitment(salt bytea, path text, value bytea) RETURNS bytea
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256('audit-chain/v1/field\000'::bytea || salt
        || CASE path WHEN 'actor/name' THEN '\x0013'::bytea WHEN 'request/ip' THEN '\x0030'::bytea
            WHEN 'request/user_agent' THEN '\x0031'::bytea
            ELSE CASE split_part(path, '/', 1) WHEN 'before' THEN '\x0040'::bytea WHEN 'after' THEN '\x0041'::bytea END END
        || value)
$$;

-- The one change of a payload: values and salts that go, each opening its commitment until now. What was altered before stays, as
-- evidence against whoever altered it.
CREATE FUNCTION stockade.audit_payload_forgets() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_user = 'stockade_custodian'
        AND (NEW.entry_id, NEW.tenant_id, cardinality(NEW.field_values), cardinality(NEW.salts))
            = (OLD.entry_id, OLD.tenant_id, cardinality(OLD.field_values), cardinality(OLD.salts))
        AND NOT EXISTS (
            SELECT FROM unnest(OLD.field_values, OLD.salts, NEW.field_values, NEW.salts)
                WITH ORDINALITY AS f (old_value, old_salt, value, salt, place)
                LEFT JOIN LATERAL (
                    SELECT e.personal_paths[f.place] AS path, e.commitments[f.place] AS commitment FROM stockade.audit_entry e
                    WHERE e.entry_id = OLD.entry_id AND e.tenant_id = OLD.tenant_id) AS c ON true
            WHERE (f.value, f.salt) IS DISTINCT FROM (f.old_value, f.old_salt)
                AND NOT coalesce(num_nonnulls(f.value, f.salt) = 0
                    AND stockade.audit_commitment(f.old_salt, c.path, f.old_value) = c.commitment, false))
    THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;

-- The root of RFC 6962 over leaf hashes: pairs, and an odd one goes up as it is.
CREATE FUNCTION stockade.audit_root(level bytea[]) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    WHILE cardinality(level) > 1 LOOP
        level := ARRAY(
            SELECT CASE octet_length(p.hashes) WHEN 64 THEN sha256('\x01'::bytea || p.hashes) ELSE p.hashes END
            FROM (SELECT (n.place - 1) / 2 AS pair, string_agg(n.hash, ''::bytea ORDER BY n.place) AS hashes
                FROM unnest(level) WITH ORDINALITY AS n (hash, place) GROUP BY 1) AS p
            ORDER BY p.pair);
    END LOOP;
    RETURN coalesce(level[1], sha256(''::bytea));
END
$$;

CREATE FUNCTION stockade.audit_retention_lengthens() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.months <= (SELECT max(r.months) FROM stockade.audit_retention r) THEN
        RAISE EXCEPTION 'retention is only ever lengthened' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_retention_lengthens BEFORE INSERT ON stockade.audit_retention
    FOR EACH ROW EXECUTE FUNCTION stockade.audit_retention_lengthens();
ALTER TABLE stockade.audit_retention ENABLE ALWAYS TRIGGER audit_retention_lengthens;

-- The holds that nobody has released.
CREATE VIEW stockade.audit_held AS
    SELECT h.tenant_id, h.hold_id, h.since, h.until FROM stockade.audit_hold h
    WHERE NOT h.released AND NOT EXISTS (SELECT FROM stockade.audit_hold r WHERE r.hold_id = h.hold_id AND r.released);

-- Forgetting is done by one at a time, so that a hold and what it is to stop cannot pass each other.
CREATE FUNCTION stockade.audit_forgetting() RETURNS void
    LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$ SELECT pg_advisory_xact_lock(7205759403792793602) $$;

-- The values that a request means and that are still there: those about an actor in its entries, those about an entity, or those in a
-- list. Whether each opens its commitment, and whether a hold covers it. In the order of the list of an erasure.
CREATE FUNCTION stockade.audit_erasable(of_tenant uuid, actor text, kind text, entity text, entries uuid[], paths text[])
    RETURNS TABLE (entry_id uuid, path text, commitment bytea, opens boolean, held boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    meant uuid[] := entries;
    roots text[];
BEGIN
    PERFORM stockade.audit_forgetting();
    IF actor IS NOT NULL THEN
        meant := ARRAY(SELECT e.entry_id FROM stockade.audit_entry e WHERE e.tenant_id = of_tenant AND e.actor_id = actor);
        roots := '{actor,request}';
    ELSIF kind IS NOT NULL THEN
        meant := ARRAY(SELECT e.entry_id FROM stockade.audit_entry e
            WHERE e.tenant_id = of_tenant AND e.entity_type = kind AND e.entity_id = entity);
        roots := '{before,after}';
    END IF;
    RETURN QUERY
        SELECT e.entry_id, u.path, u.commitment,
            coalesce(stockade.audit_commitment(u.salt, u.path, u.value) = u.commitment, false),
            EXISTS (SELECT FROM stockade.audit_held h WHERE h.tenant_id = of_tenant
                AND e.recorded_at >= coalesce(h.since, '-infinity') AND e.recorded_at < coalesce(h.until, 'infinity'))
        FROM stockade.audit_entry e JOIN stockade.audit_payload p ON p.entry_id = e.entry_id
            CROSS JOIN LATERAL unnest(e.personal_paths, e.commitments, p.field_values, p.salts) AS u (path, commitment, value, salt)
        WHERE e.entry_id = ANY (meant) AND e.tenant_id = of_tenant AND p.tenant_id = of_tenant AND u.value IS NOT NULL
            AND CASE WHEN roots IS NULL THEN (e.entry_id, u.path) IN (SELECT l.entry_id, l.path FROM unnest(entries, paths) AS l (entry_id, path))
                ELSE split_part(u.path, '/', 1) = ANY (roots) END
        ORDER BY e.entry_id, u.path COLLATE "C";
END
$$;

-- An entry that states something, by its hashed bytes: written by the role that calls, before the call.
CREATE FUNCTION stockade.audit_statement(entry uuid, of_tenant uuid, doing text, bytes bytea) RETURNS json
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stated json;
BEGIN
    SELECT e.after INTO STRICT stated FROM stockade.audit_entry e
    WHERE e.entry_id = entry AND e.tenant_id = of_tenant AND e.action = doing AND e.leaf = sha256('\x00'::bytea || bytes);
    RETURN stated;
EXCEPTION WHEN no_data_found THEN
    RAISE EXCEPTION 'there is no such statement' USING ERRCODE = 'insufficient_privilege';
END
$$;

-- Erases the listed values, all or none, and keeps the list as evidence for the entry that states it.
CREATE FUNCTION stockade.audit_erase(erasure uuid, of_tenant uuid, bytes bytea, entries uuid[], paths text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stated json := stockade.audit_statement(erasure, of_tenant, 'audit.erased', bytes);
    erased bigint;
    leaves bytea[];
BEGIN
    INSERT INTO stockade.audit_erased (list_id, entry_id, path, tenant_id, commitment)
        SELECT erasure, v.entry_id, v.path, of_tenant, v.commitment
        FROM stockade.audit_erasable(of_tenant, NULL, NULL, NULL, entries, paths) v WHERE v.opens AND NOT v.held;
    GET DIAGNOSTICS erased = ROW_COUNT;
    SELECT array_agg(sha256('\x00'::bytea || 'audit-chain/v1/erased\000'::bytea || uuid_send(x.entry_id)
            || int2send(octet_length(convert_to(x.path, 'UTF8'))::int2) || convert_to(x.path, 'UTF8') || x.commitment)
            ORDER BY x.entry_id, x.path)
        INTO leaves FROM stockade.audit_erased x WHERE x.list_id = erasure;
    IF erased <> cardinality(entries) OR erased = 0 OR (stated->>'count')::bigint IS DISTINCT FROM erased
        OR stated->>'root' IS DISTINCT FROM encode(stockade.audit_root(leaves), 'hex')
    THEN
        RAISE EXCEPTION 'the entry does not state what would be erased' USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO stockade.audit_evidence (entry_id, tenant_id, action, list_id, envelope)
        VALUES (erasure, of_tenant, 'audit.erased', erasure, bytes);
    UPDATE stockade.audit_payload p SET
        field_values = ARRAY(SELECT CASE WHEN e.personal_paths[f.place] <> ALL (x.gone) THEN f.part END
            FROM unnest(p.field_values) WITH ORDINALITY AS f (part, place) ORDER BY f.place),
        salts = ARRAY(SELECT CASE WHEN e.personal_paths[f.place] <> ALL (x.gone) THEN f.part END
            FROM unnest(p.salts) WITH ORDINALITY AS f (part, place) ORDER BY f.place)
    FROM stockade.audit_entry e
        JOIN (SELECT l.entry_id, array_agg(l.path) AS gone FROM unnest(entries, paths) AS l (entry_id, path) GROUP BY 1) AS x
            ON x.entry_id = e.entry_id
    WHERE p.entry_id = e.entry_id AND p.tenant_id = of_tenant AND e.tenant_id = of_tenant;
END
$$;

CREATE FUNCTION stockade.audit_place_hold(entry uuid, of_tenant uuid, bytes bytea, since timestamptz, until timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM stockade.audit_statement(entry, of_tenant, 'audit.hold_placed', bytes);
    PERFORM stockade.audit_forgetting();
    INSERT INTO stockade.audit_hold VALUES (entry, entry, of_tenant, since, until, false);
END
$$;

-- Says whether there was such a hold to release.
CREATE FUNCTION stockade.audit_release_hold(entry uuid, of_tenant uuid, bytes bytea, hold uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM stockade.audit_statement(entry, of_tenant, 'audit.hold_released', bytes);
    PERFORM stockade.audit_forgetting();
    INSERT INTO stockade.audit_hold
        SELECT entry, h.hold_id, h.tenant_id, h.since, h.until, true FROM stockade.audit_held h
        WHERE h.hold_id = hold AND h.tenant_id = of_tenant;
    RETURN FOUND;
END
$$;

CREATE FUNCTION stockade.audit_lengthen_retention(to_months integer) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO stockade.audit_retention (months) VALUES (to_months)
$$;

-- The whole months before a time that no hold keeps. A month is kept whole, for all tenants, while a held tenant has an entry in it.
CREATE FUNCTION stockade.audit_purge_months(moment timestamptz) RETURNS TABLE (suffix text, first_id uuid, end_id uuid)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM stockade.audit_forgetting();
    IF moment > clock_timestamp() - make_interval(months => (SELECT max(r.months) FROM stockade.audit_retention r)) THEN
        RAISE EXCEPTION 'entries are kept longer than that' USING ERRCODE = 'AC001';
    END IF;
    RETURN QUERY SELECT m.suffix, m.first_id, m.end_id FROM stockade.audit_partitions() m
        WHERE m.end_id <= stockade.audit_id_at(moment) AND NOT EXISTS (
            SELECT FROM stockade.audit_held h CROSS JOIN LATERAL (
                SELECT FROM stockade.audit_entry e
                WHERE e.tenant_id = h.tenant_id AND e.entry_id >= m.first_id AND e.entry_id < m.end_id
                    AND e.recorded_at >= coalesce(h.since, '-infinity') AND e.recorded_at < coalesce(h.until, 'infinity')
                LIMIT 1) AS entry);
END
$$;

-- What each tenant has in a range of ids. `RETURN QUERY` is the one place in PL/pgSQL where PostgreSQL works in parallel.
CREATE FUNCTION stockade.audit_count(from_id uuid, end_id uuid)
    RETURNS TABLE (tenant_id uuid, first_seq bigint, last_seq bigint, links bigint, entries bigint)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT tenant_id, l.first_seq, l.last_seq, coalesce(l.links, 0), coalesce(e.entries, 0)
        FROM (SELECT x.tenant_id, min(x.seq) AS first_seq, max(x.seq) AS last_seq, count(*) AS links
                FROM stockade.audit_link x WHERE x.entry_id >= from_id AND x.entry_id < audit_count.end_id GROUP BY x.tenant_id) AS l
            FULL JOIN (SELECT x.tenant_id, count(*) AS entries
                FROM stockade.audit_entry x WHERE x.entry_id >= from_id AND x.entry_id < audit_count.end_id GROUP BY x.tenant_id) AS e
            USING (tenant_id);
END
$$;

-- What a purge would take, as ranges of each tenant's numbers, if all of it is sealed and there: as many entries as links. Where a tenant's
-- numbers have no hole, their order is not asked for. What is found here is what `audit_purge` drops in the same transaction.
CREATE FUNCTION stockade.audit_purgeable(moment timestamptz)
    RETURNS TABLE (list_id uuid, tenant_id uuid, first_seq bigint, last_seq bigint, before bytea, after bytea)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    dropping text[] := ARRAY(SELECT m.suffix FROM stockade.audit_purge_months(moment) m);
    found uuid[] := '{}';
    span record;
BEGIN
    FOR span IN
        SELECT gen_random_uuid() AS list_id, c.tenant_id, min(c.first_seq) AS first_seq, max(c.last_seq) AS last_seq,
            sum(c.links) AS links, sum(c.entries) AS entries
        FROM stockade.audit_partitions() m CROSS JOIN LATERAL stockade.audit_count(m.first_id, m.end_id) c
        WHERE m.suffix = ANY (dropping) GROUP BY c.tenant_id
    LOOP
        IF span.entries <> span.links THEN
            RAISE EXCEPTION 'the months cannot be purged' USING ERRCODE = CASE WHEN span.entries > span.links THEN 'AC002' ELSE 'AC003' END;
        END IF;
        found := found || span.list_id;
        INSERT INTO stockade.audit_purged (list_id, tenant_id, first_seq, last_seq, before, after)
            SELECT span.list_id, span.tenant_id, r.first_seq, r.last_seq, f.prev, l.hash
            FROM (SELECT span.first_seq, span.last_seq WHERE span.last_seq - span.first_seq + 1 = span.links
                    UNION ALL
                    SELECT min(i.seq), max(i.seq) FROM (
                        SELECT x.seq, x.seq - row_number() OVER (ORDER BY x.seq) AS island FROM stockade.audit_link x
                        WHERE span.last_seq - span.first_seq + 1 <> span.links
                            AND x.tenant_id = span.tenant_id AND x.seq BETWEEN span.first_seq AND span.last_seq
                            AND EXISTS (SELECT FROM stockade.audit_partitions() m WHERE m.suffix = ANY (dropping)
                                AND x.entry_id >= m.first_id AND x.entry_id < m.end_id)) AS i
                    GROUP BY i.island) AS r (first_seq, last_seq)
                JOIN stockade.audit_link f ON f.tenant_id = span.tenant_id AND f.seq = r.first_seq
                JOIN stockade.audit_link l ON l.tenant_id = span.tenant_id AND l.seq = r.last_seq;
    END LOOP;
    INSERT INTO stockade.audit_purge_plan (months, lists) VALUES (dropping, found);
    RETURN QUERY SELECT r.list_id, r.tenant_id, r.first_seq, r.last_seq, r.before, r.after FROM stockade.audit_purged r
        WHERE r.list_id = ANY (found) ORDER BY r.tenant_id, r.first_seq;
END
$$;

-- Drops a month of both tables.
CREATE FUNCTION stockade.audit_drop_partition(of_suffix text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM stockade.audit_partitions() m WHERE m.suffix = of_suffix) THEN
        RAISE EXCEPTION 'there is no such month' USING ERRCODE = 'insufficient_privilege';
    END IF;
    EXECUTE format('DROP TABLE stockade.%I, stockade.%I', 'audit_entry' || of_suffix, 'audit_payload' || of_suffix);
END
$$;

-- Purges what `audit_purgeable` found in this transaction, if each tenant's entry states its list, and each chain goes on from there to a
-- head that was kept outside. Says how many months it dropped.
CREATE FUNCTION stockade.audit_purge(stated_lists uuid[], purges uuid[], bytes bytea[],
        kept_tenant uuid[], kept_seq bigint[], kept_hash bytea[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan stockade.audit_purge_plan;
    purge record;
    stated json;
    dropped text;
BEGIN
    DELETE FROM stockade.audit_purge_plan p WHERE p.xact = pg_current_xact_id() RETURNING * INTO plan;
    IF plan IS NULL OR NOT (plan.lists <@ stated_lists AND cardinality(plan.lists) = cardinality(stated_lists)) THEN
        RAISE EXCEPTION 'there is no such plan' USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOR purge IN
        SELECT p.id, p.list, p.bytes, r.tenant_id, r.last_seq, r.ranges, r.leaves
        FROM unnest(purges, stated_lists, bytes) AS p (id, list, bytes)
            CROSS JOIN LATERAL (
                SELECT x.tenant_id, count(*) AS ranges, max(x.last_seq) AS last_seq,
                    array_agg(sha256('\x00'::bytea || 'audit-chain/v1/purged\000'::bytea || int8send(x.first_seq) || int8send(x.last_seq)
                        || x.before || x.after) ORDER BY x.first_seq) AS leaves
                FROM stockade.audit_purged x WHERE x.list_id = p.list GROUP BY x.tenant_id) AS r
    LOOP
        stated := stockade.audit_statement(purge.id, purge.tenant_id, 'audit.purged', purge.bytes);
        IF (stated->>'count')::bigint IS DISTINCT FROM purge.ranges
            OR stated->>'root' IS DISTINCT FROM encode(stockade.audit_root(purge.leaves), 'hex')
        THEN
            RAISE EXCEPTION 'an entry does not state what would be purged' USING ERRCODE = 'insufficient_privilege';
        END IF;
        IF NOT EXISTS (
            SELECT FROM unnest(kept_tenant, kept_seq, kept_hash) AS k (tenant, seq, hash)
                JOIN stockade.audit_link l ON l.tenant_id = k.tenant AND l.seq = k.seq AND l.hash = k.hash
            WHERE k.tenant = purge.tenant_id AND k.seq >= purge.last_seq)
        THEN
            RAISE EXCEPTION 'no kept head covers the months' USING ERRCODE = 'AC004';
        END IF;
        INSERT INTO stockade.audit_evidence (entry_id, tenant_id, action, list_id, envelope)
            VALUES (purge.id, purge.tenant_id, 'audit.purged', purge.list, purge.bytes);
    END LOOP;
    FOREACH dropped IN ARRAY plan.months LOOP
        PERFORM stockade.audit_drop_partition(dropped);
    END LOOP;
    RETURN cardinality(plan.months);
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['audit_evidence', 'audit_erased', 'audit_purged', 'audit_hold', 'audit_retention'] LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON stockade.%I FOR EACH ROW EXECUTE FUNCTION stockade.audit_refuse()', name);
        EXECUTE pg_catalog.format('CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON stockade.%I FOR EACH STATEMENT EXECUTE FUNCTION stockade.audit_refuse()', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ALWAYS TRIGGER audit_append_only', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ALWAYS TRIGGER audit_no_truncate', name);
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
        EXECUTE pg_catalog.format('REVOKE ALL ON stockade.%I FROM PUBLIC', name);
        EXECUTE pg_catalog.format('REVOKE UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER ON stockade.%I FROM CURRENT_USER', name);
        EXECUTE pg_catalog.format('GRANT SELECT, INSERT ON stockade.%I TO stockade_custodian', name);
        EXECUTE pg_catalog.format('CREATE POLICY audit_custodian_reads ON stockade.%I FOR SELECT TO stockade_custodian USING (true)', name);
        EXECUTE pg_catalog.format('CREATE POLICY audit_custodian_appends ON stockade.%I FOR INSERT TO stockade_custodian WITH CHECK (true)', name);
        EXECUTE pg_catalog.format('GRANT SELECT ON stockade.%I TO stockade_app, stockade_sealer', name);
        EXECUTE pg_catalog.format('CREATE POLICY audit_sealer_reads ON stockade.%I FOR SELECT TO stockade_sealer USING (true)', name);
        IF name = 'audit_retention' THEN
            CREATE POLICY audit_app_reads ON stockade.audit_retention FOR SELECT TO stockade_app USING (true);
        ELSE
            EXECUTE pg_catalog.format('CREATE POLICY audit_app_reads ON stockade.%I FOR SELECT TO stockade_app
                USING (tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c))', name);
        END IF;
    END LOOP;
END
$$;

CREATE TRIGGER audit_append_only BEFORE UPDATE ON stockade.audit_purge_plan FOR EACH ROW EXECUTE FUNCTION stockade.audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON stockade.audit_purge_plan FOR EACH STATEMENT EXECUTE FUNCTION stockade.audit_refuse();
ALTER TABLE stockade.audit_purge_plan ENABLE ALWAYS TRIGGER audit_append_only;
ALTER TABLE stockade.audit_purge_plan ENABLE ALWAYS TRIGGER audit_no_truncate;
ALTER TABLE stockade.audit_purge_plan ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON stockade.audit_purge_plan FROM PUBLIC;
GRANT SELECT, INSERT, DELETE ON stockade.audit_purge_plan TO stockade_custodian;
CREATE POLICY audit_custodian_plans ON stockade.audit_purge_plan FOR ALL TO stockade_custodian USING (true) WITH CHECK (true);

-- A payload still cannot be deleted. The owner had given away the privilege to make triggers.
GRANT TRIGGER ON stockade.audit_payload TO stockade_owner;
DROP TRIGGER audit_append_only ON stockade.audit_payload;
CREATE TRIGGER audit_append_only BEFORE DELETE ON stockade.audit_payload FOR EACH ROW EXECUTE FUNCTION stockade.audit_refuse();
CREATE TRIGGER audit_forgets BEFORE UPDATE ON stockade.audit_payload FOR EACH ROW EXECUTE FUNCTION stockade.audit_payload_forgets();
ALTER TABLE stockade.audit_payload ENABLE ALWAYS TRIGGER audit_append_only;
ALTER TABLE stockade.audit_payload ENABLE ALWAYS TRIGGER audit_forgets;
REVOKE TRIGGER ON stockade.audit_payload FROM stockade_owner;

-- The custodian reads what it decides about, and blanks values.
GRANT USAGE ON SCHEMA stockade TO stockade_custodian;
GRANT SELECT ON stockade.audit_entry, stockade.audit_payload, stockade.audit_link TO stockade_custodian;
GRANT UPDATE (field_values, salts) ON stockade.audit_payload TO stockade_custodian;
CREATE POLICY audit_custodian_reads ON stockade.audit_entry FOR SELECT TO stockade_custodian USING (true);
CREATE POLICY audit_custodian_reads ON stockade.audit_payload FOR SELECT TO stockade_custodian USING (true);
CREATE POLICY audit_custodian_forgets ON stockade.audit_payload FOR UPDATE TO stockade_custodian USING (true) WITH CHECK (true);
CREATE POLICY audit_custodian_reads ON stockade.audit_link FOR SELECT TO stockade_custodian USING (true);

-- The role groups record their own kinds of entries, without personal values, and call their own functions.
GRANT INSERT ON stockade.audit_entry, stockade.audit_payload TO stockade_eraser, stockade_purger, stockade_holder;
GRANT INSERT (tenant_id, entry_id) ON stockade.audit_unsealed TO stockade_eraser, stockade_purger, stockade_holder;
CREATE POLICY audit_eraser_states ON stockade.audit_entry FOR INSERT TO stockade_eraser
    WITH CHECK (action = 'audit.erased'
        AND recorded_at BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '5 minutes');
CREATE POLICY audit_purger_states ON stockade.audit_entry FOR INSERT TO stockade_purger
    WITH CHECK (action = 'audit.purged'
        AND recorded_at BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '5 minutes');
CREATE POLICY audit_holder_states ON stockade.audit_entry FOR INSERT TO stockade_holder
    WITH CHECK (action IN ('audit.hold_placed', 'audit.hold_released')
        AND recorded_at BETWEEN clock_timestamp() - interval '5 minutes' AND clock_timestamp() + interval '5 minutes');
CREATE POLICY audit_statement_queues ON stockade.audit_unsealed FOR INSERT TO stockade_eraser, stockade_purger, stockade_holder
    WITH CHECK (true);

-- The migration's own part: everything goes to the owner or the custodian, and the memberships end.
GRANT USAGE, CREATE ON SCHEMA stockade TO stockade_custodian;
GRANT EXECUTE ON FUNCTION stockade.audit_id_at(timestamptz), stockade.audit_partitions() TO stockade_custodian;
DO $$
DECLARE
    object record;
    called text;
    joined text;
BEGIN
    FOREACH called IN ARRAY ARRAY['audit_evidence', 'audit_erased', 'audit_purged', 'audit_hold', 'audit_retention', 'audit_purge_plan'] LOOP
        EXECUTE pg_catalog.format('ALTER TABLE stockade.%I OWNER TO stockade_owner', called);
    END LOOP;
    ALTER VIEW stockade.audit_held OWNER TO stockade_custodian;
    FOR object IN
        SELECT p.oid::regprocedure::text AS name,
            CASE p.proname WHEN 'audit_erasable' THEN 'stockade_eraser' WHEN 'audit_erase' THEN 'stockade_eraser'
                WHEN 'audit_place_hold' THEN 'stockade_holder' WHEN 'audit_release_hold' THEN 'stockade_holder'
                WHEN 'audit_lengthen_retention' THEN 'stockade_purger' WHEN 'audit_purgeable' THEN 'stockade_purger'
                WHEN 'audit_purge' THEN 'stockade_purger' WHEN 'audit_drop_partition' THEN 'stockade_custodian' END AS caller,
            CASE WHEN p.proname IN ('audit_drop_partition', 'audit_payload_forgets', 'audit_retention_lengthens') THEN 'stockade_owner'
                ELSE 'stockade_custodian' END AS owner
        FROM pg_catalog.pg_proc p
        WHERE p.pronamespace = 'stockade'::regnamespace AND p.proowner = current_user::regrole
            AND p.proname = ANY (ARRAY['audit_commitment', 'audit_payload_forgets', 'audit_root', 'audit_retention_lengthens',
                'audit_forgetting', 'audit_erasable', 'audit_statement', 'audit_erase', 'audit_place_hold', 'audit_release_hold',
                'audit_lengthen_retention', 'audit_purge_months', 'audit_count', 'audit_purgeable', 'audit_drop_partition', 'audit_purge'])
    LOOP
        EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', object.name);
        EXECUTE pg_catalog.format('ALTER FUNCTION %s OWNER TO %I', object.name, object.owner);
        IF object.caller IS NOT NULL THEN
            EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO %I', object.name, object.caller);
        END IF;
    END LOOP;
    REVOKE CREATE ON SCHEMA stockade FROM stockade_custodian;
    FOREACH joined IN ARRAY pg_catalog.string_to_array(pg_catalog.current_setting('stockade.audit_joined'), ' ') LOOP
        EXECUTE pg_catalog.format('REVOKE %I FROM CURRENT_USER', joined);
    END LOOP;
END
$$;
