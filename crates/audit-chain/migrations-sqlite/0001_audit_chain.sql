-- stockade-audit-chain on SQLite, migration 1: the tables of the audit log, and what may be done with them.
-- STRICT, so that a column holds one type of value. WITHOUT ROWID, because a rowid is one more key by which
-- INSERT OR REPLACE could reach the row of another entry.

-- What happened. Never changes. Times are milliseconds since 1970-01-01 UTC; JSON is the text that is hashed.
CREATE TABLE stockade_audit_entry (
    entry_id      BLOB    NOT NULL PRIMARY KEY CHECK (length(entry_id) = 16), -- UUIDv7 of recorded_at
    tenant_id     BLOB    NOT NULL CHECK (length(tenant_id) = 16),
    format        INTEGER NOT NULL,
    recorded_at   INTEGER NOT NULL,
    occurred_at   INTEGER,
    action        TEXT    NOT NULL,
    severity      INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 3), -- info, notice, warning, critical
    outcome       TEXT    NOT NULL,
    actor_kind    TEXT    NOT NULL,
    actor_id      TEXT    NOT NULL,
    actor_role    TEXT,
    on_behalf_of  TEXT,
    impersonation TEXT,
    entity_type   TEXT,
    entity_id     TEXT,
    method        TEXT,
    endpoint      TEXT,
    status        INTEGER,
    request_id    TEXT,
    before        TEXT,
    after         TEXT,
    changes       TEXT,
    commitments   BLOB CHECK (length(commitments) > 0), -- as in the envelope
    leaf          BLOB    NOT NULL CHECK (length(leaf) = 32)
) STRICT, WITHOUT ROWID;
CREATE INDEX stockade_audit_entry_by_time ON stockade_audit_entry (tenant_id, recorded_at, entry_id);
CREATE INDEX stockade_audit_entry_by_actor ON stockade_audit_entry (tenant_id, actor_id, recorded_at, entry_id);
CREATE INDEX stockade_audit_entry_by_entity
    ON stockade_audit_entry (tenant_id, entity_type, entity_id, recorded_at, entry_id);
CREATE INDEX stockade_audit_entry_by_action ON stockade_audit_entry (tenant_id, action, recorded_at, entry_id);

-- The personal values of an entry, with the salts that open its commitments.
CREATE TABLE stockade_audit_payload (
    entry_id BLOB NOT NULL,
    path     TEXT NOT NULL,
    value    BLOB,
    salt     BLOB CHECK (length(salt) = 32),
    PRIMARY KEY (entry_id, path),
    CHECK ((value IS NULL) = (salt IS NULL))
) STRICT, WITHOUT ROWID;

-- The chain: hashes only. Never changes.
CREATE TABLE stockade_audit_link (
    tenant_id BLOB    NOT NULL,
    seq       INTEGER NOT NULL CHECK (seq > 0),
    entry_id  BLOB    NOT NULL UNIQUE,
    prev      BLOB    NOT NULL CHECK (length(prev) = 32),
    leaf      BLOB    NOT NULL CHECK (length(leaf) = 32),
    hash      BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (tenant_id, seq),
    UNIQUE (tenant_id, prev)
) STRICT, WITHOUT ROWID;

