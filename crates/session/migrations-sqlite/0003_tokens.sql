-- stockade-session on SQLite, migration 3: API tokens, impersonations, connections to other services and refresh tokens.

-- The secret is a random text of 256 bits; digest is its HMAC under the key of the application's ring with the id key_id. Lists are JSON.
CREATE TABLE stockade_auth_api_token (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id       BLOB    NOT NULL REFERENCES stockade_auth_account ON DELETE CASCADE,
    tenant_id     BLOB    NOT NULL CHECK (length(tenant_id) = 16),
    name          TEXT    NOT NULL,
    scopes        TEXT    NOT NULL CHECK (json_array_length(scopes) > 0),
    networks      TEXT    NOT NULL CHECK (json_array_length(networks) >= 0),
    legacy_lookup TEXT UNIQUE,
    key_id        INTEGER CHECK (key_id BETWEEN 0 AND 255),
    digest        BLOB UNIQUE CHECK (length(digest) = 32),
    legacy_hash TEXT,
    created_at    INTEGER NOT NULL,
    expires_at    INTEGER,
    last_used_at  INTEGER,
    last_used_ip  TEXT,
    seen          TEXT    NOT NULL DEFAULT '[]', -- the networks that the token was used from, the newest last
    rotated_to    BLOB,
    revoked_at    INTEGER,
    CHECK ((digest IS NULL) = (legacy_hash IS NOT NULL) AND (digest IS NULL) = (key_id IS NULL)),
    CHECK (legacy_hash IS NULL OR legacy_lookup IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX stockade_auth_api_token_by_user ON stockade_auth_api_token (user_id);
CREATE INDEX stockade_auth_api_token_by_tenant ON stockade_auth_api_token (tenant_id);

CREATE TRIGGER stockade_auth_api_token_inserts BEFORE INSERT ON stockade_auth_api_token
BEGIN
    SELECT RAISE(ABORT, 'an api token begins unrevoked') WHERE NEW.revoked_at IS NOT NULL;
    SELECT RAISE(IGNORE) WHERE
        EXISTS (SELECT 1 FROM stockade_auth_api_token t WHERE t.id = NEW.id)
        OR EXISTS (SELECT 1 FROM stockade_auth_api_token t WHERE t.legacy_lookup = NEW.legacy_lookup)
        OR EXISTS (SELECT 1 FROM stockade_auth_api_token t WHERE t.digest = NEW.digest);
END;

-- What was revoked, a scope or an end of life that was taken away does not come back.
CREATE TRIGGER stockade_auth_api_token_updates BEFORE UPDATE ON stockade_auth_api_token
WHEN OLD.revoked_at IS NOT NULL
    OR NEW.id IS NOT OLD.id OR NEW.user_id IS NOT OLD.user_id OR NEW.tenant_id IS NOT OLD.tenant_id
    OR NEW.name IS NOT OLD.name OR NEW.networks IS NOT OLD.networks OR NEW.legacy_lookup IS NOT OLD.legacy_lookup
    OR NEW.created_at IS NOT OLD.created_at
    OR OLD.expires_at IS NOT NULL AND (NEW.expires_at IS NULL OR NEW.expires_at > OLD.expires_at)
    OR OLD.rotated_to IS NOT NULL AND NEW.rotated_to IS NOT OLD.rotated_to
    OR EXISTS (SELECT 1 FROM json_each(NEW.scopes) n WHERE n.value NOT IN (SELECT o.value FROM json_each(OLD.scopes) o))
BEGIN
    SELECT RAISE(ABORT, 'an api token only gets narrower');
END;

-- Whose users staff may not impersonate.
CREATE TABLE stockade_auth_impersonation_refusal (
    tenant_id BLOB NOT NULL PRIMARY KEY CHECK (length(tenant_id) = 16)
) STRICT, WITHOUT ROWID;

-- No reference to accounts or sessions: who looked stays on record when they are gone.
CREATE TABLE stockade_auth_impersonation (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    digest         BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    actor_id       BLOB    NOT NULL CHECK (length(actor_id) = 16),
    session_id     BLOB    NOT NULL CHECK (length(session_id) = 16),
    target_id      BLOB    NOT NULL CHECK (length(target_id) = 16 AND target_id <> actor_id),
    tenant_id      BLOB    NOT NULL CHECK (length(tenant_id) = 16),
    user_version   INTEGER NOT NULL,
    tenant_version INTEGER NOT NULL,
    global_version INTEGER NOT NULL,
    reason         TEXT    NOT NULL CHECK (reason <> ''),
    started_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL CHECK (expires_at <= started_at + 3600000000),
    ended_at       INTEGER,
    ip             TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX stockade_auth_impersonation_by_tenant ON stockade_auth_impersonation (tenant_id, started_at);
CREATE INDEX stockade_auth_impersonation_by_session ON stockade_auth_impersonation (session_id) WHERE ended_at IS NULL;

-- The accounts that may be impersonated, with their versions now.
CREATE VIEW stockade_auth_impersonable AS
SELECT a.user_id, a.tenant_id, a.version AS user_version,
       coalesce(t.version, 0) AS tenant_version, coalesce(g.version, 0) AS global_version
FROM stockade_auth_account a
LEFT JOIN stockade_auth_version t ON t.scope = 'tenant' AND t.id = a.tenant_id
LEFT JOIN stockade_auth_version g ON g.scope = 'global' AND g.id = x'00000000000000000000000000000000'
WHERE a.status = 'active'
    AND NOT EXISTS (SELECT 1 FROM stockade_auth_impersonation_refusal r WHERE r.tenant_id = a.tenant_id);

-- Impersonations that nothing has ended. Whether their time is over depends on the caller's clock.
CREATE VIEW stockade_auth_current_impersonation AS
SELECT i.*, min(s.expires_at, s.last_seen_at + s.idle_seconds * 1000000) AS session_ends_at
FROM stockade_auth_impersonation i
JOIN stockade_auth_current_session s ON s.sid = i.session_id AND s.user_id = i.actor_id
JOIN stockade_auth_impersonable a
    ON a.user_id = i.target_id AND a.tenant_id = i.tenant_id AND a.user_version = i.user_version
    AND a.tenant_version = i.tenant_version AND a.global_version = i.global_version
WHERE i.ended_at IS NULL;

CREATE TRIGGER stockade_auth_impersonation_inserts BEFORE INSERT ON stockade_auth_impersonation
WHEN NEW.ended_at IS NOT NULL
    OR EXISTS (SELECT 1 FROM stockade_auth_impersonation i WHERE i.id = NEW.id)
    OR EXISTS (SELECT 1 FROM stockade_auth_impersonation i WHERE i.digest = NEW.digest)
BEGIN
    SELECT RAISE(ABORT, 'the impersonation exists');
END;

-- It ends once, and nothing else of it changes.
CREATE TRIGGER stockade_auth_impersonation_updates BEFORE UPDATE ON stockade_auth_impersonation
WHEN OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
    OR NEW.id IS NOT OLD.id OR NEW.digest IS NOT OLD.digest OR NEW.actor_id IS NOT OLD.actor_id
    OR NEW.session_id IS NOT OLD.session_id OR NEW.target_id IS NOT OLD.target_id OR NEW.tenant_id IS NOT OLD.tenant_id
    OR NEW.user_version IS NOT OLD.user_version OR NEW.tenant_version IS NOT OLD.tenant_version
    OR NEW.global_version IS NOT OLD.global_version OR NEW.reason IS NOT OLD.reason
    OR NEW.started_at IS NOT OLD.started_at OR NEW.expires_at IS NOT OLD.expires_at OR NEW.ip IS NOT OLD.ip
BEGIN
    SELECT RAISE(ABORT, 'the impersonation cannot change like this');
END;

CREATE TRIGGER stockade_auth_impersonation_deletes BEFORE DELETE ON stockade_auth_impersonation
BEGIN
    SELECT RAISE(ABORT, 'who looked stays on record');
END;

-- Tokens of other services, sealed by the application. A refresh takes the row's next generation and a lease; what comes back is
-- kept only under that generation.
CREATE TABLE stockade_auth_connection (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id      BLOB    NOT NULL REFERENCES stockade_auth_account ON DELETE CASCADE,
    tenant_id    BLOB    NOT NULL CHECK (length(tenant_id) = 16),
    provider     TEXT    NOT NULL,
    sealed       BLOB    NOT NULL,
    generation   INTEGER NOT NULL CHECK (generation >= 0),
    lease_until  INTEGER,
    created_at   INTEGER NOT NULL,
    refreshed_at INTEGER NOT NULL,
    expires_at   INTEGER,
    ended_at     INTEGER,
    CHECK (ended_at IS NULL OR length(sealed) = 0)
) STRICT, WITHOUT ROWID;
CREATE INDEX stockade_auth_connection_by_user ON stockade_auth_connection (user_id);
CREATE INDEX stockade_auth_connection_by_tenant ON stockade_auth_connection (tenant_id);

CREATE TRIGGER stockade_auth_connection_inserts BEFORE INSERT ON stockade_auth_connection
BEGIN
    SELECT RAISE(ABORT, 'a connection begins unended') WHERE NEW.ended_at IS NOT NULL;
    SELECT RAISE(IGNORE) WHERE EXISTS (SELECT 1 FROM stockade_auth_connection c WHERE c.id = NEW.id);
END;

CREATE TRIGGER stockade_auth_connection_updates BEFORE UPDATE ON stockade_auth_connection
WHEN OLD.ended_at IS NOT NULL OR NEW.generation < OLD.generation
    OR NEW.id IS NOT OLD.id OR NEW.user_id IS NOT OLD.user_id OR NEW.tenant_id IS NOT OLD.tenant_id
    OR NEW.provider IS NOT OLD.provider OR NEW.created_at IS NOT OLD.created_at
BEGIN
    SELECT RAISE(ABORT, 'the connection cannot change like this');
END;

-- Refresh tokens. A used one is kept as long as its session, to be recognised.
CREATE TABLE stockade_auth_refresh (
    digest  BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    sid     BLOB NOT NULL REFERENCES stockade_auth_session (sid) ON DELETE CASCADE,
    used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX stockade_auth_refresh_by_session ON stockade_auth_refresh (sid);

CREATE TRIGGER stockade_auth_refresh_inserts BEFORE INSERT ON stockade_auth_refresh
WHEN NEW.used_at IS NOT NULL OR EXISTS (SELECT 1 FROM stockade_auth_refresh r WHERE r.digest = NEW.digest)
BEGIN
    SELECT RAISE(ABORT, 'the refresh token exists');
END;

CREATE TRIGGER stockade_auth_refresh_updates BEFORE UPDATE ON stockade_auth_refresh
WHEN OLD.used_at IS NOT NULL OR NEW.used_at IS NULL OR NEW.digest IS NOT OLD.digest OR NEW.sid IS NOT OLD.sid
BEGIN
    SELECT RAISE(ABORT, 'a refresh token is used once');
END;
