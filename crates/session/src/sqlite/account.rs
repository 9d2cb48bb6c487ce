//! Accounts, second factors and versions.

use sqlx::{Row, SqlitePool, query};
use uuid::Uuid;

use super::{
    recovery::add_version,
    value::{id, optional_time, versions},
};
use crate::{
    id::UserId,
    policy::AccountStatus,
    session::{Scope, Stats},
    store::{AccountRecord, Lookup, NewAccountRecord, TotpRecord, TotpState},
};

type Result<T> = sqlx::Result<T>;

// A trigger ignores what collides.
pub(super) async fn insert(pool: &SqlitePool, account: &NewAccountRecord) -> Result<bool> {
    let done = query(
        "INSERT INTO main.stockade_auth_account (user_id, tenant_id, identifier, password_hash) VALUES (?1, ?2, ?3, ?4)",
    )
    .bind(account.user.as_uuid())
    .bind(account.tenant.as_uuid())
    .bind(&account.identifier)
    .bind(&account.password_hash)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn find(pool: &SqlitePool, by: Lookup<'_>) -> Result<Option<AccountRecord>> {
    let (user, identifier) = match by {
        Lookup::User(user) => (Some(user.as_uuid()), None),
        Lookup::Identifier(identifier) => (None, Some(identifier)),
    };
    let row = query(
        "SELECT a.user_id, a.tenant_id, a.identifier, a.password_hash, f.active, a.version AS user_version,
                coalesce(t.version, 0) AS tenant_version, coalesce(g.version, 0) AS global_version, a.status,
                coalesce(min(a.mfa_required_from, p.mfa_required_from), a.mfa_required_from, p.mfa_required_from)
                    AS mfa_required_from
         FROM main.stockade_auth_account a
         LEFT JOIN main.stockade_auth_tenant_policy p ON p.tenant_id = a.tenant_id
         LEFT JOIN main.stockade_auth_totp f ON f.user_id = a.user_id
         LEFT JOIN main.stockade_auth_version t ON t.scope = 'tenant' AND t.id = a.tenant_id
         LEFT JOIN main.stockade_auth_version g ON g.scope = 'global' AND g.id = x'00000000000000000000000000000000'
         WHERE a.user_id = ?1 OR a.identifier = ?2",
    )
    .bind(user)
    .bind(identifier)
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(AccountRecord {
            user: id(&row, "user_id")?,
            tenant: id(&row, "tenant_id")?,
            identifier: row.try_get("identifier")?,
            password_hash: row.try_get("password_hash")?,
            totp: row.try_get::<Option<bool>, _>("active")?.map(totp_state),
            versions: versions(&row)?,
            status: AccountStatus::of(row.try_get("status")?),
            mfa_required_from: optional_time(&row, "mfa_required_from")?,
        })
    })
    .transpose()
}

pub(super) async fn replace_password_hash(pool: &SqlitePool, user: UserId, old: &str, new: &str) -> Result<bool> {
    let done =
        query("UPDATE main.stockade_auth_account SET password_hash = ?3 WHERE user_id = ?1 AND password_hash = ?2")
            .bind(user.as_uuid())
            .bind(old)
            .bind(new)
            .execute(pool)
            .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn put_pending_totp(pool: &SqlitePool, user: UserId, sealed_seed: &[u8]) -> Result<bool> {
    let done = query(
        "INSERT INTO main.stockade_auth_totp (user_id, sealed_seed, active, last_step)
         SELECT a.user_id, ?2, 0, -1 FROM main.stockade_auth_account a WHERE a.user_id = ?1
         ON CONFLICT (user_id) DO UPDATE SET sealed_seed = excluded.sealed_seed, last_step = -1 WHERE active = 0",
    )
    .bind(user.as_uuid())
    .bind(sealed_seed)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn totp(pool: &SqlitePool, user: UserId) -> Result<Option<TotpRecord>> {
    let row = query("SELECT sealed_seed, active, last_step FROM main.stockade_auth_totp WHERE user_id = ?1")
        .bind(user.as_uuid())
        .fetch_optional(pool)
        .await?;
    row.map(|row| {
        Ok(TotpRecord {
            sealed_seed: row.try_get("sealed_seed")?,
            state: totp_state(row.try_get("active")?),
            last_step: row.try_get("last_step")?,
        })
    })
    .transpose()
}

pub(super) async fn activate_totp(pool: &SqlitePool, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
    let mut tx = pool.begin_with("BEGIN IMMEDIATE").await?;
    let activated = query(
        "UPDATE main.stockade_auth_totp SET active = 1, last_step = ?3
         WHERE user_id = ?1 AND sealed_seed = ?2 AND active = 0",
    )
    .bind(user.as_uuid())
    .bind(sealed_seed)
    .bind(step)
    .execute(&mut *tx)
    .await?;
    if activated.rows_affected() != 1 {
        return Ok(false);
    }
    add_version(&mut tx, user).await?;
    tx.commit().await?;
    Ok(true)
}

pub(super) async fn consume_totp_step(pool: &SqlitePool, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
    let done = query(
        "UPDATE main.stockade_auth_totp SET last_step = ?3
         WHERE user_id = ?1 AND sealed_seed = ?2 AND active = 1 AND last_step < ?3",
    )
    .bind(user.as_uuid())
    .bind(sealed_seed)
    .bind(step)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn bump_version(pool: &SqlitePool, scope: Scope) -> Result<bool> {
    let (scope, id) = match scope {
        Scope::User(user) => {
            let done = query(
                "UPDATE main.stockade_auth_account SET version = version + 1 WHERE user_id = ?1 AND status <> 'deleted'",
            )
                .bind(user.as_uuid())
                .execute(pool)
                .await?;
            return Ok(done.rows_affected() == 1);
        }
        Scope::Tenant(tenant) => ("tenant", tenant.as_uuid()),
        Scope::Global => ("global", Uuid::nil()),
    };
    // The row that is tried is the next version already, because a trigger refuses any other.
    query(
        "INSERT INTO main.stockade_auth_version (scope, id, version)
         SELECT ?1, ?2, coalesce(max(v.version), 0) + 1 FROM main.stockade_auth_version v WHERE v.scope = ?1 AND v.id = ?2
         ON CONFLICT (scope, id) DO UPDATE SET version = excluded.version",
    )
    .bind(scope)
    .bind(id)
    .execute(pool)
    .await?;
    Ok(true)
}

pub(super) async fn stats(pool: &SqlitePool, prefix: &str) -> Result<Stats> {
    let row = query(
        "SELECT count(*) AS accounts, count(*) FILTER (WHERE f.active = 1) AS with_totp,
                count(*) FILTER (WHERE substr(a.password_hash, 1, length(?1)) = ?1) AS current_hashes
         FROM main.stockade_auth_account a LEFT JOIN main.stockade_auth_totp f ON f.user_id = a.user_id",
    )
    .bind(prefix)
    .fetch_one(pool)
    .await?;
    let count = |column| row.try_get::<i64, _>(column).map(|count| u64::try_from(count).unwrap_or(0));
    Ok(Stats { accounts: count("accounts")?, with_totp: count("with_totp")?, current_hashes: count("current_hashes")? })
}

fn totp_state(active: bool) -> TotpState {
    if active { TotpState::Active } else { TotpState::Pending }
}
