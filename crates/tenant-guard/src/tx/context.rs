//! What `BEGIN` tells the database about the scope.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::actor::{Actor, Principal};
use crate::error::Error;
#[cfg(feature = "lease")]
use crate::lease::Lease;
use crate::note::AuditContext;

/// How a scope begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Access {
    ReadWrite,
    ReadOnly,
}

/// What the database's policies will see.
#[derive(Debug)]
pub(crate) enum Context {
    /// Plain settings.
    Settings(Principal),
    /// The secret of a capability lease, which the database maps to the tenant and the actor.
    #[cfg(feature = "lease")]
    Lease(std::sync::Arc<Lease>),
}

/// All that is said at the beginning.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) context: Context,
    pub(crate) told: Option<AuditContext>,
    pub(crate) access: Access,
}

impl Beginning {
    /// `BEGIN` and the context in one message, which saves the round trip of a bind parameter.
    ///
    /// Each setting is written also when it is empty: a value that somebody left on the session must not show through.
    pub(super) fn statement(&self) -> Result<SqlStr, Error> {
        let mut sql = String::with_capacity(512);
        sql.push_str(match self.access {
            Access::ReadWrite => "BEGIN",
            Access::ReadOnly => "BEGIN READ ONLY",
        });
        match &self.context {
            Context::Settings(principal) => settings(&mut sql, principal),
            #[cfg(feature = "lease")]
            Context::Lease(lease) => {
                for part in ["; SET LOCAL stockade.lease = '", lease.secret()?, "'"] {
                    sql.push_str(part);
                }
            }
        }
        let told = self.told.as_ref().map_or("", AuditContext::as_str);
        for part in ["; SET LOCAL stockade.audit_context = $audit$", told, "$audit$"] {
            sql.push_str(part);
        }
        // Safe: a UUID renders as hexadecimal digits and hyphens, scopes hold `[0-9A-Za-z._-]`, a secret hexadecimal digits, and what is
        // told holds no `$`, which alone could end it.
        Ok(AssertSqlSafe(sql).into_sql_str())
    }
}

fn settings(sql: &mut String, principal: &Principal) {
    let tenant = principal.tenant_id().as_uuid();
    let actor = principal.actor();
    // Writing to a string cannot fail.
    let _ = write!(sql, "; SET LOCAL stockade.tenant_id = '{}'", tenant.as_hyphenated());
    let _ = match actor {
        Some(actor) => write!(sql, "; SET LOCAL stockade.actor_id = '{}'", actor.id().as_hyphenated()),
        None => write!(sql, "; SET LOCAL stockade.actor_id = ''"),
    };
    let _ = write!(sql, "; SET LOCAL stockade.actor_scopes = '{}'", actor.map_or("", |actor| actor.scopes().as_str()));
    let read_only = if actor.is_some_and(Actor::is_read_only) { "on" } else { "off" };
    let _ = write!(sql, "; SET LOCAL stockade.read_only = '{read_only}'");
}
