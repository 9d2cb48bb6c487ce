-- Impersonations that have ended may be removed by a sweep. One that is under way stays.
DROP TRIGGER stockade_auth_impersonation_deletes;
CREATE TRIGGER stockade_auth_impersonation_deletes BEFORE DELETE ON stockade_auth_impersonation
WHEN OLD.ended_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'an impersonation under way stays on record');
END;
