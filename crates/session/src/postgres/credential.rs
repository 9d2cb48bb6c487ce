//! Step-up, and the change of passwords and identifiers.

use chrono::{DateTime, Utc};
use sqlx::{Row, query, query_scalar};
use uuid::Uuid;

use super::{PgStore, account::versions, session::record, store::failed};
use crate::{
    error::Result,
    id::UserId,
    store::{
        CredentialStore, Digest, IdentifierChangeRecord, IdentifierConfirmation, ResetRecord, SessionRecord, Versions,
    },
};

impl CredentialStore for PgStore {
    async fn step_up(&self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        let row = query(
            "WITH live AS MATERIALIZED (SELECT * FROM stockade.auth_resolve($1, $3)),
                  changed AS (
                      UPDATE stockade.auth_session s SET digest = $2, last_seen_at = $3, stepped_up_at = $3 FROM live
                      WHERE s.sid = live.sid AND s.digest = $1 AND s.revoked_at IS NULL
                      RETURNING s.sid, s.stepped_up_at
                  )
             SELECT live.sid, live.user_id, live.tenant_id, live.user_version, live.tenant_version, live.global_version,
                    live.assurance, changed.stepped_up_at AS authenticated_at, changed.stepped_up_at AS last_seen_at,
                    live.idle_seconds, live.expires_at, live.ip, live.user_agent, live.mfa_required_from
             FROM live JOIN changed ON changed.sid = live.sid",
        )
        .bind(old.as_bytes().as_slice())
        .bind(new.as_bytes().as_slice())
        .bind(now)
        .fetch_optional(&self.0)
        .await
        .map_err(failed)?;
        row.as_ref().map(record).transpose().map_err(failed)
    }

    async fn change_password(&self, user: UserId, old: &str, new: &str) -> Result<Option<Versions>> {
        let row = query(
            "WITH changed AS (
                 UPDATE stockade.auth_account SET password_hash = $3, version = version + 1
                 WHERE user_id = $1 AND password_hash = $2 AND status = 'active'
                 RETURNING tenant_id, version
             )
             SELECT a.version AS user_version, coalesce(t.version, 0) AS tenant_version,
                    coalesce(g.version, 0) AS global_version
             FROM changed a
             LEFT JOIN stockade.auth_version t ON t.scope = 'tenant' AND t.id = a.tenant_id
             LEFT JOIN stockade.auth_version g
                 ON g.scope = 'global' AND g.id = '00000000-0000-0000-0000-000000000000'",
        )
        .bind(user.as_uuid())
        .bind(old)
        .bind(new)
        .fetch_optional(&self.0)
        .await
        .map_err(failed)?;
        row.as_ref().map(versions).transpose().map_err(failed)
    }

    async fn insert_reset(&self, digest: &Digest, reset: &ResetRecord) -> Result<()> {
        query("INSERT INTO stockade.auth_reset (digest, user_id, user_version, expires_at) VALUES ($1, $2, $3, $4)")
            .bind(digest.as_bytes().as_slice())
            .bind(reset.user.map(UserId::as_uuid))
            .bind(reset.user_version)
            .bind(reset.expires_at)
            .execute(&self.0)
            .await
            .map(drop)
            .map_err(failed)
    }

    async fn reset(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<UserId>> {
        let user: Option<Uuid> = query_scalar(
            "SELECT a.user_id FROM stockade.auth_reset r
             JOIN stockade.auth_account a
                 ON a.user_id = r.user_id AND a.version = r.user_version AND a.status = 'active'
             WHERE r.digest = $1 AND r.expires_at > $2",
        )
        .bind(digest.as_bytes().as_slice())
        .bind(now)
        .fetch_optional(&self.0)
        .await
        .map_err(failed)?;
        Ok(user.map(UserId::from))
    }

    async fn redeem_reset(&self, digest: &Digest, new_hash: &str, now: DateTime<Utc>) -> Result<bool> {
        // The version is the compare-and-swap: whoever waits for the row finds another one there.
        let done = query(
            "UPDATE stockade.auth_account a SET password_hash = $2, version = a.version + 1
             FROM stockade.auth_reset r
             WHERE r.digest = $1 AND r.expires_at > $3
               AND a.user_id = r.user_id AND a.version = r.user_version AND a.status = 'active'",
        )
        .bind(digest.as_bytes().as_slice())
        .bind(new_hash)
        .bind(now)
        .execute(&self.0)
        .await;
        Ok(done.map_err(failed)?.rows_affected() == 1)
    }

    async fn put_identifier_change(&self, change: &IdentifierChangeRecord) -> Result<bool> {
        let done = query(
            "INSERT INTO stockade.auth_identifier_change
                 (user_id, user_version, new_identifier, old_digest, new_digest, old_confirmed, new_confirmed, expires_at)
             SELECT a.user_id, $2, $3, $4, $5, $4::bytea IS NULL, false, $6
             FROM stockade.auth_account a WHERE a.user_id = $1 AND a.status = 'active'
             ON CONFLICT (user_id) DO UPDATE
             SET user_version = excluded.user_version, new_identifier = excluded.new_identifier,
                 old_digest = excluded.old_digest, new_digest = excluded.new_digest,
                 old_confirmed = excluded.old_confirmed, new_confirmed = excluded.new_confirmed,
                 expires_at = excluded.expires_at",
        )
        .bind(change.user.as_uuid())
        .bind(change.user_version)
        .bind(&change.identifier)
        .bind(change.old.as_ref().map(|digest| digest.as_bytes().as_slice()))
        .bind(change.new.as_bytes().as_slice())
        .bind(change.expires_at)
        .execute(&self.0)
        .await;
        Ok(done.map_err(failed)?.rows_affected() == 1)
    }

    async fn confirm_identifier_change(&self, digest: &Digest, now: DateTime<Utc>) -> Result<IdentifierConfirmation> {
        let row = query(
            "WITH confirmed AS (
                 UPDATE stockade.auth_identifier_change c
                 SET old_confirmed = c.old_confirmed OR c.old_digest = $1,
                     new_confirmed = c.new_confirmed OR c.new_digest = $1
                 FROM stockade.auth_account a
                 WHERE (c.old_digest = $1 OR c.new_digest = $1) AND c.expires_at > $2
                   AND a.user_id = c.user_id AND a.version = c.user_version AND a.status = 'active'
                 RETURNING c.user_id, c.user_version, c.new_identifier, c.old_confirmed AND c.new_confirmed AS complete
             ), changed AS (
                 UPDATE stockade.auth_account a SET identifier = c.new_identifier, version = a.version + 1
                 FROM confirmed c
                 WHERE c.complete AND a.user_id = c.user_id AND a.version = c.user_version AND a.status = 'active'
                 RETURNING a.user_id
             )
             SELECT c.user_id, c.complete, EXISTS (SELECT FROM changed) AS changed FROM confirmed c",
        )
        .bind(digest.as_bytes().as_slice())
        .bind(now)
        .fetch_optional(&self.0)
        .await;
        let row = match row {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Ok(IdentifierConfirmation::Taken);
            }
            row => row.map_err(failed)?,
        };
        let Some(row) = row else { return Ok(IdentifierConfirmation::Ended) };
        let state = (row.try_get("complete").map_err(failed)?, row.try_get("changed").map_err(failed)?);
        Ok(match state {
            (false, _) => IdentifierConfirmation::Waiting,
            (true, true) => IdentifierConfirmation::Changed(row.try_get::<Uuid, _>("user_id").map_err(failed)?.into()),
            (true, false) => IdentifierConfirmation::Ended,
        })
    }
}
