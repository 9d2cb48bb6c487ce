//! A transaction of somebody who only looks.

use std::{fmt, sync::Arc};

use stockade_audit_chain::Actor as Author;
use stockade_rbac::{Denied, Permission, Permit, Read, Resource, RowFilter, Rows, Tag};
use stockade_tenant_guard::ReadTx;

use super::{asked::Asked, authority::Authority, front::Front, refused::Refused};

/// A transaction that only reads, in the tenant that is looked at, with what the person may see as of this transaction.
///
/// An `audit` permission is not used here, because its use has to be recorded: take a [`Work`](super::Work). So nobody uses one who looks
/// as somebody else.
#[must_use = "dropping it ends it"]
pub struct Look<P: Permission> {
    /// The transaction, for queries. PostgreSQL refuses a write in it.
    pub tx: ReadTx,
    authority: Authority<P>,
    front: Arc<Front<P>>,
    asked: Asked,
    author: Author,
}

impl<P: Permission> Look<P> {
    pub(super) const fn new(
        tx: ReadTx,
        authority: Authority<P>,
        front: Arc<Front<P>>,
        asked: Asked,
        author: Author,
    ) -> Self {
        Self { tx, authority, front, asked, author }
    }

    /// What the person may see.
    #[must_use]
    pub const fn authority(&self) -> &Authority<P> {
        &self.authority
    }

    /// Something of the tenant, with nothing else known of it.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource::in_tenant(self.tx.tenant_id().as_uuid())
    }

    /// The request.
    #[must_use]
    pub const fn asked(&self) -> &Asked {
        &self.asked
    }

    /// The same, whose person the audit log calls `name` beside the id: of an impersonation, the member of staff.
    pub fn named(self, name: &str) -> Self {
        Self { author: self.author.named(name), ..self }
    }

    /// The rows that a list may show; see [`Actor::rows`](stockade_rbac::Actor::rows).
    pub fn rows<'a>(&'a self, permission: P, rows: &'a Rows) -> RowFilter<'a> {
        self.authority.rows(permission, rows)
    }

    /// Asks the policy, about something that the audit log knows by a kind and an id. A refusal is recorded before the request is answered,
    /// whatever the handler does.
    ///
    /// # Errors
    ///
    /// `Denied`.
    #[expect(clippy::needless_pass_by_value, reason = "the same call as that of a `Work`, whose future owns it")]
    pub fn require<T>(&self, resource: &Resource, of: (&str, impl fmt::Display)) -> Result<Permit<T>, Refused>
    where
        T: Tag<Perm = P, Kind = Read, Grant = Permit<T>>,
    {
        self.authority.require::<T>(resource).map_err(|denied| {
            self.refuse(&denied, (of.0, &of.1.to_string()));
            denied.into()
        })
    }

    pub(super) fn refuse(&self, denied: &Denied, of: (&str, &str)) {
        self.front.refuse(&self.asked, self.tx.tenant_id(), &self.author, denied, of);
    }

    /// Ends it, and waits until the server has.
    ///
    /// # Errors
    ///
    /// `Failed` if the connection did.
    pub async fn close(self) -> Result<(), Refused> {
        Ok(self.tx.close().await?)
    }
}

impl<P: Permission> fmt::Debug for Look<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("tx", &self.tx).field("asked", &self.asked).finish_non_exhaustive()
    }
}
