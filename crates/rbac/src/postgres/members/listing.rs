//! Who belongs to a tenant, and who is invited.

use std::num::NonZeroU32;

use sqlx::{Executor, Postgres, query, query_scalar};
use uuid::Uuid;

use super::Members;
use crate::error::Error;
use crate::ident::UserId;
use crate::permission::Permission;
use crate::postgres::facts;
use crate::postgres::invitation::Invitation;
use crate::postgres::loading::{Loaded, Orphan};
use crate::postgres::standing::Standing;

const MEMBERS: &str = "
    SELECT m.user_id FROM stockade.rbac_member m
    WHERE m.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND m.user_id > $1
    ORDER BY m.user_id LIMIT $2";
const INVITATIONS: &str = "
    SELECT i.invitation_id, i.email, i.role, i.reason, i.invited_by, i.invited_at, i.expires_at, i.accepted_by, i.accepted_at,
        i.revoked_by, i.revoked_at
    FROM stockade.rbac_invitation i
    WHERE i.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) AND i.accepted_at IS NULL AND i.revoked_at IS NULL
        AND i.invitation_id > $1
    ORDER BY i.invitation_id LIMIT $2";

/// A member of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// What the person has, as it is stored.
    pub standing: Standing,
    /// What of it gives nothing, because the policy does not have it.
    pub orphans: Vec<Orphan>,
}

impl<P: Permission> Members<P> {
    /// The members of the transaction's tenant, suspended ones too, in the order of their identifiers: the first so many, or those
    /// after somebody. Whether the person who asks may see them is for the caller to decide.
    ///
    /// # Errors
    ///
    /// [`ErrorKind`](crate::ErrorKind)`::Database`, or `NoTransaction` if the transaction has no tenant.
    pub async fn list<E>(&self, tx: &mut E, after: Option<UserId>, most: NonZeroU32) -> Result<Vec<Member>, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let after = after.map_or(Uuid::nil(), UserId::as_uuid);
        let page = query_scalar::<_, Uuid>(MEMBERS).bind(after).bind(i64::from(most.get()));
        let page: Vec<_> = page.fetch_all(&mut *tx).await?.into_iter().map(UserId::from).collect();
        let (_, mut facts) = facts::read_all(tx, &page).await?;
        let people = page.into_iter().filter_map(|user| Some((user, facts.remove(&user)?)));
        let member = |(user, facts)| {
            let orphans = Loaded::of(&self.policy, &facts).orphans().to_vec();
            Member { user, standing: facts.standing, orphans }
        };
        Ok(people.map(member).collect())
    }

    /// The invitations of the transaction's tenant that were neither accepted nor withdrawn, in the order in which they were made:
    /// the first so many, or those after one. Some may have expired.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn invitations<E>(
        &self,
        tx: &mut E,
        after: Option<Uuid>,
        most: NonZeroU32,
    ) -> Result<Vec<Invitation>, Error>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let (here, _) = facts::read_all(&mut *tx, &[]).await?;
        let page = query(INVITATIONS).bind(after.unwrap_or_default()).bind(i64::from(most.get()));
        Ok(page.fetch_all(tx).await?.iter().map(|row| Invitation::of(here, row)).collect::<sqlx::Result<_>>()?)
    }
}
