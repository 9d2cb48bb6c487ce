//! Columns to values and back.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use sqlx::{Row, sqlite::SqliteRow};
use uuid::Uuid;

use crate::store::{Digest, Versions};

type Result<T> = sqlx::Result<T>;

/// A time as it is stored: microseconds since 1970.
pub(super) fn micros(time: DateTime<Utc>) -> i64 {
    time.timestamp_micros()
}

pub(super) fn bytes(digest: &Digest) -> Vec<u8> {
    digest.as_bytes().to_vec()
}

pub(super) fn digest(row: &SqliteRow, column: &str) -> Result<Digest> {
    let bytes: &[u8] = row.try_get(column)?;
    let bytes = <[u8; 32]>::try_from(bytes).map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(bytes.into())
}

pub(super) fn time(row: &SqliteRow, column: &str) -> Result<DateTime<Utc>> {
    at(row.try_get(column)?)
}

pub(super) fn optional_time(row: &SqliteRow, column: &str) -> Result<Option<DateTime<Utc>>> {
    row.try_get::<Option<i64>, _>(column)?.map(at).transpose()
}

pub(super) fn at(micros: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| sqlx::Error::Decode("a time out of range".into()))
}

pub(super) fn parsed<T: FromStr<Err: std::error::Error + Send + Sync + 'static>>(text: &str) -> Result<T> {
    text.parse().map_err(|error: T::Err| sqlx::Error::Decode(error.into()))
}

pub(super) fn id<T: From<Uuid>>(row: &SqliteRow, column: &str) -> Result<T> {
    Ok(row.try_get::<Uuid, _>(column)?.into())
}

pub(super) fn versions(row: &SqliteRow) -> Result<Versions> {
    Ok(Versions {
        user: row.try_get("user_version")?,
        tenant: row.try_get("tenant_version")?,
        global: row.try_get("global_version")?,
    })
}
