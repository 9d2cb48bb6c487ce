//! Proof by attack: what the application's role, in tenant A, can do to rows of tenant B.
//!
//! Two tenants that nobody has get a row in every table, inside one transaction that is always rolled back. Then each attempt is
//! made and undone, and a control is made beside it: where A cannot reach its own row in the same way, an attempt that reached
//! none of B's proves nothing and is [`Verdict::Untested`].

mod around;
mod context;
mod copy;
mod database;
mod facts;
mod interference;
mod judge;
mod kind;
mod login;
mod markdown;
mod neighbours;
mod planting;
mod powers;
mod program;
mod reads;
mod report;
mod run;
mod seed;
mod site;
mod surroundings;
mod trial;
mod value;
mod writes;

#[cfg(feature = "serde")]
mod json;
#[cfg(feature = "junit")]
mod junit;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

use crate::error::Error;
use crate::ident::{Ident, Literal};
use crate::model::Model;
use crate::schema::Schema;

pub use kind::{Attempt, Scope};
pub use report::{ProbeReport, ProbeRow, Verdict};

/// What a probe has besides the administrator's connection.
///
/// `SET ROLE` in a session of the administrator shows what the application's role may do with tables. It does not show what the
/// application's own login could become, nor what stays behind in a session, so these attempts are made on connections of that
/// login, and are [`Verdict::Untested`] without one.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Probe {
    login: Option<PgConnectOptions>,
    setting: Option<String>,
    scopes: String,
}

impl Probe {
    /// Without a login of the application's, and with the context of this crate.
    pub fn new() -> Self {
        Self::default()
    }

    /// How the application connects. Two connections are opened, and nothing is written over them.
    pub fn login(mut self, options: PgConnectOptions) -> Self {
        self.login = Some(options);
        self
    }

    /// The setting that carries the tenant in a schema that was not protected by this crate: `app.current_tenant`.
    pub fn setting(mut self, name: impl Into<String>) -> Self {
        self.setting = Some(name.into());
        self
    }

    /// How far the attempts reach within their tenants: `stockade.actor_scopes`, which
    /// [row policies](crate::Schema::row_policies) read. Where A does not reach its own row, nothing is proved.
    pub fn scopes(mut self, packed: impl Into<String>) -> Self {
        self.scopes = packed.into();
        self
    }
}

impl Schema {
    /// Attacks the schema as the application's role and tells what held.
    ///
    /// `conn` belongs to a superuser, or to a role that can `SET ROLE` to the application's. Everything happens in one transaction, or
    /// under a savepoint of sqlx's, that is rolled back: afterwards, also when the future is dropped or the connection is lost,
    /// no row, object or role is left. Serial and identity columns get explicit values, so their sequences stay where they
    /// are; the default of another column may advance a sequence, which no rollback takes back. Close the connection of a probe that
    /// was dropped half-way: sqlx 0.9 does not wait for the answer to a `COPY` that was cut, and the next statement would get it.
    ///
    /// While it runs it holds the locks of an `INSERT` on every tenant table, and for moments those of an `UPDATE` of its own rows.
    /// `TRUNCATE` and `ALTER TABLE` are only reached where the application's role holds what they need, which is a finding; they wait for
    /// at most two seconds.
    ///
    /// # Errors
    ///
    /// As for [`plan`](Self::plan), except that undeclared and missing tables are attempts and reasons; or the failure of the database.
    /// What an attempt is answered is never an error.
    pub async fn probe(&self, conn: &mut PgConnection, probe: &Probe) -> Result<ProbeReport, Error> {
        let model = Model::resolve(self)?;
        let setting = probe.setting.as_ref().map(Ident::new).transpose()?;
        Box::pin(run::probe(&model, setting.as_ref(), &Literal(probe.scopes.clone()), probe.login.as_ref(), conn)).await
    }
}
