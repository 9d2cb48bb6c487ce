//! Recovery codes, and second factors that are removed or replaced.

use sqlx::{SqliteConnection, query, query_scalar};

use super::{SqliteStore, store::failed, value::bytes};
use crate::{
    error::Result,
    id::UserId,
    store::{Digest, FactorStore, RecoveryStore},
};

impl RecoveryStore for SqliteStore {
    async fn put_recovery_codes(&self, user: UserId, codes: &[Digest]) -> Result<bool> {
        self.write(async {
            let mut tx = self.begin().await?;
            let active = "SELECT 1 FROM main.stockade_auth_totp WHERE user_id = ?1 AND active = 1";
            if query(active).bind(user.as_uuid()).fetch_optional(&mut *tx).await?.is_none() {
                return Ok(false);
            }
            forget_codes(&mut tx, user).await?;
            for code in codes {
                query("INSERT INTO main.stockade_auth_recovery (user_id, digest) VALUES (?1, ?2)")
                    .bind(user.as_uuid())
                    .bind(bytes(code))
                    .execute(&mut *tx)
                    .await?;
            }
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn consume_recovery_code(&self, user: UserId, candidates: &[Digest]) -> Result<Option<u32>> {
        self.write(async {
            let mut tx = self.begin().await?;
            let mut found = 0;
            for candidate in candidates {
                let done = query("DELETE FROM main.stockade_auth_recovery WHERE user_id = ?1 AND digest = ?2")
                    .bind(user.as_uuid())
                    .bind(bytes(candidate))
                    .execute(&mut *tx)
                    .await?;
                found += done.rows_affected();
            }
            let left = codes_left(&mut tx, user).await?;
            tx.commit().await?;
            Ok((found > 0).then_some(left))
        })
        .await
    }

    async fn recovery_codes_left(&self, user: UserId) -> Result<u32> {
        let mut connection = self.pool.acquire().await.map_err(failed)?;
        codes_left(&mut connection, user).await.map_err(failed)
    }
}

impl FactorStore for SqliteStore {
    async fn remove_totp(&self, user: UserId) -> Result<bool> {
        self.write(async {
            let mut tx = self.begin().await?;
            let removed = query("DELETE FROM main.stockade_auth_totp WHERE user_id = ?1").bind(user.as_uuid());
            if removed.execute(&mut *tx).await?.rows_affected() != 1 {
                return Ok(false);
            }
            forget_codes(&mut tx, user).await?;
            add_version(&mut tx, user).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn put_replacement_totp(&self, user: UserId, sealed_seed: &[u8]) -> Result<bool> {
        let put = query("UPDATE main.stockade_auth_totp SET replacement = ?2 WHERE user_id = ?1 AND active = 1")
            .bind(user.as_uuid())
            .bind(sealed_seed);
        Ok(self.write(put.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn replacement_totp(&self, user: UserId) -> Result<Option<Vec<u8>>> {
        let seed: Option<Option<Vec<u8>>> =
            query_scalar("SELECT replacement FROM main.stockade_auth_totp WHERE user_id = ?1")
                .bind(user.as_uuid())
                .fetch_optional(&self.pool)
                .await
                .map_err(failed)?;
        Ok(seed.flatten())
    }

    async fn swap_totp(&self, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
        self.write(async {
            let mut tx = self.begin().await?;
            let swapped = query(
                "UPDATE main.stockade_auth_totp SET sealed_seed = replacement, replacement = NULL, last_step = ?3
                 WHERE user_id = ?1 AND active = 1 AND replacement = ?2",
            )
            .bind(user.as_uuid())
            .bind(sealed_seed)
            .bind(step);
            if swapped.execute(&mut *tx).await?.rows_affected() != 1 {
                return Ok(false);
            }
            add_version(&mut tx, user).await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }
}

pub(super) async fn forget_codes(connection: &mut SqliteConnection, user: UserId) -> sqlx::Result<()> {
    let forget = query("DELETE FROM main.stockade_auth_recovery WHERE user_id = ?1").bind(user.as_uuid());
    forget.execute(connection).await.map(drop)
}

pub(super) async fn add_version(connection: &mut SqliteConnection, user: UserId) -> sqlx::Result<()> {
    let add = query("UPDATE main.stockade_auth_account SET version = version + 1 WHERE user_id = ?1");
    add.bind(user.as_uuid()).execute(connection).await.map(drop)
}

async fn codes_left(connection: &mut SqliteConnection, user: UserId) -> sqlx::Result<u32> {
    let count = query_scalar("SELECT count(*) FROM main.stockade_auth_recovery WHERE user_id = ?1");
    count.bind(user.as_uuid()).fetch_one(connection).await
}
