-- stockade-audit-chain on SQLite, migration 2: signed checkpoints over all tenants.

-- Every checkpoint that was ever signed, as it is published.
CREATE TABLE stockade_audit_checkpoint (
    size        INTEGER PRIMARY KEY NOT NULL CHECK (size > 0),
    publication TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- A later one only; INSERT OR REPLACE would otherwise overwrite in silence.
CREATE TRIGGER stockade_audit_checkpoint_inserts BEFORE INSERT ON stockade_audit_checkpoint
WHEN EXISTS (SELECT 1 FROM stockade_audit_checkpoint c WHERE c.size >= NEW.size)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: there is a later checkpoint');
END;

CREATE TRIGGER stockade_audit_checkpoint_updates BEFORE UPDATE ON stockade_audit_checkpoint
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: update refused');
END;

CREATE TRIGGER stockade_audit_checkpoint_deletes BEFORE DELETE ON stockade_audit_checkpoint
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only: delete refused');
END;
