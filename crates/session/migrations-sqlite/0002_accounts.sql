-- stockade-session on SQLite, migration 2: recovery codes, resets, changes of what is typed at sign-in, known networks.

-- The unused codes of a user.
CREATE TABLE stockade_auth_recovery (
    user_id BLOB NOT NULL REFERENCES stockade_auth_account ON DELETE CASCADE,
    digest  BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (user_id, digest)
) STRICT, WITHOUT ROWID;

-- user_id is NULL where nobody has the identifier, so that the request does the same work. A reset is current while user_version is
-- the user's: using one, or any other revocation of the user, ends all of them.
CREATE TABLE stockade_auth_reset (
    digest       BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    user_id      BLOB REFERENCES stockade_auth_account ON DELETE CASCADE,
    user_version INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX stockade_auth_reset_by_user ON stockade_auth_reset (user_id);
CREATE INDEX stockade_auth_reset_by_end ON stockade_auth_reset (expires_at);

-- At most one change under way a user. A NULL digest is a side that needs no confirmation.
CREATE TABLE stockade_auth_identifier_change (
    user_id        BLOB    NOT NULL PRIMARY KEY REFERENCES stockade_auth_account ON DELETE CASCADE,
    user_version   INTEGER NOT NULL,
    new_identifier TEXT    NOT NULL,
    old_digest     BLOB UNIQUE CHECK (length(old_digest) = 32),
    new_digest     BLOB    NOT NULL UNIQUE CHECK (length(new_digest) = 32),
    old_confirmed  INTEGER NOT NULL CHECK (old_confirmed IN (0, 1)),
    new_confirmed  INTEGER NOT NULL CHECK (new_confirmed IN (0, 1)),
    expires_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A network is 4 and an IPv4 address, or 6 and an IPv6 address without its last 64 bits.
CREATE TABLE stockade_auth_network (
    user_id       BLOB    NOT NULL REFERENCES stockade_auth_account ON DELETE CASCADE,
    network       BLOB    NOT NULL CHECK (length(network) IN (5, 17)),
    first_seen_at INTEGER NOT NULL,
    last_seen_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, network)
) STRICT, WITHOUT ROWID;
