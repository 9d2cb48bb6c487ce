//! What a transaction that may write and one that only reads have alike.

use std::fmt;

use stockade_rbac::{Decision, Denied, Permission, Resource, RowFilter, Rows, Scope};
use stockade_tenant_guard::{ReadOnly, ReadWrite, Tx};

use super::{asked::Asked, look::Look, refused::Refused, work::Work};

/// A [`Work`] or a [`Look`]: for functions that read in either, and for permissions that are values, as in a table of routes.
///
/// ```
/// use stockade::{bridge::request::{Reads, Refused}, rbac::Rows};
/// # stockade::rbac::permissions! {
/// #     /// What a person may do.
/// #     pub enum Perm { LoadView = "load.view": Read, up to Tenant; }
/// # }
/// static LOADS: Rows = Rows::new("freight", "loads", "tenant_id").owner("owner_id");
///
/// async fn count(at: &mut impl Reads<Perm>) -> Result<i64, Refused> {
///     let mut query = sqlx::QueryBuilder::new("SELECT count(*) FROM freight.loads l WHERE ");
///     at.rows(Perm::LoadView, &LOADS).push_to(&mut query, "l");
///     Ok(query.build_query_scalar().fetch_one(at.tx()).await?)
/// }
/// ```
pub trait Reads<P: Permission>: sealed::Sealed<P> {
    /// Whether the transaction may write.
    type Access;

    /// The transaction.
    fn tx(&mut self) -> &mut Tx<Self::Access>;

    /// The request.
    fn asked(&self) -> &Asked;

    /// Something of the tenant, with nothing else known of it.
    fn resource(&self) -> Resource;

    /// The rows that a list may show; see [`Actor::rows`](stockade_rbac::Actor::rows).
    fn rows<'a>(&'a self, permission: P, rows: &'a Rows) -> RowFilter<'a>;

    /// How far a permission reaches: for menus. It asks nothing, and nothing of it is recorded.
    fn scope(&self, permission: P) -> Scope;

    /// Whether a page should offer what needs `permission`. The operation asks again.
    fn may(&self, permission: P, resource: &Resource) -> bool {
        self.decide(permission, resource).is_allowed()
    }

    /// Asks the policy about a permission that is a value. A refusal is recorded as by [`Work::require`].
    ///
    /// There is no permit, so nothing but the code that asks knows that it did; and the use of an `audit` permission is the caller's to record.
    ///
    /// # Errors
    ///
    /// `Denied`.
    fn ask(&self, permission: P, resource: &Resource, of: (&str, impl fmt::Display)) -> Result<(), Refused> {
        let Some(denied) = self.decide(permission, resource).denied() else { return Ok(()) };
        self.refuse(&denied, (of.0, &of.1.to_string()));
        Err(denied.into())
    }

    /// How far a permission reaches, if it reaches anything: what a route asks before its handler runs, which asks about the row. That it
    /// reaches nothing is recorded as a refusal.
    ///
    /// # Errors
    ///
    /// `Denied`.
    fn reach(&self, permission: P, of: (&str, impl fmt::Display)) -> Result<Scope, Refused> {
        let scope = self.scope(permission);
        if scope == Scope::None {
            self.ask(permission, &self.resource(), of)?;
        }
        Ok(scope)
    }
}

/// The two differ in whether they may write, and in where what the person may do stands.
macro_rules! reads {
    ($name:ident, $access:ident, $authority:ident) => {
        impl<P: Permission> Reads<P> for $name<P> {
            type Access = $access;

            fn tx(&mut self) -> &mut Tx<$access> {
                &mut self.tx
            }

            fn asked(&self) -> &Asked {
                self.asked()
            }

            fn resource(&self) -> Resource {
                self.resource()
            }

            fn rows<'a>(&'a self, permission: P, rows: &'a Rows) -> RowFilter<'a> {
                self.rows(permission, rows)
            }

            fn scope(&self, permission: P) -> Scope {
                self.$authority().scope(permission)
            }
        }

        impl<P: Permission> sealed::Sealed<P> for $name<P> {
            fn decide(&self, permission: P, resource: &Resource) -> Decision<'_, P> {
                self.$authority().decide(permission, resource)
            }

            fn refuse(&self, denied: &Denied, of: (&str, &str)) {
                self.refuse(denied, of);
            }
        }
    };
}

reads!(Work, ReadWrite, actor);
reads!(Look, ReadOnly, authority);

mod sealed {
    use stockade_rbac::{Decision, Denied, Permission, Resource};

    pub trait Sealed<P: Permission> {
        fn decide(&self, permission: P, resource: &Resource) -> Decision<'_, P>;
        fn refuse(&self, denied: &Denied, of: (&str, &str));
    }
}
