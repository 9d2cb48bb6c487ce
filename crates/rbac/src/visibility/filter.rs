//! The rows that one person reaches with one permission.

use super::Rows;
use super::arm::Arm;
use crate::actor::Actor;
use crate::ident::{TenantId, UserId};
use crate::mode::Mode;
use crate::permission::{Kind, Permission};
use crate::resource::Resource;
use crate::scope::Scope;
use crate::subject::Subject;

/// The rows of a table that a person reaches with a permission: made by [`Actor::rows`].
///
/// It is as old as the actor: put it together for each request.
#[derive(Clone, Copy, Debug)]
#[must_use = "a filter that is not applied hides nothing"]
pub struct RowFilter<'a> {
    pub(super) rows: &'a Rows,
    pub(super) subject: &'a Subject,
    pub(super) tenant: TenantId,
    pub(super) scope: Scope,
    pub(super) kind: Kind,
    /// By whom a row must not have been made.
    pub(super) makers: Option<&'a [UserId]>,
}

impl<P: Permission, M: Mode> Actor<P, M> {
    /// The rows of the person's own tenant that `permission` reaches: what a list shows.
    pub fn rows<'a>(&'a self, permission: P, rows: &'a Rows) -> RowFilter<'a> {
        self.rows_in(self.subject().tenant(), permission, rows)
    }

    /// The rows of a tenant that `permission` reaches. Of a tenant that is not the person's own they are all with
    /// [`Scope::Platform`], and none without.
    pub fn rows_in<'a>(&'a self, tenant: TenantId, permission: P, rows: &'a Rows) -> RowFilter<'a> {
        let scope = self.scope_in(tenant, permission);
        let makers = self.authority().makers_refused(permission);
        RowFilter { rows, subject: self.subject(), tenant, scope, kind: permission.kind(), makers }
    }

    /// How far a permission reaches within a tenant.
    pub(super) fn scope_in(&self, tenant: TenantId, permission: P) -> Scope {
        match self.scope(permission) {
            _ if !tenant.is_known() => Scope::None,
            scope if scope == Scope::Platform || self.subject().tenant() == tenant => scope.min(Scope::Tenant),
            _ => Scope::None,
        }
    }
}

impl RowFilter<'_> {
    /// Whether the filter lets the row through: what [`Actor::decide`] says of it, for a row of this table and tenant.
    #[must_use]
    pub fn matches(&self, row: &Resource) -> bool {
        self.tenant.matches(row.tenant())
            && self.arms().any(|arm| arm.through.joins(row, self.subject, self.kind))
            && self.makers.is_none_or(|makers| row.is_made_by_none_of(makers))
    }

    /// Whether no row can match.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arms().next().is_none()
    }

    /// The ways that are open at this scope. None are, where it matters who made a row and that cannot be known.
    pub(super) fn arms(&self) -> impl Iterator<Item = Arm> {
        let told = |makers: &[UserId]| self.rows.maker.is_some() && makers.iter().all(|maker| maker.is_known());
        let scope = if self.makers.is_none_or(told) { self.scope } else { Scope::None };
        self.rows.arms().filter(move |arm| arm.from <= scope)
    }
}
