//! API tokens.

use std::{net::IpAddr, str::FromStr};

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use sqlx::{Row, postgres::PgRow, query};
use uuid::Uuid;

use super::store::{PgStore, failed};
use crate::{
    error::Result,
    id::ApiTokenId,
    session::Scope,
    store::{
        ApiTokenLookup, ApiTokenRecord, ApiTokenStore, ApiTokenSuccessor, ApiTokenVerifier, Digest, FoundApiToken,
    },
};

impl ApiTokenStore for PgStore {
    async fn insert_api_token(&self, token: &ApiTokenRecord) -> Result<bool> {
        let (key, digest, bcrypt) = columns(&token.verifier);
        let done = query(
            "INSERT INTO stockade.auth_api_token
                 (id, user_id, tenant_id, name, scopes, networks, legacy_lookup, key_id, digest, legacy_hash, created_at, expires_at)
             SELECT $1, a.user_id, a.tenant_id, $4, $5, $6, $7, $8, $9, $10, $11, $12
             FROM stockade.auth_active_account a WHERE a.user_id = $2 AND a.tenant_id = $3
             ON CONFLICT DO NOTHING",
        )
        .bind(token.id.as_uuid())
        .bind(token.user.as_uuid())
        .bind(token.tenant.as_uuid())
        .bind(&token.name)
        .bind(&token.scopes)
        .bind(texts(&token.networks))
        .bind(token.legacy_lookup.as_deref())
        .bind(key)
        .bind(digest)
        .bind(bcrypt)
        .bind(token.created_at)
        .bind(token.expires_at)
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    async fn api_token(&self, by: ApiTokenLookup<'_>) -> Result<Option<FoundApiToken>> {
        let (id, name) = match by {
            ApiTokenLookup::Id(id) => (Some(id.as_uuid()), None),
            ApiTokenLookup::Legacy(name) => (None, Some(name)),
        };
        let row = query(
            "SELECT t.*, a.user_id IS NOT NULL AS owner_is_active
             FROM stockade.auth_api_token t
             LEFT JOIN stockade.auth_active_account a ON a.user_id = t.user_id AND a.tenant_id = t.tenant_id
             WHERE t.id = $1 OR t.legacy_lookup = $2",
        )
        .bind(id)
        .bind(name)
        .fetch_optional(self.pool())
        .await
        .map_err(failed)?;
        let found = |row: &PgRow| -> sqlx::Result<_> {
            Ok(FoundApiToken { token: record(row)?, owner_is_active: row.try_get("owner_is_active")? })
        };
        row.as_ref().map(found).transpose().map_err(failed)
    }

    async fn api_tokens(&self, within: Scope) -> Result<Vec<ApiTokenRecord>> {
        let (user, tenant) = within.ends();
        let rows = query(
            "SELECT t.* FROM stockade.auth_api_token t
             WHERE ($1::uuid IS NULL OR t.user_id = $1) AND ($2::uuid IS NULL OR t.tenant_id = $2) AND t.revoked_at IS NULL
             ORDER BY t.created_at DESC, t.id DESC",
        )
        .bind(user)
        .bind(tenant)
        .fetch_all(self.pool())
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
        let done = query(
            "UPDATE stockade.auth_api_token SET last_used_at = $2, last_used_ip = $3
             WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $4) AND revoked_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(now)
        .bind(ip.to_string())
        .bind(unless_after)
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    async fn note_api_token_network(&self, id: ApiTokenId, network: IpNet, most: usize) -> Result<bool> {
        let done = query(
            "UPDATE stockade.auth_api_token
             SET seen = (seen || $2)[greatest(1, cardinality(seen) + 2 - $3):]
             WHERE id = $1 AND NOT $2 = ANY (seen) AND revoked_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(network.to_string())
        .bind(i32::try_from(most).unwrap_or(i32::MAX))
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
    }

    async fn replace_api_token_verifier(
        &self,
        id: ApiTokenId,
        old: &ApiTokenVerifier,
        new: &ApiTokenVerifier,
    ) -> Result<bool> {
        let (_, old_digest, old_bcrypt) = columns(old);
        let (key, digest, bcrypt) = columns(new);
        let done = query(
            "UPDATE stockade.auth_api_token SET key_id = $4, digest = $5, legacy_hash = $6
             WHERE id = $1 AND (digest = $2 OR legacy_hash = $3) AND revoked_at IS NULL",
        )
        .bind(id.as_uuid())
        .bind(old_digest)
        .bind(old_bcrypt)
        .bind(key)
        .bind(digest)
        .bind(bcrypt)
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected() == 1)
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
        let row = query(
            "WITH old AS (
                 UPDATE stockade.auth_api_token t
                 SET rotated_to = $4, expires_at = least(t.expires_at, $9)
                 WHERE t.id = $1 AND ($2::uuid IS NULL OR t.user_id = $2) AND ($3::uuid IS NULL OR t.tenant_id = $3)
                   AND t.revoked_at IS NULL AND t.rotated_to IS NULL AND (t.expires_at IS NULL OR t.expires_at > $10)
                   AND EXISTS (SELECT FROM stockade.auth_active_account a
                               WHERE a.user_id = t.user_id AND a.tenant_id = t.tenant_id)
                 RETURNING t.*
             )
             INSERT INTO stockade.auth_api_token AS fresh
                 (id, user_id, tenant_id, name, scopes, networks, key_id, digest, legacy_hash, created_at, expires_at, seen)
             SELECT $4, o.user_id, o.tenant_id, o.name, o.scopes, o.networks, $5, $6, $7, $10, $8, o.seen FROM old o
             RETURNING fresh.*",
        )
        .bind(id.as_uuid())
        .bind(user)
        .bind(tenant)
        .bind(successor.id.as_uuid())
        .bind(key)
        .bind(digest)
        .bind(bcrypt)
        .bind(successor.expires_at)
        .bind(old_ends)
        .bind(now)
        .fetch_optional(self.pool())
        .await
        .map_err(failed)?;
        row.as_ref().map(record).transpose().map_err(failed)
    }

    async fn narrow_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        scopes: &[String],
    ) -> Result<Option<ApiTokenRecord>> {
        let (user, tenant) = within.ends();
        let row = query(
            "UPDATE stockade.auth_api_token t SET scopes = $4
             WHERE t.id = $1 AND ($2::uuid IS NULL OR t.user_id = $2) AND ($3::uuid IS NULL OR t.tenant_id = $3)
               AND t.scopes @> $4 AND t.revoked_at IS NULL
             RETURNING t.*",
        )
        .bind(id.as_uuid())
        .bind(user)
        .bind(tenant)
        .bind(scopes)
        .fetch_optional(self.pool())
        .await
        .map_err(failed)?;
        row.as_ref().map(record).transpose().map_err(failed)
    }

