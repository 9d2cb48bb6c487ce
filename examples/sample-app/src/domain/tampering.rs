//! What happens when somebody with every right alters the audit log: the demonstration.
//!
//! It runs in one transaction of the administrator that is never committed. If the process dies in the middle, the database
//! undoes it, triggers included. A deployment leaves it out, as it leaves the administrator's login out of the web process.

use anyhow::{Context, Result};
use sqlx::{Connection as _, PgConnection, Postgres, Transaction, raw_sql};
use stockade::audit_chain::{
    ChainId, Digest, Head, Report, TenantId,
    postgres::{VerifyOptions, verify},
};
use uuid::Uuid;

use crate::app::App;

/// What is altered of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// Who did it.
    Actor,
    /// What was done.
    Action,
    /// The client's address, a personal value that is stored apart.
    Address,
    /// The whole entry goes.
    Removed,
}

/// What was tried and what was found.
#[derive(Clone, Debug)]
pub struct Demonstration {
    /// What the database answers while its triggers are on.
    pub refused: String,
    /// What verification finds once they are off and the entry is altered.
    pub altered: Report,
    /// What it finds after that was undone.
    pub undone: Report,
}

/// What became of a demonstration.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It ran.
    Shown(Box<Demonstration>),
    /// There is no such sealed entry, or it has no such value.
    NothingToAlter,
    /// Others are writing to the log: the table could not be had.
    Busy,
}

impl Alteration {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Actor, Self::Action, Self::Address, Self::Removed];

    /// As a form sends it.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Actor => "actor",
            Self::Action => "action",
            Self::Address => "address",
            Self::Removed => "removed",
        }
    }

    /// For a person.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Actor => "who did it (column actor_id)",
            Self::Action => "what was done (column action)",
            Self::Address => "from which address (the personal value request/ip)",
            Self::Removed => "everything: the row is deleted",
        }
    }

    const fn statement(self) -> &'static str {
        match self {
            Self::Actor => {
                "UPDATE stockade.audit_entry SET actor_id = 'somebody-else' WHERE tenant_id = $1 AND entry_id = $2"
            }
            Self::Action => {
                "UPDATE stockade.audit_entry SET action = 'nothing.happened' WHERE tenant_id = $1 AND entry_id = $2"
            }
            Self::Address => {
                r"UPDATE stockade.audit_payload p
                SET field_values[array_position(e.personal_paths, 'request/ip')] = '\x04c6336401'
                FROM stockade.audit_entry e
                WHERE e.entry_id = p.entry_id AND p.tenant_id = $1 AND p.entry_id = $2
                    AND p.field_values[array_position(e.personal_paths, 'request/ip')] IS NOT NULL"
            }
            Self::Removed => "DELETE FROM stockade.audit_entry WHERE tenant_id = $1 AND entry_id = $2",
        }
    }
}

/// Alters entry `seq` of the tenant as whoever owns the log could, verifies, and undoes it all.
///
/// # Errors
/// When the administrator may not become the log's owner, or the database fails.
pub async fn demonstrate(app: &App, tenant: Uuid, seq: u64, alteration: Alteration) -> Result<Outcome> {
    let mut administrator = app.administrator().await?;
    let outcome = attempt(&mut administrator, tenant, seq, alteration).await;
    administrator.close().await?;
    match outcome {
        Err(error) if is_busy(&error) => Ok(Outcome::Busy),
        outcome => outcome,
    }
}

async fn attempt(connection: &mut PgConnection, tenant: Uuid, seq: u64, alteration: Alteration) -> Result<Outcome> {
    let Some(target) = Target::find(connection, tenant, seq).await? else { return Ok(Outcome::NothingToAlter) };
    let mut tx = connection.begin().await?;
    let refused = target.alter(&mut tx, alteration).await;
    tx.rollback().await?;
    let refused = match refused {
        Ok(rows) => format!("{rows} rows changed"),
        Err(error) => error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned()),
    };

    let mut tx = connection.begin().await?;
    disarm(&mut tx).await?;
    let altered = target.alter(&mut tx, alteration).await?;
    raw_sql("SET LOCAL ROLE stockade_sealer").execute(&mut *tx).await?;
    let found = target.verify(&mut tx).await?;
    tx.rollback().await?;
    if altered == 0 {
        return Ok(Outcome::NothingToAlter);
    }
    let mut tx = as_sealer(connection).await?;
    let undone = target.verify(&mut tx).await?;
    tx.rollback().await?;
    Ok(Outcome::Shown(Box::new(Demonstration { refused, altered: found, undone })))
}

