//! A tenant's changes of authority, one after the other.

use sqlx::{Executor, Postgres};

use crate::error::{Error, Fault};
use crate::ident::UserId;
use crate::permission::Permission;
use crate::policy::Policy;
use crate::postgres::facts::{self, Facts};
use crate::postgres::owners;
use crate::postgres::refused::{Refused, Stop};

/// Locks the tenant's row until the transaction ends. It is an update: a transaction whose snapshot is older than the last change
/// fails to serialise, instead of deciding on what was.
const TURN: &str = "
    UPDATE stockade.rbac_tenant t SET changes = t.changes + 1 FROM stockade.current_tenant c WHERE t.tenant_id = c.tenant_id
    RETURNING ARRAY(SELECT o.role FROM stockade.rbac_owner_role o ORDER BY o.role COLLATE \"C\")";

/// Keeps changes of authority out until the transaction ends, and lets others that only keep them out beside it.
const BESIDE: &str = "
    SELECT ARRAY(SELECT o.role FROM stockade.rbac_owner_role o ORDER BY o.role COLLATE \"C\")
    FROM stockade.rbac_tenant t WHERE t.tenant_id = (SELECT c.tenant_id FROM stockade.current_tenant c) FOR SHARE OF t";

/// What the transaction is about to change.
#[derive(Clone, Copy, Debug)]
pub(super) enum Turn {
    /// Somebody's authority.
    Authority,
    /// Something that depends on somebody's authority.
    Dependent,
}

impl Turn {
    /// Waits for the turn, then reads what these people have.
    pub(super) async fn take<E, P: Permission, const N: usize>(
        self,
        tx: &mut E,
        policy: &Policy<P>,
        people: [UserId; N],
    ) -> Result<[Facts; N], Stop>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        let lock = match self {
            Self::Authority => TURN,
            Self::Dependent => BESIDE,
        };
        let known = sqlx::query_scalar::<_, Vec<String>>(lock).fetch_optional(&mut *tx).await?;
        let facts = facts::read(&mut *tx, people).await?;
        let known = known.ok_or(Refused::NotFounded)?;
        if known != owners::roles(policy) {
            return Err(Error::from(Fault::NotSynced).into());
        }
        if facts.iter().any(|facts| !facts.here.has_written) {
            return Err(Error::from(Fault::NoTransaction).into());
        }
        Ok(facts)
    }
}
