//! Which roles are owners', in the database.

use sqlx::{Executor, Postgres};
use uuid::Uuid;

use crate::error::Error;
use crate::ident::{TenantId, UserId};
use crate::permission::Permission;
use crate::policy::{Policy, Role};

const SYNC: &str = "
    WITH kept AS (SELECT unnest($1::text[]) AS role),
        dropped AS (DELETE FROM stockade.rbac_owner_role o WHERE o.role NOT IN (SELECT k.role FROM kept k))
    INSERT INTO stockade.rbac_owner_role (role) SELECT k.role FROM kept k ON CONFLICT DO NOTHING";

const OWNERLESS: &str = "
    SELECT t.tenant_id FROM stockade.rbac_tenant t
    WHERE EXISTS (SELECT FROM stockade.rbac_owner_role)
        AND NOT EXISTS (SELECT FROM stockade.rbac_role_assignment a
            JOIN stockade.rbac_owner_role o ON o.role = a.role
            JOIN stockade.rbac_member m ON m.tenant_id = a.tenant_id AND m.user_id = a.user_id
            WHERE a.tenant_id = t.tenant_id AND a.expires_at IS NULL AND m.status = 'active')
    ORDER BY t.tenant_id";

const OTHERS: &str = "
    SELECT count(DISTINCT a.user_id) FROM stockade.rbac_role_assignment a
    JOIN stockade.rbac_owner_role o ON o.role = a.role
    JOIN stockade.rbac_member m ON m.tenant_id = a.tenant_id AND m.user_id = a.user_id
    WHERE a.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND a.expires_at IS NULL AND m.status = 'active'
        AND a.user_id <> $1";

/// Tells the database which roles the policy marks `owner`, so that it keeps each tenant's last owner whoever writes. Run it
/// where migrations run, with a role that may (the application's may not), whenever the policy changes;
/// [`Members`](crate::postgres::Members) refuses to work with a database that was told otherwise.
///
/// Gives the tenants that have no owner by these roles: they were founded under other ones.
///
/// # Errors
///
/// [`ErrorKind::Database`](crate::ErrorKind::Database).
pub async fn sync<E, P: Permission>(connection: &mut E, policy: &Policy<P>) -> Result<Vec<TenantId>, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    sqlx::query(SYNC).bind(roles(policy)).execute(&mut *connection).await?;
    let ownerless = sqlx::query_scalar::<_, Uuid>(OWNERLESS).fetch_all(connection).await?;
    Ok(ownerless.into_iter().map(TenantId::from).collect())
}

/// The names of the policy's owner roles, in order.
pub(super) fn roles<P: Permission>(policy: &Policy<P>) -> Vec<&str> {
    let mut roles: Vec<_> = policy.roles().iter().filter(|role| role.is_owner()).map(Role::name).collect();
    roles.sort_unstable();
    roles
}

/// How many owners the tenant has beside this person.
pub(super) async fn beside<E>(tx: &mut E, person: UserId) -> Result<usize, Error>
where
    E: ?Sized,
    for<'c> &'c mut E: Executor<'c, Database = Postgres>,
{
    let others = sqlx::query_scalar::<_, i64>(OTHERS).bind(person.as_uuid()).fetch_one(tx).await?;
    Ok(usize::try_from(others).unwrap_or_default())
}