/// A sealed entry, and the link before it.
pub(crate) struct Target {
    entry_id: Uuid,
    before: Head,
    seq: u64,
}

const TARGET: &str = "
SELECT l.entry_id, l.prev, h.chain_id FROM stockade.audit_link l JOIN stockade.audit_head h ON h.tenant_id = l.tenant_id
WHERE l.tenant_id = $1 AND l.seq = $2";

impl Target {
    /// Entry `seq` of the tenant, for a connection as the administrator.
    pub(crate) async fn find(connection: &mut PgConnection, tenant: Uuid, seq: u64) -> Result<Option<Self>> {
        let mut tx = as_sealer(connection).await?;
        let number = i64::try_from(seq).unwrap_or(i64::MAX);
        let link: Option<(Uuid, Vec<u8>, Uuid)> =
            sqlx::query_as(TARGET).bind(tenant).bind(number).fetch_optional(&mut *tx).await?;
        tx.rollback().await?;
        let Some((entry_id, prev, chain)) = link else { return Ok(None) };
        let hash = Digest::try_from(prev.as_slice())?;
        let before = Head { tenant: tenant.into(), chain: ChainId::from(chain), seq: seq.saturating_sub(1), hash };
        Ok(Some(Self { entry_id, before, seq }))
    }

    /// How many rows changed.
    pub(crate) async fn alter(&self, connection: &mut PgConnection, alteration: Alteration) -> sqlx::Result<u64> {
        let alter = sqlx::query(alteration.statement()).bind(Uuid::from(self.before.tenant)).bind(self.entry_id);
        Ok(alter.execute(connection).await?.rows_affected())
    }

    async fn verify(&self, connection: &mut PgConnection) -> Result<Report> {
        let options = VerifyOptions::new().part(self.before, Some(self.seq));
        let tenant: TenantId = self.before.tenant;
        Ok(verify(connection, tenant, &options).await?)
    }
}

/// Takes what guards the log away, as its owner, for the rest of the transaction. Others who write to the log wait meanwhile.
pub(crate) async fn disarm(connection: &mut PgConnection) -> Result<()> {
    become_member(connection).await?;
    raw_sql(
        "SET LOCAL lock_timeout = '3s';
        SET LOCAL ROLE stockade_owner;
        ALTER TABLE stockade.audit_entry DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY;
        ALTER TABLE stockade.audit_payload DISABLE TRIGGER USER, NO FORCE ROW LEVEL SECURITY;
        GRANT SELECT, UPDATE, DELETE ON stockade.audit_entry, stockade.audit_payload TO stockade_owner",
    )
    .execute(connection)
    .await
    .context("what guards the log could not be taken away")?;
    Ok(())
}

/// A transaction that sees the log of every tenant.
async fn as_sealer(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>> {
    let mut tx = connection.begin().await?;
    become_member(&mut tx).await?;
    raw_sql("SET LOCAL ROLE stockade_sealer").execute(&mut *tx).await?;
    Ok(tx)
}

/// A superuser is a member of every role; whoever made the roles can make itself one.
async fn become_member(connection: &mut PgConnection) -> Result<()> {
    let superuser: bool = sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        .fetch_one(&mut *connection)
        .await?;
    if !superuser {
        raw_sql("GRANT stockade_owner, stockade_sealer TO CURRENT_USER").execute(connection).await?;
    }
    Ok(())
}

/// Whether a lock was waited for in vain.
fn is_busy(error: &anyhow::Error) -> bool {
    let database = error.chain().find_map(|error| error.downcast_ref::<sqlx::Error>());
    database.and_then(sqlx::Error::as_database_error).and_then(|error| error.code()).is_some_and(|code| code == "55P03")
}
