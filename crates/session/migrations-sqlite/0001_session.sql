-- stockade-session on SQLite, migration 1: accounts, sign-in attempts, pending sign-ins and sessions.
-- STRICT, so that a column holds one type of value. WITHOUT ROWID, because a rowid is one more key by which
-- INSERT OR REPLACE could reach a row. Times are microseconds since 1970-01-01 UTC, identifiers are UUIDs of 16 bytes.

CREATE TABLE stockade_auth_account (
    user_id       BLOB    NOT NULL PRIMARY KEY CHECK (length(user_id) = 16),
    tenant_id     BLOB    NOT NULL CHECK (length(tenant_id) = 16),
    identifier    TEXT    NOT NULL UNIQUE,
    password_hash TEXT    NOT NULL,
    version       INTEGER NOT NULL DEFAULT 0 CHECK (version >= 0), -- adding one revokes every session and pending sign-in of the user
    status        TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    mfa_required_from INTEGER -- from then on the user needs a second factor; NULL: the tenant decides
) STRICT, WITHOUT ROWID;

CREATE TABLE stockade_auth_tenant_policy (
    tenant_id         BLOB NOT NULL PRIMARY KEY CHECK (length(tenant_id) = 16),
    mfa_required_from INTEGER,
    idle_seconds      INTEGER CHECK (idle_seconds > 0),
    absolute_seconds  INTEGER CHECK (absolute_seconds >= idle_seconds)
) STRICT, WITHOUT ROWID;

