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
        let mut packed = String::new();
        for &permission in P::ALL {
            let scope = self.scope_in(tenant, permission);
            if scope != Scope::None {
                packed.extend([MARK]);
                packed.push_str(permission.key());
                packed.extend([MARK, digit(scope)]);
            }
        }
        packed
    }
}

/// The scope's place in the chain.
pub(super) const fn digit(scope: Scope) -> char {
    match scope {
        Scope::None => '0',
        Scope::Own => '1',
        Scope::Team => '2',
        Scope::Office => '3',
        Scope::Tenant | Scope::Platform => '4',
    }
}
