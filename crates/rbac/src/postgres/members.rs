//! Who belongs to a tenant, and with what: changes of it, under the rules.

mod exceptions;
mod granting;
mod inviting;
mod joining;
mod listing;
mod roles;
mod sharing;
mod turn;

use sqlx::{Executor, Postgres};

pub use self::exceptions::ExceptionKind;
pub use self::granting::Granting;
pub use self::listing::Member;
pub use self::sharing::{SharedRow, SharedWith};
use crate::actor::Actor;
use crate::mode::Direct;
use crate::permission::Permission;
use crate::policy::Policy;

/// The members of tenants, and the only way by which an application should change what they may do.
///
/// Each change happens in the caller's transaction, and waits there for every other change of authority in the tenant. What granter
/// and target have is read then, after the wait, and the [`GrantGuard`](crate::GrantGuard) decides on that. A refusal is a value; a
/// change is a record for the audit log, to be appended in the same transaction.
///
/// ```no_run
/// # use stockade_rbac::{Actor, Direct, Policy, Reason, postgres::Members};
/// # stockade_rbac::permissions! { pub enum Perm { Manage = "user.manage": Write, up to Tenant; } }
/// # async fn append(tx: &mut sqlx::PgConnection, action: &str) {}
/// # async fn page(
/// #     tx: &mut sqlx::PgConnection, policy: &Policy<Perm>, admin: &Actor<Perm, Direct>, target: uuid::Uuid,
/// # ) -> Result<(), Box<dyn std::error::Error>> {
/// let members = Members::new(policy, Perm::Manage);
/// match members.by(admin, &mut *tx).assign(target, "dispatcher", Reason::new("ticket 4711")?, None).await? {
///     Ok(changed) => append(&mut *tx, changed.action.name()).await,
///     Err(refused) => println!("{refused}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Members<P: Permission> {
    policy: Policy<P>,
    manage: P,
}

impl<P: Permission> Members<P> {
    /// Members under a policy. `manage` is the permission to change what they may do, which has to reach whom it is about.
    #[must_use]
    pub fn new(policy: &Policy<P>, manage: P) -> Self {
        Self { policy: policy.clone(), manage }
    }

    /// What `granter` changes, within a transaction that has the tenant set.
    ///
    /// Of the actor only the person, the second factor and the ceilings count: what the person has is read again.
    pub const fn by<'a, E>(&'a self, granter: &'a Actor<P, Direct>, tx: &'a mut E) -> Granting<'a, P, E>
    where
        E: ?Sized,
        for<'c> &'c mut E: Executor<'c, Database = Postgres>,
    {
        Granting::new(self, granter, tx)
    }
}