-- The versions of tenants and, with the nil uuid, of everybody. No row means version 0.
CREATE TABLE stockade_auth_version (
    scope   TEXT    NOT NULL CHECK (scope IN ('tenant', 'global')),
    id      BLOB    NOT NULL CHECK (length(id) = 16),
    version INTEGER NOT NULL CHECK (version > 0),
    PRIMARY KEY (scope, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE stockade_auth_totp (
    user_id     BLOB    NOT NULL PRIMARY KEY REFERENCES stockade_auth_account ON DELETE CASCADE,
    sealed_seed BLOB    NOT NULL,
    active      INTEGER NOT NULL CHECK (active IN (0, 1)),
    last_step   INTEGER NOT NULL,
    replacement BLOB -- a sealed seed that waits for its first code while the old one still counts
) STRICT, WITHOUT ROWID;

CREATE TABLE stockade_auth_attempt (
    bucket       BLOB    NOT NULL PRIMARY KEY CHECK (length(bucket) = 32),
    number       INTEGER NOT NULL CHECK (number > 0),
    last_at      INTEGER NOT NULL,
    locked_until INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE stockade_auth_flow (
    digest         BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    user_id        BLOB    NOT NULL REFERENCES stockade_auth_account ON DELETE CASCADE,
    tenant_id      BLOB    NOT NULL CHECK (length(tenant_id) = 16),
    user_version   INTEGER NOT NULL,
    tenant_version INTEGER NOT NULL,
    global_version INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX stockade_auth_flow_by_user ON stockade_auth_flow (user_id);

-- No index on last_seen_at, so that recording a use writes one page.
CREATE TABLE stockade_auth_session (
    sid              BLOB    NOT NULL PRIMARY KEY CHECK (length(sid) = 16),
    digest           BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    user_id          BLOB    NOT NULL REFERENCES stockade_auth_account ON DELETE CASCADE,
    tenant_id        BLOB    NOT NULL CHECK (length(tenant_id) = 16),
    user_version     INTEGER NOT NULL,
    tenant_version   INTEGER NOT NULL,
    global_version   INTEGER NOT NULL,
    assurance        TEXT    NOT NULL CHECK (assurance IN ('password', 'password+totp')),
    authenticated_at INTEGER NOT NULL,
    stepped_up_at    INTEGER, -- when the user last proved again who they are
    last_seen_at     INTEGER NOT NULL,
    idle_seconds     INTEGER NOT NULL CHECK (idle_seconds BETWEEN 1 AND 2147483647),
    expires_at       INTEGER NOT NULL,
    ip               TEXT    NOT NULL,
    user_agent       TEXT,
    revoked_at       INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX stockade_auth_session_by_user ON stockade_auth_session (user_id);

-- Sessions that nothing has revoked, with the limits that hold now: the tighter of the session's own and the tenant's. Whether they
-- are expired depends on the caller's clock.
CREATE VIEW stockade_auth_current_session AS
SELECT s.sid, s.digest, s.user_id, s.tenant_id, s.user_version, s.tenant_version, s.global_version, s.assurance,
       max(s.authenticated_at, coalesce(s.stepped_up_at, s.authenticated_at)) AS authenticated_at,
       s.last_seen_at,
       min(s.idle_seconds, coalesce(p.idle_seconds, s.idle_seconds)) AS idle_seconds,
       min(s.expires_at, coalesce(s.authenticated_at + p.absolute_seconds * 1000000, s.expires_at)) AS expires_at,
       s.ip, s.user_agent,
       coalesce(min(a.mfa_required_from, p.mfa_required_from), a.mfa_required_from, p.mfa_required_from) AS mfa_required_from
FROM stockade_auth_session s
JOIN stockade_auth_account a ON a.user_id = s.user_id AND a.version = s.user_version AND a.status = 'active'
LEFT JOIN stockade_auth_tenant_policy p ON p.tenant_id = s.tenant_id
LEFT JOIN stockade_auth_version t ON t.scope = 'tenant' AND t.id = s.tenant_id
LEFT JOIN stockade_auth_version g ON g.scope = 'global' AND g.id = x'00000000000000000000000000000000'
WHERE s.revoked_at IS NULL
  AND coalesce(t.version, 0) = s.tenant_version
  AND coalesce(g.version, 0) = s.global_version;

-- The same for pending sign-ins.
CREATE VIEW stockade_auth_current_flow AS
SELECT f.*
FROM stockade_auth_flow f
JOIN stockade_auth_account a ON a.user_id = f.user_id AND a.version = f.user_version AND a.status = 'active'
LEFT JOIN stockade_auth_version t ON t.scope = 'tenant' AND t.id = f.tenant_id
LEFT JOIN stockade_auth_version g ON g.scope = 'global' AND g.id = x'00000000000000000000000000000000'
WHERE coalesce(t.version, 0) = f.tenant_version
  AND coalesce(g.version, 0) = f.global_version;

-- A revoked session never comes back, and of a live one only its token, its last use, its proof and its end change.
CREATE TRIGGER stockade_auth_session_updates BEFORE UPDATE ON stockade_auth_session
WHEN OLD.revoked_at IS NOT NULL
    OR NEW.sid IS NOT OLD.sid OR NEW.user_id IS NOT OLD.user_id OR NEW.tenant_id IS NOT OLD.tenant_id
    OR NEW.user_version IS NOT OLD.user_version OR NEW.tenant_version IS NOT OLD.tenant_version
    OR NEW.global_version IS NOT OLD.global_version OR NEW.assurance IS NOT OLD.assurance
    OR NEW.authenticated_at IS NOT OLD.authenticated_at OR NEW.idle_seconds IS NOT OLD.idle_seconds
    OR NEW.expires_at IS NOT OLD.expires_at OR NEW.ip IS NOT OLD.ip OR NEW.user_agent IS NOT OLD.user_agent
BEGIN
    SELECT RAISE(ABORT, 'the session cannot change like this');
END;

-- INSERT OR REPLACE removes the rows that it collides with, and no trigger on UPDATE or DELETE sees that. RAISE decides for
-- itself: neither OR REPLACE nor OR IGNORE of the statement reaches it.
CREATE TRIGGER stockade_auth_session_inserts BEFORE INSERT ON stockade_auth_session
WHEN NEW.revoked_at IS NOT NULL
    OR EXISTS (SELECT 1 FROM stockade_auth_session s WHERE s.sid = NEW.sid)
    OR EXISTS (SELECT 1 FROM stockade_auth_session s WHERE s.digest = NEW.digest)
BEGIN
    SELECT RAISE(ABORT, 'the session exists');
END;

-- An account that exists is not replaced: its version would begin again.
CREATE TRIGGER stockade_auth_account_inserts BEFORE INSERT ON stockade_auth_account
WHEN EXISTS (SELECT 1 FROM stockade_auth_account a WHERE a.user_id = NEW.user_id)
    OR EXISTS (SELECT 1 FROM stockade_auth_account a WHERE a.identifier = NEW.identifier)
BEGIN
    SELECT RAISE(IGNORE);
END;

-- Taking a version back would bring revoked sessions back.
CREATE TRIGGER stockade_auth_account_deleted BEFORE UPDATE ON stockade_auth_account
WHEN OLD.status = 'deleted'
BEGIN
    SELECT RAISE(ABORT, 'a deleted account never changes');
END;

CREATE TRIGGER stockade_auth_account_version BEFORE UPDATE ON stockade_auth_account
WHEN NEW.version < OLD.version OR NEW.user_id IS NOT OLD.user_id
BEGIN
    SELECT RAISE(ABORT, 'a session version never decreases');
END;

CREATE TRIGGER stockade_auth_version_inserts BEFORE INSERT ON stockade_auth_version
WHEN EXISTS (SELECT 1 FROM stockade_auth_version v
    WHERE v.scope = NEW.scope AND v.id = NEW.id AND v.version >= NEW.version)
BEGIN
    SELECT RAISE(ABORT, 'a session version never decreases');
END;

CREATE TRIGGER stockade_auth_version_updates BEFORE UPDATE ON stockade_auth_version
WHEN NEW.version < OLD.version OR NEW.scope IS NOT OLD.scope OR NEW.id IS NOT OLD.id
BEGIN
    SELECT RAISE(ABORT, 'a session version never decreases');
END;

CREATE TRIGGER stockade_auth_version_deletes BEFORE DELETE ON stockade_auth_version
BEGIN
    SELECT RAISE(ABORT, 'a session version never decreases');
END;
