//! The columns of an API token.

use ipnet::IpNet;
use sqlx::{Row, sqlite::SqliteRow, types::Json};
use uuid::Uuid;

use super::super::value::{bytes, id, optional_time, parsed, time};
use crate::{
    id::ApiTokenId,
    store::{ApiTokenRecord, ApiTokenVerifier, Digest, FoundApiToken},
};

type Result<T> = sqlx::Result<T>;

pub(super) fn columns(verifier: &ApiTokenVerifier) -> (Option<u8>, Option<Vec<u8>>, Option<&str>) {
    match verifier {
        ApiTokenVerifier::Keyed { key, digest } => (Some(*key), Some(bytes(digest)), None),
        ApiTokenVerifier::LegacyHash(hash) => (None, None, Some(hash)),
    }
}

pub(super) fn texts(networks: &[IpNet]) -> Vec<String> {
    networks.iter().map(IpNet::to_string).collect()
}

pub(super) fn found(row: &SqliteRow) -> Result<FoundApiToken> {
    Ok(FoundApiToken { token: record(row)?, owner_is_active: row.try_get("owner_is_active")? })
}

pub(super) fn record(row: &SqliteRow) -> Result<ApiTokenRecord> {
    let last_used_ip: Option<&str> = row.try_get("last_used_ip")?;
    let Json(scopes) = row.try_get("scopes")?;
    Ok(ApiTokenRecord {
        id: id(row, "id")?,
        user: id(row, "user_id")?,
        tenant: id(row, "tenant_id")?,
        name: row.try_get("name")?,
        scopes,
        networks: networks(row, "networks")?,
        legacy_lookup: row.try_get("legacy_lookup")?,
        verifier: verifier(row)?,
        created_at: time(row, "created_at")?,
        expires_at: optional_time(row, "expires_at")?,
        last_used_at: optional_time(row, "last_used_at")?,
        last_used_ip: last_used_ip.map(parsed).transpose()?,
        seen: networks(row, "seen")?,
        rotated_to: row.try_get::<Option<Uuid>, _>("rotated_to")?.map(ApiTokenId::from),
        revoked_at: optional_time(row, "revoked_at")?,
    })
}

fn networks(row: &SqliteRow, column: &str) -> Result<Vec<IpNet>> {
    let Json(texts): Json<Vec<String>> = row.try_get(column)?;
    texts.iter().map(|text| parsed(text)).collect()
}

fn verifier(row: &SqliteRow) -> Result<ApiTokenVerifier> {
    if let Some(hash) = row.try_get("legacy_hash")? {
        return Ok(ApiTokenVerifier::LegacyHash(hash));
    }
    let digest = <[u8; 32]>::try_from(row.try_get::<&[u8], _>("digest")?);
    let digest = digest.map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(ApiTokenVerifier::Keyed { key: row.try_get("key_id")?, digest: Digest::from(digest) })
}
