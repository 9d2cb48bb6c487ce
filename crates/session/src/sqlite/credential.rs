//! Step-up, and the change of passwords and identifiers.

use chrono::{DateTime, Utc};
use sqlx::{Row, query, query_scalar};
use uuid::Uuid;

use super::{
    SqliteStore, session,
    store::failed,
    value::{bytes, id, micros, versions},
};
use crate::{
    error::Result,
    id::UserId,
    store::{
        CredentialStore, Digest, IdentifierChangeRecord, IdentifierConfirmation, ResetRecord, SessionRecord, Versions,
    },
};

const VERSIONS: &str = "
SELECT a.version AS user_version, coalesce(t.version, 0) AS tenant_version, coalesce(g.version, 0) AS global_version
FROM main.stockade_auth_account a
LEFT JOIN main.stockade_auth_version t ON t.scope = 'tenant' AND t.id = a.tenant_id
LEFT JOIN main.stockade_auth_version g ON g.scope = 'global' AND g.id = x'00000000000000000000000000000000'
WHERE a.user_id = ?1";

// The change that a digest confirms a side of, and what it would then be.
const CHANGE: &str = "
SELECT c.user_id, c.new_identifier, (c.old_confirmed OR c.old_digest IS ?1) AND (c.new_confirmed OR c.new_digest = ?1) AS complete,
    EXISTS (SELECT 1 FROM main.stockade_auth_account o WHERE o.identifier = c.new_identifier AND o.user_id <> c.user_id) AS taken
FROM main.stockade_auth_identifier_change c
JOIN main.stockade_auth_account a ON a.user_id = c.user_id AND a.version = c.user_version AND a.status = 'active'
WHERE (c.old_digest = ?1 OR c.new_digest = ?1) AND c.expires_at > ?2";

impl CredentialStore for SqliteStore {
    async fn step_up(&self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        self.write(session::replace(&self.pool, old, new, now, Some(now))).await
    }

    async fn change_password(&self, user: UserId, old: &str, new: &str) -> Result<Option<Versions>> {
        self.write(async {
            let mut tx = self.begin().await?;
            let changed = query(
                "UPDATE main.stockade_auth_account SET password_hash = ?3, version = version + 1
                 WHERE user_id = ?1 AND password_hash = ?2 AND status = 'active'",
            )
            .bind(user.as_uuid())
            .bind(old)
            .bind(new);
            if changed.execute(&mut *tx).await?.rows_affected() != 1 {
                return Ok(None);
            }
            let row = query(VERSIONS).bind(user.as_uuid()).fetch_one(&mut *tx).await?;
            tx.commit().await?;
            versions(&row).map(Some)
        })
        .await
    }

    async fn insert_reset(&self, digest: &Digest, reset: &ResetRecord) -> Result<()> {
        let insert = query(
            "INSERT INTO main.stockade_auth_reset (digest, user_id, user_version, expires_at) VALUES (?1, ?2, ?3, ?4)",
        )
        .bind(bytes(digest))
        .bind(reset.user.map(UserId::as_uuid))
        .bind(reset.user_version)
        .bind(micros(reset.expires_at));
        self.write(insert.execute(&self.pool)).await.map(drop)
    }

    async fn reset(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<UserId>> {
        let user: Option<Uuid> = query_scalar(
            "SELECT a.user_id FROM main.stockade_auth_reset r
             JOIN main.stockade_auth_account a
                 ON a.user_id = r.user_id AND a.version = r.user_version AND a.status = 'active'
             WHERE r.digest = ?1 AND r.expires_at > ?2",
        )
        .bind(bytes(digest))
        .bind(micros(now))
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        Ok(user.map(UserId::from))
    }

    async fn redeem_reset(&self, digest: &Digest, new_hash: &str, now: DateTime<Utc>) -> Result<bool> {
        let redeem = query(
            "UPDATE main.stockade_auth_account SET password_hash = ?2, version = version + 1
             WHERE status = 'active' AND (user_id, version) IN (
                 SELECT r.user_id, r.user_version FROM main.stockade_auth_reset r WHERE r.digest = ?1 AND r.expires_at > ?3)",
        )
        .bind(bytes(digest))
        .bind(new_hash)
        .bind(micros(now));
        Ok(self.write(redeem.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn put_identifier_change(&self, change: &IdentifierChangeRecord) -> Result<bool> {
        let put = query(
            "INSERT INTO main.stockade_auth_identifier_change
                 (user_id, user_version, new_identifier, old_digest, new_digest, old_confirmed, new_confirmed, expires_at)
             SELECT a.user_id, ?2, ?3, ?4, ?5, ?4 IS NULL, 0, ?6
             FROM main.stockade_auth_account a WHERE a.user_id = ?1 AND a.status = 'active'
             ON CONFLICT (user_id) DO UPDATE
             SET user_version = excluded.user_version, new_identifier = excluded.new_identifier,
                 old_digest = excluded.old_digest, new_digest = excluded.new_digest,
                 old_confirmed = excluded.old_confirmed, new_confirmed = excluded.new_confirmed,
                 expires_at = excluded.expires_at",
        )
        .bind(change.user.as_uuid())
        .bind(change.user_version)
        .bind(&change.identifier)
        .bind(change.old.as_ref().map(bytes))
        .bind(bytes(&change.new))
        .bind(micros(change.expires_at));
        Ok(self.write(put.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn confirm_identifier_change(&self, digest: &Digest, now: DateTime<Utc>) -> Result<IdentifierConfirmation> {
        self.write(async {
            let mut tx = self.begin().await?;
            let row = query(CHANGE).bind(bytes(digest)).bind(micros(now)).fetch_optional(&mut *tx).await?;
            let Some(row) = row else { return Ok(IdentifierConfirmation::Ended) };
            let (user, identifier): (UserId, String) = (id(&row, "user_id")?, row.try_get("new_identifier")?);
            let (sql, outcome) = match (row.try_get("complete")?, row.try_get("taken")?) {
                (true, true) => return Ok(IdentifierConfirmation::Taken),
                (true, false) => (
                    "UPDATE main.stockade_auth_account SET identifier = ?2, version = version + 1 WHERE user_id = ?1",
                    IdentifierConfirmation::Changed(user),
                ),
                (false, _) => (
                    "UPDATE main.stockade_auth_identifier_change
                     SET old_confirmed = old_confirmed OR old_digest IS ?3, new_confirmed = new_confirmed OR new_digest = ?3
                     WHERE user_id = ?1 AND new_identifier = ?2",
                    IdentifierConfirmation::Waiting,
                ),
            };
            query(sql).bind(user.as_uuid()).bind(identifier).bind(bytes(digest)).execute(&mut *tx).await?;
            tx.commit().await?;
            Ok(outcome)
        })
        .await
    }
}
