//! How the tenant of a transaction is said.

use super::seed::Who;
use crate::ident::{Ident, Literal};
use crate::sql::{Sql, sql};

/// The setting that carries the context, and what it is set to for each canary.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) setting: Ident,
    pub(super) a: Literal,
    pub(super) b: Literal,
    /// The values are secrets of leases, not the tenants' identifiers.
    pub(super) leased: bool,
    /// How far the actor reaches within the tenant, for row policies that read it.
    pub(super) scopes: Literal,
}

impl Context {
    pub(super) fn enter(&self, who: Who) -> Sql {
        let value = match who {
            Who::A => &self.a,
            Who::B => &self.b,
        };
        sql!("SET LOCAL {} = {}; SET LOCAL stockade.actor_scopes = {};", self.setting, value, self.scopes)
    }

    pub(super) fn raw(&self, text: &str) -> Sql {
        sql!("SET LOCAL {} = {};", self.setting, Literal(text.to_owned()))
    }

    pub(super) fn reset(&self) -> Sql {
        sql!("RESET {};", self.setting)
    }
}
