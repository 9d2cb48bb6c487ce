-- Lockouts that outlast the process and a crash of the server.
--
-- As the counts of 0001: members of stockade_limiter may run the functions, and nobody may touch the table.

CREATE TABLE stockade.rate_lockout (
    slot     bytea PRIMARY KEY CHECK (pg_catalog.octet_length(slot) = 16),
    failures integer NOT NULL DEFAULT 0,
    locks    integer NOT NULL DEFAULT 0,
    first_at bigint NOT NULL DEFAULT 0,
    last_at  bigint NOT NULL DEFAULT 0,
    until    bigint NOT NULL DEFAULT 0,
    fresh_at bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
COMMENT ON COLUMN stockade.rate_lockout.failures IS 'in this row; as many as the rule allows while locked';
COMMENT ON COLUMN stockade.rate_lockout.until IS 'microseconds since 1970: the end of the latest lock, put off by the time for which locks have been forgotten since';
COMMENT ON COLUMN stockade.rate_lockout.fresh_at IS 'microseconds since 1970 at which nothing is remembered any more: the row may go';

-- One attempt. `verb` is peek, charge, release, succeed or forget; `target` is the time of the charge that is released or succeeds;
-- `at_time` is in microseconds since 1970, NULL for the server's clock. Locks begin at `shortest` and double up to `longest`;
-- the one of number `last_chance` does not end. `memory` is NULL if time forgets nothing. Times are in microseconds.
-- Answers whether there was room, the failures before, how long there is none, the lock that a charge brought, and when
-- nothing is remembered any more.
CREATE FUNCTION stockade.rate_lockout_call(
    verb text, key bytea, at_time bigint, allowed integer, shortest bigint, longest bigint, steps integer,
    last_chance integer, memory bigint, target bigint)
RETURNS TABLE (granted boolean, used integer, wait bigint, lock bigint, reset bigint, clock bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $call$
DECLARE
    -- The end of what does not end: 2^63 nanoseconds.
    never CONSTANT bigint := 9223372036854775;
    state stockade.rate_lockout%ROWTYPE;
    over bigint;
    gone bigint;
BEGIN
    IF verb = 'peek' THEN
        SELECT r.* INTO state FROM stockade.rate_lockout r WHERE r.slot = key;
    ELSE
        -- Whatever the session thinks of its commits: a lock is not forgotten in a crash.
        SET LOCAL synchronous_commit = on;
        INSERT INTO stockade.rate_lockout AS r (slot) VALUES (key) ON CONFLICT (slot) DO UPDATE SET slot = r.slot
        RETURNING r.* INTO state;
    END IF;
    state.failures := coalesce(state.failures, 0);
    state.locks := coalesce(state.locks, 0);
    state.first_at := coalesce(state.first_at, 0);
    state.last_at := coalesce(state.last_at, 0);
    state.until := coalesce(state.until, 0);

    -- A clock that went back is not believed: locks become longer, never shorter.
    clock := greatest(coalesce(at_time, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint), state.last_at);
    IF verb = 'forget' OR (verb = 'succeed' AND target >= state.first_at) THEN
        DELETE FROM stockade.rate_lockout r WHERE r.slot = key;
        RETURN QUERY SELECT true, state.failures, 0::bigint, 0::bigint, 0::bigint, clock;
        RETURN;
    END IF;

    -- Without what has ended since.
    over := CASE WHEN state.failures >= allowed THEN state.until ELSE coalesce(state.last_at + memory, never) END;
    IF clock >= over THEN
        state.failures := 0;
    END IF;
    IF memory IS NOT NULL THEN
        gone := greatest(clock - state.until, 0) / memory;
        state.locks := greatest(state.locks - gone, 0);
        state.until := state.until + gone * memory;
    END IF;

    used := state.failures;
    granted := used < allowed;
    wait := CASE WHEN granted THEN 0 ELSE state.until - clock END;
    lock := 0;
    IF verb = 'charge' AND granted THEN
        state.first_at := CASE WHEN used = 0 THEN clock ELSE state.first_at END;
        state.last_at := clock;
        state.failures := used + 1;
        IF state.failures >= allowed THEN
            state.locks := least(state.locks + 1, steps);
            state.until := CASE WHEN state.locks >= last_chance THEN never
                ELSE clock + least(shortest * 2::numeric ^ least(state.locks - 1, 60), longest)::bigint END;
            lock := state.until - clock;
        END IF;
    ELSIF verb = 'release' AND target >= state.first_at AND used > 0 THEN
        -- The charge belongs to this row, or to the lock that it led to: with it goes the lock.
        state.failures := used - 1;
        IF NOT granted THEN
            state.locks := greatest(state.locks - 1, 0);
            state.until := clock;
        END IF;
    END IF;

    state.fresh_at := greatest(
        CASE WHEN state.failures IN (0, allowed) THEN 0 ELSE coalesce(state.last_at + memory, never) END,
        CASE WHEN state.locks = 0 THEN 0 ELSE coalesce(state.until + memory * state.locks, never) END);
    reset := greatest(state.fresh_at - clock, 0);
    IF verb <> 'peek' THEN
        UPDATE stockade.rate_lockout r
        SET failures = state.failures, locks = state.locks, first_at = state.first_at, last_at = state.last_at,
            until = state.until, fresh_at = state.fresh_at
        WHERE r.slot = key;
    END IF;
    RETURN NEXT;
END
$call$;

-- Deletes some rows that cannot be told from absent ones.
CREATE FUNCTION stockade.rate_lockout_sweep(at_most integer) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $sweep$
    WITH stale AS (
        SELECT r.slot FROM stockade.rate_lockout r
        -- A minute of grace, for clocks that are set back.
        WHERE r.fresh_at < (extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 60000000
        LIMIT at_most
        FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM stockade.rate_lockout r USING stale s WHERE r.slot = s.slot RETURNING 1
    )
    SELECT count(*) FROM gone;
$sweep$;

REVOKE ALL ON stockade.rate_lockout FROM PUBLIC;
ALTER TABLE stockade.rate_lockout OWNER TO stockade_owner;
ALTER FUNCTION stockade.rate_lockout_call(text, bytea, bigint, integer, bigint, bigint, integer, integer, bigint, bigint)
    OWNER TO stockade_owner;
ALTER FUNCTION stockade.rate_lockout_sweep(integer) OWNER TO stockade_owner;
REVOKE ALL ON FUNCTION
    stockade.rate_lockout_call(text, bytea, bigint, integer, bigint, bigint, integer, integer, bigint, bigint),
    stockade.rate_lockout_sweep(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION
    stockade.rate_lockout_call(text, bytea, bigint, integer, bigint, bigint, integer, integer, bigint, bigint),
    stockade.rate_lockout_sweep(integer) TO stockade_limiter;
