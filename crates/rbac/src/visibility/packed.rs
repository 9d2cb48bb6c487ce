//! How far each permission reaches, as one text for the database.

use uuid::Uuid;

use crate::actor::Actor;
use crate::ident::{TenantId, UserId};
use crate::mode::Mode;
use crate::permission::Permission;
use crate::scope::Scope;

/// What stands for the scopes 1 to 4 where it matters who made a row.
pub(super) const LETTERS: &str = "abcd";

/// Stands before and after each key. Keys have no upper-case letter, so it begins nothing else.
pub(super) const MARK: char = 'Z';

impl<P: Permission, M: Mode> Actor<P, M> {
    /// What [`RowPolicies`](crate::RowPolicies) read of the person in the database: `Zload.viewZ3Zload.editZ1`, the digit being
    /// the scope from 1 (own) to 4 (the whole tenant). Permissions that reach nothing in `tenant` are left out. Of one that is kept
    /// from the maker of a row, the scope is a letter from `a` to `d`, and the people who count as makers follow, as 32 hexadecimal
    /// digits each with `_` between them, the nil UUID first: policies of a table that does not say who made its rows take that for none.
    ///
    /// Set it as `stockade.actor_scopes` for the length of a transaction, beside `stockade.tenant_id` and `stockade.actor_id`;
    /// `stockade-tenant-guard` does that when it begins one. The characters are `[0-9a-zZ._-]`. A permission is named rather than
    /// numbered so that two releases of an application which number differently can share a database.
    #[must_use]
    pub fn packed_scopes(&self, tenant: TenantId) -> String {
        let scopes = P::ALL.iter().map(|&permission| (permission, self.scope_in(tenant, permission)));
        let reaching = scopes.filter(|(_, scope)| *scope != Scope::None);
        let entries = reaching.filter_map(|(permission, scope)| {
            let entry = entry(scope, self.authority().makers_refused(permission))?;
            Some(format!("{MARK}{}{MARK}{entry}", permission.key()))
        });
        entries.collect()
    }
}

/// `None` where it matters who made a row and the person is unknown.
fn entry(scope: Scope, makers: Option<&[UserId]>) -> Option<String> {
    let Some(makers) = makers else { return Some(scope.rank().to_string()) };
    let letter = LETTERS.chars().nth(scope.rank().checked_sub(1)?)?;
    let makers = makers.iter().map(|maker| maker.is_known().then(|| format!("_{}", maker.as_uuid().simple())));
    Some(format!("{letter}{}{}", Uuid::nil().simple(), makers.collect::<Option<String>>()?))
}
