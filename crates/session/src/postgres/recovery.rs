//! Recovery codes, and second factors that are removed or replaced.

use sqlx::{query, query_scalar};

use super::{PgStore, store::failed};
use crate::{
    error::Result,
    id::UserId,
    store::{Digest, FactorStore, RecoveryStore},
};

impl RecoveryStore for PgStore {
    async fn put_recovery_codes(&self, user: UserId, codes: &[Digest]) -> Result<bool> {
        let done = query(
            "INSERT INTO stockade.auth_recovery (user_id, digests)
             SELECT f.user_id, $2 FROM stockade.auth_totp f WHERE f.user_id = $1 AND f.active
             ON CONFLICT (user_id) DO UPDATE SET digests = excluded.digests",
        )
        .bind(user.as_uuid())
        .bind(bytes(codes))
        .execute(&self.0)
        .await;
        Ok(done.map_err(failed)?.rows_affected() == 1)
    }

    async fn consume_recovery_code(&self, user: UserId, candidates: &[Digest]) -> Result<Option<u32>> {
        let left: Option<i32> = query_scalar(
            "UPDATE stockade.auth_recovery r
             SET digests = ARRAY(SELECT d FROM unnest(r.digests) d WHERE d <> ALL ($2::bytea[]))
             WHERE r.user_id = $1 AND r.digests && $2::bytea[]
             RETURNING cardinality(r.digests)",
        )
        .bind(user.as_uuid())
        .bind(bytes(candidates))
        .fetch_optional(&self.0)
        .await
        .map_err(failed)?;
        Ok(left.map(|left| u32::try_from(left).unwrap_or(0)))
    }

    async fn recovery_codes_left(&self, user: UserId) -> Result<u32> {
        let left: Option<i32> =
            query_scalar("SELECT cardinality(digests) FROM stockade.auth_recovery WHERE user_id = $1")
                .bind(user.as_uuid())
                .fetch_optional(&self.0)
                .await
                .map_err(failed)?;
        Ok(left.and_then(|left| u32::try_from(left).ok()).unwrap_or(0))
    }
}

impl FactorStore for PgStore {
    async fn remove_totp(&self, user: UserId) -> Result<bool> {
        let done = query(
            "WITH removed AS (DELETE FROM stockade.auth_totp WHERE user_id = $1 RETURNING user_id),
                  codes AS (DELETE FROM stockade.auth_recovery r USING removed f WHERE r.user_id = f.user_id)
             UPDATE stockade.auth_account a SET version = a.version + 1 FROM removed f WHERE a.user_id = f.user_id",
        )
        .bind(user.as_uuid())
        .execute(&self.0)
        .await;
        Ok(done.map_err(failed)?.rows_affected() == 1)
    }

    async fn put_replacement_totp(&self, user: UserId, sealed_seed: &[u8]) -> Result<bool> {
        let done = query("UPDATE stockade.auth_totp SET replacement = $2 WHERE user_id = $1 AND active")
            .bind(user.as_uuid())
            .bind(sealed_seed)
            .execute(&self.0)
            .await;
        Ok(done.map_err(failed)?.rows_affected() == 1)
    }

    async fn replacement_totp(&self, user: UserId) -> Result<Option<Vec<u8>>> {
        let seed = query_scalar("SELECT replacement FROM stockade.auth_totp WHERE user_id = $1")
            .bind(user.as_uuid())
            .fetch_optional(&self.0)
            .await;
        Ok(seed.map_err(failed)?.flatten())
    }

    async fn swap_totp(&self, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
        let done = query(
            "WITH swapped AS (
                 UPDATE stockade.auth_totp SET sealed_seed = replacement, replacement = NULL, last_step = $3
                 WHERE user_id = $1 AND active AND replacement = $2
                 RETURNING user_id
             )
             UPDATE stockade.auth_account a SET version = a.version + 1 FROM swapped f WHERE a.user_id = f.user_id",
        )
        .bind(user.as_uuid())
        .bind(sealed_seed)
        .bind(step)
        .execute(&self.0)
        .await;
        Ok(done.map_err(failed)?.rows_affected() == 1)
    }
}

fn bytes(digests: &[Digest]) -> Vec<&[u8]> {
    digests.iter().map(|digest| digest.as_bytes().as_slice()).collect()
}