    async fn revoke_api_token(
        &self,
        within: Scope,
        id: ApiTokenId,
        now: DateTime<Utc>,
    ) -> Result<Option<ApiTokenRecord>> {
        let (user, tenant) = within.ends();
        let row = query(
            "UPDATE stockade.auth_api_token t SET revoked_at = $4
             WHERE t.id = $1 AND ($2::uuid IS NULL OR t.user_id = $2) AND ($3::uuid IS NULL OR t.tenant_id = $3)
               AND t.revoked_at IS NULL
             RETURNING t.*",
        )
        .bind(id.as_uuid())
        .bind(user)
        .bind(tenant)
        .bind(now)
        .fetch_optional(self.pool())
        .await
        .map_err(failed)?;
        row.as_ref().map(record).transpose().map_err(failed)
    }

    async fn revoke_api_tokens(&self, within: Scope, now: DateTime<Utc>) -> Result<u64> {
        let (user, tenant) = within.ends();
        let done = query(
            "UPDATE stockade.auth_api_token t SET revoked_at = $3
             WHERE ($1::uuid IS NULL OR t.user_id = $1) AND ($2::uuid IS NULL OR t.tenant_id = $2) AND t.revoked_at IS NULL",
        )
        .bind(user)
        .bind(tenant)
        .bind(now)
        .execute(self.pool())
        .await
        .map_err(failed)?;
        Ok(done.rows_affected())
    }
}

fn columns(verifier: &ApiTokenVerifier) -> (Option<i16>, Option<&[u8]>, Option<&str>) {
    match verifier {
        ApiTokenVerifier::Keyed { key, digest } => (Some((*key).into()), Some(digest.as_bytes()), None),
        ApiTokenVerifier::LegacyHash(hash) => (None, None, Some(hash)),
    }
}

fn texts(networks: &[IpNet]) -> Vec<String> {
    networks.iter().map(IpNet::to_string).collect()
}

fn record(row: &PgRow) -> sqlx::Result<ApiTokenRecord> {
    let last_used_ip: Option<String> = row.try_get("last_used_ip")?;
    Ok(ApiTokenRecord {
        id: row.try_get::<Uuid, _>("id")?.into(),
        user: row.try_get::<Uuid, _>("user_id")?.into(),
        tenant: row.try_get::<Uuid, _>("tenant_id")?.into(),
        name: row.try_get("name")?,
        scopes: row.try_get("scopes")?,
        networks: networks(row, "networks")?,
        legacy_lookup: row.try_get("legacy_lookup")?,
        verifier: verifier(row)?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        last_used_at: row.try_get("last_used_at")?,
        last_used_ip: last_used_ip.map(|ip| parsed(&ip)).transpose()?,
        seen: networks(row, "seen")?,
        rotated_to: row.try_get::<Option<Uuid>, _>("rotated_to")?.map(ApiTokenId::from),
        revoked_at: row.try_get("revoked_at")?,
    })
}

fn networks(row: &PgRow, column: &str) -> sqlx::Result<Vec<IpNet>> {
    row.try_get::<Vec<String>, _>(column)?.iter().map(|text| parsed(text)).collect()
}

fn verifier(row: &PgRow) -> sqlx::Result<ApiTokenVerifier> {
    if let Some(hash) = row.try_get("legacy_hash")? {
        return Ok(ApiTokenVerifier::LegacyHash(hash));
    }
    let key = u8::try_from(row.try_get::<i16, _>("key_id")?).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let digest: [u8; 32] = row.try_get("digest")?;
    Ok(ApiTokenVerifier::Keyed { key, digest: Digest::from(digest) })
}

fn parsed<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> sqlx::Result<T> {
    text.parse().map_err(|error: T::Err| sqlx::Error::Decode(error.into()))
}