-- The end of each chain.
CREATE TABLE stockade_audit_head (
    tenant_id BLOB    NOT NULL PRIMARY KEY CHECK (length(tenant_id) = 16),
    chain_id  BLOB    NOT NULL CHECK (length(chain_id) = 16),
    seq       INTEGER NOT NULL CHECK (seq >= 0),
    hash      BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;

-- Which personal values were erased, by which entry of the log: the list behind the root that the entry states.
CREATE TABLE stockade_audit_erased (
    entry_id   BLOB NOT NULL,
    path       TEXT NOT NULL,
    commitment BLOB NOT NULL CHECK (length(commitment) = 32),
    erased_by  BLOB NOT NULL,
    PRIMARY KEY (entry_id, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX stockade_audit_erased_by_entry ON stockade_audit_erased (erased_by);

-- Legal holds, by the entry that records each. A release is another row.
CREATE TABLE stockade_audit_hold (
    entry_id  BLOB    NOT NULL PRIMARY KEY,
    hold_id   BLOB    NOT NULL, -- the entry that placed it
    tenant_id BLOB    NOT NULL,
    since     INTEGER, -- which times of recording it covers
    until     INTEGER,
    released  INTEGER NOT NULL CHECK (released IN (0, 1)),
    UNIQUE (hold_id, released)
) STRICT, WITHOUT ROWID;

-- What was purged: the numbers, and the hashes of the kept links around them.
CREATE TABLE stockade_audit_purged (
    tenant_id BLOB    NOT NULL,
    first_seq INTEGER NOT NULL CHECK (first_seq > 0),
    last_seq  INTEGER NOT NULL CHECK (last_seq >= first_seq),
    before    BLOB    NOT NULL CHECK (length(before) = 32),
    after     BLOB    NOT NULL CHECK (length(after) = 32),
    purged_by BLOB    NOT NULL,
    PRIMARY KEY (tenant_id, first_seq)
) STRICT, WITHOUT ROWID;

-- How long every entry is kept at least. The longest counts.
CREATE TABLE stockade_audit_retention (
    months INTEGER NOT NULL PRIMARY KEY CHECK (months >= 84)
) STRICT, WITHOUT ROWID;
INSERT INTO stockade_audit_retention (months) VALUES (84);

-- The holds that nobody has released.
CREATE VIEW stockade_audit_held AS
    SELECT h.tenant_id, h.hold_id, h.since, h.until FROM stockade_audit_hold h
    WHERE h.released = 0
        AND NOT EXISTS (SELECT 1 FROM stockade_audit_hold r WHERE r.hold_id = h.hold_id AND r.released = 1);

-- INSERT OR REPLACE removes the rows that it collides with, and no trigger on DELETE sees that. So whatever would collide is
-- refused before the insert. RAISE decides for itself: neither OR REPLACE nor OR IGNORE of the statement reaches it.
CREATE TRIGGER stockade_audit_entry_inserts BEFORE INSERT ON stockade_audit_entry
WHEN EXISTS (SELECT 1 FROM stockade_audit_entry e WHERE e.entry_id = NEW.entry_id)
    OR EXISTS (SELECT 1 FROM stockade_audit_link l WHERE l.entry_id = NEW.entry_id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: the entry exists');
END;

CREATE TRIGGER stockade_audit_payload_inserts BEFORE INSERT ON stockade_audit_payload
WHEN EXISTS (SELECT 1 FROM stockade_audit_payload p WHERE p.entry_id = NEW.entry_id AND p.path = NEW.path)
    OR EXISTS (SELECT 1 FROM stockade_audit_link l WHERE l.entry_id = NEW.entry_id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: the entry is sealed');
END;

-- A link is the next of its chain, for an entry that is there and has none.
CREATE TRIGGER stockade_audit_link_inserts BEFORE INSERT ON stockade_audit_link
WHEN EXISTS (SELECT 1 FROM stockade_audit_link l WHERE l.entry_id = NEW.entry_id)
    OR EXISTS (SELECT 1 FROM stockade_audit_link l WHERE l.tenant_id = NEW.tenant_id AND l.seq = NEW.seq)
    OR EXISTS (SELECT 1 FROM stockade_audit_link l WHERE l.tenant_id = NEW.tenant_id AND l.prev = NEW.prev)
    OR NOT EXISTS (SELECT 1 FROM stockade_audit_head h
        WHERE h.tenant_id = NEW.tenant_id AND h.seq + 1 = NEW.seq AND h.hash = NEW.prev)
    OR NOT EXISTS (SELECT 1 FROM stockade_audit_entry e
        WHERE e.entry_id = NEW.entry_id AND e.tenant_id = NEW.tenant_id AND e.leaf = NEW.leaf)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: not the next link of the chain');
END;

CREATE TRIGGER stockade_audit_link_moves_head AFTER INSERT ON stockade_audit_link
BEGIN
    UPDATE stockade_audit_head SET seq = NEW.seq, hash = NEW.hash WHERE tenant_id = NEW.tenant_id;
END;

CREATE TRIGGER stockade_audit_head_inserts BEFORE INSERT ON stockade_audit_head
WHEN NEW.seq <> 0
    OR EXISTS (SELECT 1 FROM stockade_audit_head h WHERE h.tenant_id = NEW.tenant_id)
    OR EXISTS (SELECT 1 FROM stockade_audit_link l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: the chain exists');
END;

-- A head moves to the link behind it. An update that changes nothing passes: it takes the write lock.
CREATE TRIGGER stockade_audit_head_updates BEFORE UPDATE ON stockade_audit_head
WHEN NEW.tenant_id IS NOT OLD.tenant_id OR NEW.chain_id IS NOT OLD.chain_id
    OR (NEW.seq IS NOT OLD.seq OR NEW.hash IS NOT OLD.hash)
        AND NOT EXISTS (SELECT 1 FROM stockade_audit_link l WHERE l.tenant_id = OLD.tenant_id
            AND l.seq = OLD.seq + 1 AND l.prev = OLD.hash AND l.seq = NEW.seq AND l.hash = NEW.hash)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: the head only moves to the next link');
END;

CREATE TRIGGER stockade_audit_entry_updates BEFORE UPDATE ON stockade_audit_entry
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: update refused');
END;

-- The one way in which a value changes: it goes, because an erasure names it, and nothing else of the row changes.
CREATE TRIGGER stockade_audit_payload_updates BEFORE UPDATE ON stockade_audit_payload
WHEN NEW.value IS NOT NULL OR NEW.salt IS NOT NULL OR OLD.value IS NULL
    OR NEW.entry_id IS NOT OLD.entry_id OR NEW.path IS NOT OLD.path
    OR NOT EXISTS (SELECT 1 FROM stockade_audit_erased x WHERE x.entry_id = OLD.entry_id AND x.path = OLD.path)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: update refused');
END;

-- An erasure names a value that is there and that no hold keeps, while the last entry of the same chain is the one that says so. Naming it erases it.
CREATE TRIGGER stockade_audit_erased_inserts BEFORE INSERT ON stockade_audit_erased
WHEN EXISTS (SELECT 1 FROM stockade_audit_erased x WHERE x.entry_id = NEW.entry_id AND x.path = NEW.path)
    OR NOT EXISTS (SELECT 1 FROM stockade_audit_payload p
        WHERE p.entry_id = NEW.entry_id AND p.path = NEW.path AND p.value IS NOT NULL)
    OR NOT EXISTS (SELECT 1 FROM stockade_audit_entry said
        JOIN stockade_audit_link last ON last.entry_id = said.entry_id
        JOIN stockade_audit_head h ON h.tenant_id = last.tenant_id AND h.seq = last.seq
        JOIN stockade_audit_link erased ON erased.tenant_id = last.tenant_id AND erased.seq < last.seq
        WHERE said.entry_id = NEW.erased_by AND said.action = 'audit.erased' AND erased.entry_id = NEW.entry_id)
    OR EXISTS (SELECT 1 FROM stockade_audit_entry e JOIN stockade_audit_held h ON h.tenant_id = e.tenant_id
        WHERE e.entry_id = NEW.entry_id AND (h.since IS NULL OR e.recorded_at >= h.since)
            AND (h.until IS NULL OR e.recorded_at < h.until))
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: no erasure says this');
END;

CREATE TRIGGER stockade_audit_erased_erases AFTER INSERT ON stockade_audit_erased
BEGIN
    UPDATE stockade_audit_payload SET value = NULL, salt = NULL WHERE entry_id = NEW.entry_id AND path = NEW.path;
END;

CREATE TRIGGER stockade_audit_erased_updates BEFORE UPDATE ON stockade_audit_erased
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: update refused');
END;

CREATE TRIGGER stockade_audit_erased_deletes BEFORE DELETE ON stockade_audit_erased
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: delete refused');
END;

CREATE TRIGGER stockade_audit_link_updates BEFORE UPDATE ON stockade_audit_link
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: update refused');
END;

-- An entry goes, with its values, because a purge names it.
CREATE TRIGGER stockade_audit_entry_deletes BEFORE DELETE ON stockade_audit_entry
WHEN NOT EXISTS (SELECT 1 FROM stockade_audit_link l JOIN stockade_audit_purged p
    ON p.tenant_id = l.tenant_id AND l.seq BETWEEN p.first_seq AND p.last_seq WHERE l.entry_id = OLD.entry_id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: delete refused');
END;

CREATE TRIGGER stockade_audit_payload_deletes BEFORE DELETE ON stockade_audit_payload
WHEN NOT EXISTS (SELECT 1 FROM stockade_audit_link l JOIN stockade_audit_purged p
    ON p.tenant_id = l.tenant_id AND l.seq BETWEEN p.first_seq AND p.last_seq WHERE l.entry_id = OLD.entry_id)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: delete refused');
END;

CREATE TRIGGER stockade_audit_link_deletes BEFORE DELETE ON stockade_audit_link
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: delete refused');
END;

CREATE TRIGGER stockade_audit_head_deletes BEFORE DELETE ON stockade_audit_head
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: delete refused');
END;

-- A hold or its release is said by the last entry of the same chain. A release is of a hold that is there, with the same extent.
CREATE TRIGGER stockade_audit_hold_inserts BEFORE INSERT ON stockade_audit_hold
WHEN EXISTS (SELECT 1 FROM stockade_audit_hold h WHERE h.entry_id = NEW.entry_id)
    OR EXISTS (SELECT 1 FROM stockade_audit_hold h WHERE h.hold_id = NEW.hold_id AND h.released = NEW.released)
    OR NOT EXISTS (SELECT 1 FROM stockade_audit_entry said
        JOIN stockade_audit_link last ON last.entry_id = said.entry_id
        JOIN stockade_audit_head h ON h.tenant_id = last.tenant_id AND h.seq = last.seq
        WHERE said.entry_id = NEW.entry_id AND said.tenant_id = NEW.tenant_id
            AND said.action = CASE NEW.released WHEN 0 THEN 'audit.hold_placed' ELSE 'audit.hold_released' END)
    OR NEW.released = 0 AND NEW.hold_id IS NOT NEW.entry_id
    OR NEW.released = 1 AND NOT EXISTS (SELECT 1 FROM stockade_audit_held h WHERE h.hold_id = NEW.hold_id
        AND h.tenant_id = NEW.tenant_id AND h.since IS NEW.since AND h.until IS NEW.until)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: no entry says this of a hold');
END;

CREATE TRIGGER stockade_audit_hold_updates BEFORE UPDATE ON stockade_audit_hold
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: update refused');
END;

CREATE TRIGGER stockade_audit_hold_deletes BEFORE DELETE ON stockade_audit_hold
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: delete refused');
END;

-- A purge names entries between kept links, while the last entry of the same chain is the one that says so. All of them are there,
-- older than the retention, under no hold, and none says itself what was done to the log. Naming them purges them.
CREATE TRIGGER stockade_audit_purged_inserts BEFORE INSERT ON stockade_audit_purged
WHEN EXISTS (SELECT 1 FROM stockade_audit_purged p WHERE p.tenant_id = NEW.tenant_id
        AND p.first_seq <= NEW.last_seq AND p.last_seq >= NEW.first_seq)
    OR NOT EXISTS (SELECT 1 FROM stockade_audit_entry said
        JOIN stockade_audit_link last ON last.entry_id = said.entry_id
        JOIN stockade_audit_head h ON h.tenant_id = last.tenant_id AND h.seq = last.seq
        WHERE said.entry_id = NEW.purged_by AND said.tenant_id = NEW.tenant_id AND said.action = 'audit.purged'
            AND last.seq > NEW.last_seq)
    OR NOT EXISTS (SELECT 1 FROM stockade_audit_link l
        WHERE l.tenant_id = NEW.tenant_id AND l.seq = NEW.first_seq AND l.prev = NEW.before)
    OR NOT EXISTS (SELECT 1 FROM stockade_audit_link l
        WHERE l.tenant_id = NEW.tenant_id AND l.seq = NEW.last_seq AND l.hash = NEW.after)
    OR NEW.last_seq - NEW.first_seq + 1 <> (SELECT count(*) FROM stockade_audit_link l
        JOIN stockade_audit_entry e ON e.entry_id = l.entry_id AND e.tenant_id = l.tenant_id
        WHERE l.tenant_id = NEW.tenant_id AND l.seq BETWEEN NEW.first_seq AND NEW.last_seq
            AND substr(e.action, 1, 6) <> 'audit.'
            AND e.recorded_at < (SELECT unixepoch('now', '-' || max(r.months) || ' months') * 1000 FROM stockade_audit_retention r)
            AND NOT EXISTS (SELECT 1 FROM stockade_audit_held h WHERE h.tenant_id = e.tenant_id
                AND (h.since IS NULL OR e.recorded_at >= h.since) AND (h.until IS NULL OR e.recorded_at < h.until)))
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: no purge may take this');
END;

CREATE TRIGGER stockade_audit_purged_purges AFTER INSERT ON stockade_audit_purged
BEGIN
    DELETE FROM stockade_audit_payload WHERE entry_id IN (SELECT l.entry_id FROM stockade_audit_link l
        WHERE l.tenant_id = NEW.tenant_id AND l.seq BETWEEN NEW.first_seq AND NEW.last_seq);
    DELETE FROM stockade_audit_entry WHERE entry_id IN (SELECT l.entry_id FROM stockade_audit_link l
        WHERE l.tenant_id = NEW.tenant_id AND l.seq BETWEEN NEW.first_seq AND NEW.last_seq);
END;

CREATE TRIGGER stockade_audit_purged_updates BEFORE UPDATE ON stockade_audit_purged
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: update refused');
END;

CREATE TRIGGER stockade_audit_purged_deletes BEFORE DELETE ON stockade_audit_purged
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: delete refused');
END;

CREATE TRIGGER stockade_audit_retention_inserts BEFORE INSERT ON stockade_audit_retention
WHEN NEW.months <= (SELECT max(r.months) FROM stockade_audit_retention r)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: retention is only ever lengthened');
END;

CREATE TRIGGER stockade_audit_retention_updates BEFORE UPDATE ON stockade_audit_retention
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: update refused');
END;

CREATE TRIGGER stockade_audit_retention_deletes BEFORE DELETE ON stockade_audit_retention
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: delete refused');
END;
