-- Counts of rate limits that several processes share.
--
-- Everything here belongs to stockade_owner. Members of stockade_limiter may run the functions, and nobody may touch the
-- table: an application grants that role to the login that limits. There are no tenants' data here: a slot is a keyed hash.

DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['stockade_owner', 'stockade_limiter'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = wanted) THEN
            BEGIN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- roles belong to the whole cluster, and another database was faster
            END;
        END IF;
    END LOOP;

    -- A superuser passes without the grant; a role with CREATEROLE needs it for the changes of owner below.
    FOR attempt IN 1..10 LOOP
        EXIT WHEN pg_catalog.pg_has_role(current_user, 'stockade_owner', 'USAGE');
        BEGIN
            GRANT stockade_owner TO CURRENT_USER;
        EXCEPTION WHEN internal_error OR unique_violation THEN
            PERFORM pg_catalog.pg_sleep(0.05); -- "tuple concurrently updated", from another database
        END;
    END LOOP;
END
$roles$;

CREATE SCHEMA IF NOT EXISTS stockade;
GRANT USAGE ON SCHEMA stockade TO PUBLIC;
GRANT USAGE, CREATE ON SCHEMA stockade TO stockade_owner;

-- No index but the key, so that counting stays a heap-only update.
CREATE TABLE stockade.rate_limit (
    slot     bytea PRIMARY KEY CHECK (pg_catalog.octet_length(slot) = 16),
    buckets  bigint[] NOT NULL DEFAULT '{}',
    costs    bigint[] NOT NULL DEFAULT '{}',
    fresh_at bigint NOT NULL DEFAULT 0,
    CHECK (pg_catalog.cardinality(buckets) = pg_catalog.cardinality(costs))
) WITH (fillfactor = 70);
COMMENT ON COLUMN stockade.rate_limit.buckets IS 'numbers of the buckets of time that something was charged in, ascending; of a bucket of tokens, the microsecond at which it is full again';
COMMENT ON COLUMN stockade.rate_limit.fresh_at IS 'microseconds since 1970 at which nothing counts any more: the row may go';

-- One decision, or several: asks with the same number in `decisions` are admitted together or not at all. No slot may occur
-- twice. Every row is created or locked before any is read, in the order of the slots and in one pass,
-- so no two calls wait for each other in a circle.
-- `verb` is peek, charge, surcharge or release; `targets` are the buckets that a release takes from; `tokens` tells buckets of
-- tokens, which get a unit back in every width, from costs in buckets of time; `at_time` is in microseconds since 1970, NULL for
-- the server's clock.
CREATE FUNCTION stockade.rate_limit_call(
    verb text, durable boolean, at_time bigint, decisions int[], amounts bigint[], slots bytea[],
    widths bigint[], spans bigint[], limits bigint[], enforced boolean[], targets bigint[], tokens boolean[])
