//! Accounts, second factors and versions.

use sqlx::{PgPool, Row, postgres::PgRow, query, query_scalar};
use uuid::Uuid;

use crate::{
    id::UserId,
    policy::AccountStatus,
    session::{Scope, Stats},
    store::{AccountRecord, Lookup, NewAccountRecord, TotpRecord, TotpState, Versions},
};

type Result<T> = sqlx::Result<T>;

pub(super) async fn insert(pool: &PgPool, account: &NewAccountRecord) -> Result<bool> {
    let done = query(
        "INSERT INTO stockade.auth_account (user_id, tenant_id, identifier, password_hash)
         VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(account.user.as_uuid())
    .bind(account.tenant.as_uuid())
    .bind(&account.identifier)
    .bind(&account.password_hash)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn find(pool: &PgPool, by: Lookup<'_>) -> Result<Option<AccountRecord>> {
    let (user, identifier) = match by {
        Lookup::User(user) => (Some(user.as_uuid()), None),
        Lookup::Identifier(identifier) => (None, Some(identifier)),
    };
    let row = query(
        "SELECT a.user_id, a.tenant_id, a.identifier, a.password_hash, f.active, a.version AS user_version,
                coalesce(t.version, 0) AS tenant_version, coalesce(g.version, 0) AS global_version,
                a.status, least(a.mfa_required_from, p.mfa_required_from) AS mfa_required_from
         FROM stockade.auth_account a
         LEFT JOIN stockade.auth_tenant_policy p ON p.tenant_id = a.tenant_id
         LEFT JOIN stockade.auth_totp f ON f.user_id = a.user_id
         LEFT JOIN stockade.auth_version t ON t.scope = 'tenant' AND t.id = a.tenant_id
         LEFT JOIN stockade.auth_version g ON g.scope = 'global' AND g.id = '00000000-0000-0000-0000-000000000000'
         WHERE a.user_id = $1 OR a.identifier = $2",
    )
    .bind(user)
    .bind(identifier)
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(AccountRecord {
            user: row.try_get::<Uuid, _>("user_id")?.into(),
            tenant: row.try_get::<Uuid, _>("tenant_id")?.into(),
            identifier: row.try_get("identifier")?,
            password_hash: row.try_get("password_hash")?,
            totp: row.try_get::<Option<bool>, _>("active")?.map(totp_state),
            versions: versions(&row)?,
            // An unknown word gives the least.
            status: match row.try_get("status")? {
                "active" => AccountStatus::Active,
                "deleted" => AccountStatus::Deleted,
                _ => AccountStatus::Suspended,
            },
            mfa_required_from: row.try_get("mfa_required_from")?,
        })
    })
    .transpose()
}

pub(super) async fn replace_password_hash(pool: &PgPool, user: UserId, old: &str, new: &str) -> Result<bool> {
    let done = query("UPDATE stockade.auth_account SET password_hash = $3 WHERE user_id = $1 AND password_hash = $2")
        .bind(user.as_uuid())
        .bind(old)
        .bind(new)
        .execute(pool)
        .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn put_pending_totp(pool: &PgPool, user: UserId, sealed_seed: &[u8]) -> Result<bool> {
    let done = query(
        "INSERT INTO stockade.auth_totp AS f (user_id, sealed_seed, active, last_step)
         SELECT a.user_id, $2, false, -1 FROM stockade.auth_account a WHERE a.user_id = $1
         ON CONFLICT (user_id) DO UPDATE SET sealed_seed = excluded.sealed_seed, last_step = -1 WHERE NOT f.active",
    )
    .bind(user.as_uuid())
    .bind(sealed_seed)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn totp(pool: &PgPool, user: UserId) -> Result<Option<TotpRecord>> {
    let row = query("SELECT sealed_seed, active, last_step FROM stockade.auth_totp WHERE user_id = $1")
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

pub(super) async fn activate_totp(pool: &PgPool, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
    let done = query(
        "WITH activated AS (
             UPDATE stockade.auth_totp SET active = true, last_step = $3
             WHERE user_id = $1 AND sealed_seed = $2 AND NOT active
             RETURNING user_id
         )
         UPDATE stockade.auth_account a SET version = a.version + 1 FROM activated f WHERE a.user_id = f.user_id",
    )
    .bind(user.as_uuid())
    .bind(sealed_seed)
    .bind(step)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn consume_totp_step(pool: &PgPool, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
    let done = query(
        "UPDATE stockade.auth_totp SET last_step = $3
         WHERE user_id = $1 AND sealed_seed = $2 AND active AND last_step < $3",
    )
    .bind(user.as_uuid())
    .bind(sealed_seed)
    .bind(step)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn bump_version(pool: &PgPool, scope: Scope) -> Result<bool> {
    let (scope, id) = match scope {
        Scope::User(user) => {
            let done = query(
                "UPDATE stockade.auth_account SET version = version + 1 WHERE user_id = $1 AND status <> 'deleted'",
            )
            .bind(user.as_uuid())
            .execute(pool)
            .await?;
            return Ok(done.rows_affected() == 1);
        }
        Scope::Tenant(tenant) => ("tenant", tenant.as_uuid()),
        Scope::Global => ("global", Uuid::nil()),
    };
    query(
        "INSERT INTO stockade.auth_version AS v (scope, id, version) VALUES ($1, $2, 1)
         ON CONFLICT (scope, id) DO UPDATE SET version = v.version + 1",
    )
    .bind(scope)
    .bind(id)
    .execute(pool)
    .await?;
    Ok(true)
}

pub(super) async fn stats(pool: &PgPool, prefix: &str) -> Result<Stats> {
    let counts: Vec<i64> = query_scalar(
        "SELECT ARRAY[count(*), count(*) FILTER (WHERE f.active), count(*) FILTER (WHERE starts_with(a.password_hash, $1))]
         FROM stockade.auth_account a LEFT JOIN stockade.auth_totp f ON f.user_id = a.user_id",
    )
    .bind(prefix)
    .fetch_one(pool)
    .await?;
    let count = |index| counts.get(index).and_then(|count| u64::try_from(*count).ok()).unwrap_or(0);
    Ok(Stats { accounts: count(0), with_totp: count(1), current_hashes: count(2) })
}

pub(super) fn versions(row: &PgRow) -> Result<Versions> {
    Ok(Versions {
        user: row.try_get("user_version")?,
        tenant: row.try_get("tenant_version")?,
        global: row.try_get("global_version")?,
    })
}

fn totp_state(active: bool) -> TotpState {
    if active { TotpState::Active } else { TotpState::Pending }
}
