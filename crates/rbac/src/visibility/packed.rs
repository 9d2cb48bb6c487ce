//! How far each permission reaches, as one text for the database.

use crate::actor::Actor;
use crate::ident::TenantId;
use crate::mode::Mode;
use crate::permission::Permission;
use crate::scope::Scope;

/// Stands before and after each key. Keys have no upper-case letter, so it begins nothing else.
pub(super) const MARK: char = 'Z';

impl<P: Permission, M: Mode> Actor<P, M> {
    /// What [`RowPolicies`](crate::RowPolicies) read of the person in the database: `Zload.viewZ3Zload.editZ1`, the digit being
    /// the scope from 1 (own) to 4 (the whole tenant). Permissions that reach nothing in `tenant` are left out.
    ///
    /// Set it as `stockade.actor_scopes` for the length of a transaction, beside `stockade.tenant_id` and `stockade.actor_id`;
    /// `stockade-tenant-guard` does that when it begins one. The characters are `[0-9a-zZ._-]`. A permission is named rather than
    /// numbered so that two releases of an application which number differently can share a database.
    #[must_use]
    pub fn packed_scopes(&self, tenant: TenantId) -> String {
        let scopes = P::ALL.iter().map(|&permission| (permission.key(), self.scope_in(tenant, permission)));
        let reaching = scopes.filter(|(_, scope)| *scope != Scope::None);
        reaching.fold(String::new(), |packed, (key, scope)| packed + &format!("{MARK}{key}{MARK}{}", scope.rank()))
    }
}
