//! The first member of a tenant.

use sqlx::{Executor, Postgres, query};

use super::Members;
use super::granting::record;
use super::roles::{admission, assignment};
use super::turn::Turn;
use crate::guard::GrantRefusal;
use crate::ident::UserId;
use crate::permission::Permission;
use crate::policy::Role;
use crate::postgres::changed::{Action, Changed};
use crate::postgres::refused::{Answer, Refused, answer};
use crate::reason::Reason;

const FOUND: &str = "
    INSERT INTO stockade.rbac_tenant (tenant_id) SELECT c.tenant_id FROM stockade.current_tenant c WHERE c.tenant_id IS NOT NULL
    ON CONFLICT DO NOTHING";

impl<P: Permission> Members<P> {
    /// Gives the transaction's tenant its first member, with an owner role. It happens once in the life of a tenant; whose it is to
    /// happen, the application says: nobody is there yet who could be asked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind`](crate::ErrorKind)`::Database`, `NotSynced` or `NoTransaction`.
    pub async fn found<E>(&self, tx: &mut E, owner: impl Into<UserId>, role: &str, reason: Reason) -> Answer<Changed>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        answer(async {
            let owner = owner.into();
            let owns = |role: &&Role<P>| role.is_owner() && role.is_assignable();
            if self.policy.role(role).filter(owns).is_none() {
                return Err(GrantRefusal::NotAssignable.into());
            }
            let founded = query(FOUND).execute(&mut *tx).await?.rows_affected() == 1;
            let [before] = Turn::Authority.take(&mut *tx, &self.policy, [owner]).await?;
            if !founded {
                return Err(Refused::Founded.into());
            }
            admission(owner).execute(&mut *tx).await?;
            assignment(owner, role, owner, &reason, None).execute(&mut *tx).await?;
            Ok(record(tx, owner, before, Action::Found { role: role.to_owned() }, reason).await?)
        })
        .await
    }
}