RETURNS TABLE (used bigint, wait bigint, reset bigint, bucket bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
-- Planning takes several times as long as running, and the right plan never changes: rows are reached by their key.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $call$
DECLARE
    clock bigint;
BEGIN
    IF NOT durable THEN
        -- Until the end of the transaction, which is this call alone: losing the last moments of a count in a crash is
        -- worth not waiting for the disk at every request.
        SET LOCAL synchronous_commit = off;
    END IF;
    IF verb <> 'peek' THEN
        -- Creates what is missing and locks what is there, slot by slot: a row that fails the WHERE is locked all the same.
        INSERT INTO stockade.rate_limit AS r (slot)
        SELECT s FROM unnest(slots) AS s ORDER BY s
        ON CONFLICT (slot) DO UPDATE SET slot = r.slot WHERE false;
    END IF;
    clock := coalesce(at_time, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);

    RETURN QUERY
    WITH ask AS (
        SELECT a.*, CASE WHEN a.tokens THEN '{}' ELSE coalesce(r.buckets, '{}') END AS buckets,
               CASE WHEN a.tokens THEN '{}' ELSE coalesce(r.costs, '{}') END AS costs,
               -- A clock that went back is not believed: limits become stricter, never looser.
               CASE WHEN a.tokens THEN clock
                   ELSE greatest(clock, coalesce(r.buckets[cardinality(r.buckets)], 0) * a.width) END AS now,
               CASE WHEN a.tokens THEN greatest(coalesce(r.buckets[1], 0) - clock, 0) ELSE 0 END AS missing
        FROM unnest(decisions, amounts, slots, widths, spans, limits, enforced, targets, tokens)
             WITH ORDINALITY AS a (decision, amount, slot, width, span, cap, enforced, target, tokens, place)
        LEFT JOIN stockade.rate_limit r ON r.slot = a.slot
    ), found AS (
        SELECT a.*, CASE WHEN a.tokens THEN a.now ELSE a.now / a.width END AS current, l.used, l.wait,
               l.used + a.amount <= a.cap AS fits,
               bool_and(l.used + a.amount <= a.cap OR NOT a.enforced) OVER (PARTITION BY a.decision) AS admitted,
               l.buckets AS live_buckets, l.costs AS live_costs
        FROM ask a, LATERAL (
            SELECT coalesce(sum(e.cost), 0)::bigint AS used,
                   coalesce(array_agg(e.bucket ORDER BY e.bucket), '{}') AS buckets,
                   coalesce(array_agg(e.cost ORDER BY e.bucket), '{}') AS costs,
                   CASE WHEN coalesce(sum(e.cost), 0) + a.amount <= a.cap THEN 0 ELSE
                       coalesce(min(e.until) FILTER (WHERE e.so_far >= e.total + a.amount - a.cap), max(e.until), a.now)
                       - a.now END AS wait
            FROM (SELECT c.bucket, c.cost, (c.bucket + a.span) * a.width AS until,
                         sum(c.cost) OVER (ORDER BY c.bucket) AS so_far, sum(c.cost) OVER () AS total
                  FROM unnest(a.buckets, a.costs) AS c (bucket, cost)
                  WHERE (c.bucket + a.span) * a.width > a.now) AS e
            HAVING NOT a.tokens
            UNION ALL
            SELECT least((a.missing + a.width - 1) / a.width, a.cap), '{}', '{}',
                   greatest(a.missing + (a.amount - a.cap) * a.width, 0)
            WHERE a.tokens
        ) AS l
    ), decided AS (
        SELECT f.*, CASE verb
                   WHEN 'charge' THEN CASE WHEN f.admitted AND f.fits THEN f.amount ELSE 0 END
                   WHEN 'surcharge' THEN greatest(least(f.amount, f.cap - f.used), 0)
                   ELSE 0 END AS charged
        FROM found f
    ), changed AS (
        SELECT d.*, n.buckets AS new_buckets, n.costs AS new_costs,
               CASE WHEN d.tokens THEN greatest(n.buckets[1], d.now)
                   ELSE coalesce((n.buckets[cardinality(n.buckets)] + d.span) * d.width, d.now) END AS fresh_at
        FROM decided d, LATERAL (
            SELECT coalesce(array_agg(e.bucket ORDER BY e.bucket), '{}') AS buckets,
                   coalesce(array_agg(e.cost ORDER BY e.bucket), '{}') AS costs
            FROM (SELECT u.bucket, sum(u.cost)::bigint AS cost
                  FROM (SELECT c.bucket,
                               CASE WHEN verb = 'release' AND c.bucket = d.target THEN greatest(c.cost - d.amount, 0)
                                    ELSE c.cost END AS cost
                        FROM unnest(d.live_buckets, d.live_costs) AS c (bucket, cost)
                        UNION ALL SELECT d.current, d.charged) AS u
                  GROUP BY u.bucket HAVING sum(u.cost) > 0) AS e
            HAVING NOT d.tokens
            UNION ALL
            -- A token that came back by itself must not come back twice.
            SELECT ARRAY[d.now + d.missing + d.charged * d.width - CASE WHEN verb = 'release'
                       THEN greatest(d.amount * d.width - greatest(d.now - d.target, 0), 0) ELSE 0 END], ARRAY[1]
            WHERE d.tokens
        ) AS n
    ), written AS (
        UPDATE stockade.rate_limit r
        SET buckets = c.new_buckets, costs = c.new_costs, fresh_at = c.fresh_at
        FROM changed c
        WHERE r.slot = c.slot AND (c.charged > 0 OR verb = 'release')
    )
    SELECT c.used, c.wait, c.fresh_at - c.now, c.current FROM changed c ORDER BY c.place;
END
$call$;

-- Deletes some rows that cannot be told from absent ones.
CREATE FUNCTION stockade.rate_limit_sweep(at_most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $sweep$
    WITH stale AS (
        SELECT r.slot FROM stockade.rate_limit r
        -- A minute of grace, for clocks that are set back.
        WHERE r.fresh_at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 60000000
        LIMIT at_most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM stockade.rate_limit r USING stale s WHERE r.slot = s.slot RETURNING 1
    )
    SELECT count(*) FROM gone;
$sweep$;

REVOKE ALL ON stockade.rate_limit FROM PUBLIC;
ALTER TABLE stockade.rate_limit OWNER TO stockade_owner;
ALTER FUNCTION stockade.rate_limit_call(text, boolean, bigint, int[], bigint[], bytea[], bigint[], bigint[], bigint[], boolean[], bigint[], boolean[])
    OWNER TO stockade_owner;
ALTER FUNCTION stockade.rate_limit_sweep(integer) OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION
    stockade.rate_limit_call(text, boolean, bigint, int[], bigint[], bytea[], bigint[], bigint[], bigint[], boolean[], bigint[], boolean[]),
    stockade.rate_limit_sweep(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    stockade.rate_limit_call(text, boolean, bigint, int[], bigint[], bytea[], bigint[], bigint[], bigint[], boolean[], bigint[], boolean[]),
    stockade.rate_limit_sweep(integer) TO stockade_limiter;
