//! A transaction of somebody who may change things.

use std::{fmt, future::Future};

use chrono::Utc;
use stockade_audit_chain::{Actor as Author, Entry, postgres};
use stockade_rbac::{
    AccessRecord, Actor, AuditSink, Denied, Direct, Permission, Permit, Permits, Resource, RowFilter, Rows, Tag,
    Unrecorded,
    postgres::{Granting, Members},
};
use stockade_tenant_guard::TenantTx;

use super::{asked::Asked, caller::Caller, refused::Refused};
use crate::bridge::use_entry;

/// A transaction in the tenant of whoever asks, with what they may do as of this transaction.
///
/// Dropped without [`commit`](Self::commit), nothing of it was done.
#[must_use = "dropping it rolls it back"]
pub struct Work<P: Permission> {
    /// The transaction, for queries.
    pub tx: TenantTx,
    actor: Actor<P, Direct>,
    caller: Caller<P>,
}

impl<P: Permission> Work<P> {
    pub(super) const fn new(tx: TenantTx, actor: Actor<P, Direct>, caller: Caller<P>) -> Self {
        Self { tx, actor, caller }
    }

    /// What the person may do.
    pub const fn actor(&self) -> &Actor<P, Direct> {
        &self.actor
    }

    /// Something of the tenant, with nothing else known of it.
    #[must_use]
    pub fn resource(&self) -> Resource {
        Resource::in_tenant(self.caller.person.tenant.as_uuid())
    }

    /// The rows that a list may show; see [`Actor::rows`].
    pub fn rows<'a>(&'a self, permission: P, rows: &'a Rows) -> RowFilter<'a> {
        self.actor.rows(permission, rows)
    }

    /// Asks the policy, about something that the audit log knows by a kind and an id.
    ///
    /// The use of an `audit` permission is recorded in this transaction before there is a permit. A refusal is recorded in a transaction of its
    /// own, before the request is answered, whatever the handler does.
    ///
    /// # Errors
    ///
    /// `Denied`, and `Failed` if the use was not recorded.
    pub async fn require<T>(&mut self, resource: &Resource, of: (&str, impl fmt::Display)) -> Result<Permit<T>, Refused>
    where
        T: Tag<Perm = P>,
        T::Grant: Use<T>,
        Direct: Permits<T::Kind>,
    {
        let id = of.1.to_string();
        match self.actor.require::<T>(resource) {
            Ok(grant) => {
                let entry = self.entry(T::PERM.key()).entity(of.0, id);
                grant.record_use(&mut self.tx, entry).await
            }
            Err(denied) => {
                self.refuse(&denied, (of.0, &id));
                Err(denied.into())
            }
        }
    }

    pub(super) fn refuse(&self, denied: &Denied, of: (&str, &str)) {
        let Caller { front, asked, person, author } = &self.caller;
        front.refuse(asked, person.tenant, author, denied, of);
    }

    /// The request.
    #[must_use]
    pub const fn asked(&self) -> &Asked {
        &self.caller.asked
    }

    /// The person as the audit log names them, with the roles of this moment.
    #[must_use]
    pub fn author(&self) -> Author {
        self.caller.author.clone()
    }

    /// The beginning of an audit entry: who, for which tenant, in which request, now.
    #[must_use]
    pub fn entry(&self, action: &str) -> Entry {
        let Caller { asked, person, author, .. } = &self.caller;
        Entry::new(person.tenant.as_uuid().into(), author.clone(), action)
            .request(asked.context())
            .occurred_at(Utc::now())
    }

    /// The tenant's members as this person may change them, in this transaction. [`member_entry`](crate::bridge::member_entry) is what to
    /// [`record`](Self::record) of it.
    pub const fn members<'a>(&'a mut self, members: &'a Members<P>) -> Granting<'a, P, TenantTx> {
        members.by(&self.actor, &mut self.tx)
    }

    /// Records `entry` in this transaction.
    ///
    /// # Errors
    ///
    /// `Failed`: then what it describes must not happen either, and a commit fails.
    pub async fn record(&mut self, entry: &Entry) -> Result<(), Refused> {
        postgres::record(&mut self.tx, entry).await?;
        Ok(())
    }

    /// Keeps everything.
    ///
    /// # Errors
    ///
    /// `Failed` if the database fails or a statement before did: nothing was kept, unless the connection was lost during the commit
    /// itself.
    pub async fn commit(self) -> Result<(), Refused> {
        Ok(self.tx.commit().await?)
    }

    /// Undoes everything, and waits until the server has.
    ///
    /// # Errors
    ///
    /// `Failed` if the connection did. Then nothing was kept either.
    pub async fn rollback(self) -> Result<(), Refused> {
        Ok(self.tx.rollback().await?)
    }
}

impl<P: Permission> fmt::Debug for Work<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("tx", &self.tx).field("caller", &self.caller).finish_non_exhaustive()
    }
}

/// What [`Work::require`] makes a permit of: one of an ordinary permission is there, that of an `audit` permission is recorded first.
/// Nothing else is.
pub trait Use<T: Tag>: Sized + sealed::Sealed {
    #[doc(hidden)]
    fn record_use(self, tx: &mut TenantTx, entry: Entry) -> impl Future<Output = Result<Permit<T>, Refused>> + Send;
}

impl<T: Tag> Use<T> for Permit<T> {
    async fn record_use(self, _: &mut TenantTx, _: Entry) -> Result<Self, Refused> {
        Ok(self)
    }
}

impl<T: Tag> Use<T> for Unrecorded<Permit<T>> {
    async fn record_use(self, tx: &mut TenantTx, entry: Entry) -> Result<Permit<T>, Refused> {
        self.record(&mut Sink { tx, entry }).await
    }
}

/// The transaction as the place where uses are recorded.
struct Sink<'a> {
    tx: &'a mut TenantTx,
    entry: Entry,
}

impl AuditSink for Sink<'_> {
    type Error = Refused;

    async fn record(&mut self, record: AccessRecord) -> Result<(), Refused> {
        postgres::record(&mut *self.tx, &use_entry(self.entry.clone(), &record)).await?;
        Ok(())
    }
}

mod sealed {
    use stockade_rbac::{Permit, Tag, Unrecorded};

    pub trait Sealed {}
    impl<T: Tag> Sealed for Permit<T> {}
    impl<T: Tag> Sealed for Unrecorded<Permit<T>> {}
}
