//! API tokens.

mod record;

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use sqlx::{query, types::Json};

use self::record::{columns, found, record, texts};
use super::{SqliteStore, store::failed, value::micros};
use crate::{
    error::Result,
    id::ApiTokenId,
    session::Scope,
    store::{ApiTokenLookup, ApiTokenRecord, ApiTokenStore, ApiTokenSuccessor, ApiTokenVerifier, FoundApiToken},
};

impl ApiTokenStore for SqliteStore {
    async fn insert_api_token(&self, token: &ApiTokenRecord) -> Result<bool> {
        let (key, digest, bcrypt) = columns(&token.verifier);
        // A trigger ignores what collides.
        let insert = query(
            "INSERT INTO main.stockade_auth_api_token
                 (id, user_id, tenant_id, name, scopes, networks, legacy_lookup, key_id, digest, legacy_hash, created_at, expires_at)
             SELECT ?1, a.user_id, a.tenant_id, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12
             FROM main.stockade_auth_account a WHERE a.user_id = ?2 AND a.tenant_id = ?3 AND a.status = 'active'",
        )
        .bind(token.id.as_uuid())
        .bind(token.user.as_uuid())
        .bind(token.tenant.as_uuid())
        .bind(&token.name)
        .bind(Json(&token.scopes))
        .bind(Json(texts(&token.networks)))
        .bind(token.legacy_lookup.as_deref())
        .bind(key)
        .bind(digest)
        .bind(bcrypt)
        .bind(micros(token.created_at))
        .bind(token.expires_at.map(micros));
        Ok(self.write(insert.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn api_token(&self, by: ApiTokenLookup<'_>) -> Result<Option<FoundApiToken>> {
        let (id, name) = match by {
            ApiTokenLookup::Id(id) => (Some(id.as_uuid()), None),
            ApiTokenLookup::Legacy(name) => (None, Some(name)),
        };
        let row = query(
            "SELECT t.*, a.user_id IS NOT NULL AS owner_is_active
             FROM main.stockade_auth_api_token t
             LEFT JOIN main.stockade_auth_account a
                 ON a.user_id = t.user_id AND a.tenant_id = t.tenant_id AND a.status = 'active'
             WHERE t.id = ?1 OR t.legacy_lookup = ?2",
        )
        .bind(id)
        .bind(name)
        .fetch_optional(&self.pool)
        .await
        .map_err(failed)?;
        row.as_ref().map(found).transpose().map_err(failed)
    }

    async fn api_tokens(&self, within: Scope) -> Result<Vec<ApiTokenRecord>> {
        let (user, tenant) = within.ends();
        let rows = query(
            "SELECT t.* FROM main.stockade_auth_api_token t
             WHERE (?1 IS NULL OR t.user_id = ?1) AND (?2 IS NULL OR t.tenant_id = ?2) AND t.revoked_at IS NULL
             ORDER BY t.created_at DESC, t.id DESC",
        )
        .bind(user)
        .bind(tenant)
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        rows.iter().map(record).collect::<sqlx::Result<_>>().map_err(failed)
    }

    async fn touch_api_token(
        &self,
        id: ApiTokenId,
        now: DateTime<Utc>,
        ip: IpAddr,
        unless_after: DateTime<Utc>,
    ) -> Result<bool> {
        let touch = query(
            "UPDATE main.stockade_auth_api_token SET last_used_at = ?2, last_used_ip = ?3
             WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at <= ?4) AND revoked_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(micros(now))
        .bind(ip.to_string())
        .bind(micros(unless_after));
        Ok(self.write(touch.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn note_api_token_network(&self, id: ApiTokenId, network: IpNet, most: usize) -> Result<bool> {
        let network = network.to_string();
        self.write(async {
            let mut tx = self.begin().await?;
            let seen = "SELECT seen FROM main.stockade_auth_api_token WHERE id = ?1 AND revoked_at IS NULL";
            let seen: Option<Json<Vec<String>>> =
                sqlx::query_scalar(seen).bind(id.as_uuid()).fetch_optional(&mut *tx).await?;
            let Some(Json(mut seen)) = seen.filter(|seen| !seen.0.contains(&network)) else { return Ok(false) };
            seen.push(network);
            seen.drain(..seen.len().saturating_sub(most));
            query("UPDATE main.stockade_auth_api_token SET seen = ?2 WHERE id = ?1")
                .bind(id.as_uuid())
                .bind(Json(seen))
                .execute(&mut *tx)
                .await?;
            tx.commit().await?;
            Ok(true)
        })
        .await
    }

    async fn replace_api_token_verifier(
        &self,
        id: ApiTokenId,
        old: &ApiTokenVerifier,
        new: &ApiTokenVerifier,
    ) -> Result<bool> {
        let (_, old_digest, old_bcrypt) = columns(old);
        let (key, digest, bcrypt) = columns(new);
        let replace = query(
            "UPDATE main.stockade_auth_api_token SET key_id = ?4, digest = ?5, legacy_hash = ?6
             WHERE id = ?1 AND (digest = ?2 OR legacy_hash = ?3) AND revoked_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(old_digest)
        .bind(old_bcrypt)
        .bind(key)
        .bind(digest)
        .bind(bcrypt);
        Ok(self.write(replace.execute(&self.pool)).await?.rows_affected() == 1)
    }

    async fn rotate_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        successor: &ApiTokenSuccessor,
        old_ends: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiTokenRecord>> {
        let (user, tenant) = within.ends();
        let (key, digest, bcrypt) = columns(&successor.verifier);
        let fresh = self.write(async {
            let mut tx = self.begin().await?;
            let old = query(
                "UPDATE main.stockade_auth_api_token AS t
                 SET rotated_to = ?4, expires_at = min(coalesce(t.expires_at, ?5), ?5)
                 WHERE t.id = ?1 AND (?2 IS NULL OR t.user_id = ?2) AND (?3 IS NULL OR t.tenant_id = ?3)
                   AND t.revoked_at IS NULL AND t.rotated_to IS NULL AND (t.expires_at IS NULL OR t.expires_at > ?6)
                   AND EXISTS (SELECT 1 FROM main.stockade_auth_account a
                               WHERE a.user_id = t.user_id AND a.tenant_id = t.tenant_id AND a.status = 'active')",
            )
            .bind(id.as_uuid())
            .bind(user)
            .bind(tenant)
            .bind(successor.id.as_uuid())
            .bind(micros(old_ends))
            .bind(micros(now));
            if old.execute(&mut *tx).await?.rows_affected() != 1 {
                return Ok(None);
            }
            let fresh = query(
                "INSERT INTO main.stockade_auth_api_token
                     (id, user_id, tenant_id, name, scopes, networks, key_id, digest, legacy_hash, created_at, expires_at, seen)
                 SELECT ?2, o.user_id, o.tenant_id, o.name, o.scopes, o.networks, ?3, ?4, ?5, ?7, ?6, o.seen
                 FROM main.stockade_auth_api_token o WHERE o.id = ?1
                 RETURNING *",
            )
            .bind(id.as_uuid())
            .bind(successor.id.as_uuid())
            .bind(key)
            .bind(digest)
            .bind(bcrypt)
            .bind(successor.expires_at.map(micros))
            .bind(micros(now));
            // Nothing is kept if the successor's name is taken.
            let fresh = fresh.fetch_all(&mut *tx).await?.pop().ok_or(sqlx::Error::RowNotFound)?;
            tx.commit().await?;
            Ok(Some(fresh))
        });
        fresh.await?.as_ref().map(record).transpose().map_err(failed)
    }

    async fn narrow_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        scopes: &[String],
    ) -> Result<Option<ApiTokenRecord>> {
        let (user, tenant) = within.ends();
        let narrow = query(
            "UPDATE main.stockade_auth_api_token AS t SET scopes = ?4
             WHERE t.id = ?1 AND (?2 IS NULL OR t.user_id = ?2) AND (?3 IS NULL OR t.tenant_id = ?3)
               AND t.revoked_at IS NULL AND NOT EXISTS (
                   SELECT 1 FROM json_each(?4) n WHERE n.value NOT IN (SELECT o.value FROM json_each(t.scopes) o))
             RETURNING *",
        )
        .bind(id.as_uuid())
        .bind(user)
        .bind(tenant)
        .bind(Json(scopes));
        let rows = self.write(narrow.fetch_all(&self.pool)).await?;
        rows.first().map(record).transpose().map_err(failed)
    }

    async fn revoke_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiTokenRecord>> {
        let (user, tenant) = within.ends();
        let revoke = query(
            "UPDATE main.stockade_auth_api_token AS t SET revoked_at = ?4
             WHERE t.id = ?1 AND (?2 IS NULL OR t.user_id = ?2) AND (?3 IS NULL OR t.tenant_id = ?3)
               AND t.revoked_at IS NULL
             RETURNING *",
        )
        .bind(id.as_uuid())
        .bind(user)
        .bind(tenant)
        .bind(micros(now));
        let rows = self.write(revoke.fetch_all(&self.pool)).await?;
        rows.first().map(record).transpose().map_err(failed)
    }

    async fn revoke_api_tokens(&self, within: Scope, now: DateTime<Utc>) -> Result<u64> {
        let (user, tenant) = within.ends();
        let revoke = query(
            "UPDATE main.stockade_auth_api_token AS t SET revoked_at = ?3
             WHERE (?1 IS NULL OR t.user_id = ?1) AND (?2 IS NULL OR t.tenant_id = ?2) AND t.revoked_at IS NULL",
        )
        .bind(user)
        .bind(tenant)
        .bind(micros(now));
        Ok(self.write(revoke.execute(&self.pool)).await?.rows_affected())
    }
}
