//! Attempts of one tenant on another's data, with the database's own answer to each.
//!
//! They run as the application does: its login, its connection, its transaction in the attacker's scope, with SQL
//! that an injection or a forgotten `WHERE` would send.

use anyhow::{Context as _, Result};
use stockade::tenant_guard::{Principal, Refusal};
use uuid::Uuid;

use super::loads::Load;
use crate::app::App;

/// One attempt and what became of it.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What was tried, for a person.
    pub what: &'static str,
    /// The statement or call.
    pub how: &'static str,
    /// What happened.
    pub outcome: Outcome,
}

/// What became of an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Nothing of the other tenant was reached: no row was seen or changed.
    Nothing,
    /// It was refused, in these words.
    Refused(String),
    /// It reached this many rows of the other tenant.
    Crossed(u64),
}

impl Outcome {
    /// `true` unless a row of the other tenant was reached.
    #[must_use]
    pub fn held(&self) -> bool {
        !matches!(self, Self::Crossed(_))
    }
}

/// An attempt that is one statement with the victim's id as `$1`.
struct Statement {
    what: &'static str,
    sql: &'static str,
}

const STATEMENTS: [Statement; 6] = [
    Statement { what: "read every load of the other tenant", sql: "SELECT * FROM freight.loads WHERE tenant_id = $1" },
    Statement {
        what: "raise the other tenant's rates",
        sql: "UPDATE freight.loads SET rate_cents = rate_cents + 1 WHERE tenant_id = $1 RETURNING id",
    },
    Statement {
        what: "delete the other tenant's drivers",
        sql: "DELETE FROM freight.drivers WHERE tenant_id = $1 RETURNING id",
    },
    Statement {
        what: "write a load into the other tenant",
        sql: "INSERT INTO freight.loads SELECT $1, gen_random_uuid(), 'X-' || reference, customer, origin, destination, pickup_on, rate_cents, status, owner_id FROM freight.loads LIMIT 1 RETURNING id",
    },
    Statement {
        what: "move a load of one's own to the other tenant",
        sql: "UPDATE freight.loads SET tenant_id = $1 RETURNING id",
    },
    Statement {
        what: "become the other tenant inside a SELECT",
        sql: "SELECT set_config('stockade.tenant_id', $1::uuid::text, true)",
    },
];

/// Makes every attempt of `attacker`, a person of a tenant, on the tenant `victim` and undoes each.
///
/// # Errors
/// When the server cannot be reached.
pub async fn run(app: &App, attacker: &Principal, victim: Uuid) -> Result<Vec<Attempt>> {
    let mut attempts = Vec::new();
    for Statement { what, sql } in STATEMENTS {
        let mut tx = app.tenants.begin(attacker.clone()).await?;
        let outcome = match sqlx::query(sql).bind(victim).fetch_all(&mut tx).await {
            Ok(rows) if rows.is_empty() => Outcome::Nothing,
            Ok(rows) => Outcome::Crossed(rows.len() as u64),
            Err(error) => Outcome::Refused(reason(&error)),
        };
        tx.rollback().await?;
        attempts.push(Attempt { what, how: sql, outcome });
    }
    attempts.push(set_context(app, attacker).await?);
    attempts.push(straddle(app, attacker, victim).await?);
    Ok(attempts)
}

/// A statement of its own that changes the scope. The statement gate lets none through.
async fn set_context(app: &App, attacker: &Principal) -> Result<Attempt> {
    let sql = "SET LOCAL stockade.tenant_id = ''";
    let mut tx = app.tenants.begin(attacker.clone()).await?;
    let outcome = match sqlx::query(sql).execute(&mut tx).await {
        Ok(_) => Outcome::Crossed(0),
        Err(error) => Outcome::Refused(reason(&error)),
    };
    tx.rollback().await?;
    Ok(Attempt { what: "change the scope from inside it", how: sql, outcome })
}

/// A batch with one item of each tenant. It is refused before the database sees any of it.
async fn straddle(app: &App, attacker: &Principal, victim: Uuid) -> Result<Attempt> {
    let mut tx = app.tenants.begin(attacker.clone()).await?;
    let own: Option<Load> =
        sqlx::query_as("SELECT *, NULL AS shared FROM freight.loads LIMIT 1").fetch_optional(&mut tx).await?;
    let own = own.context("the attacker sees no load to put into the batch")?;
    let foreign = Load { tenant_id: victim, ..own.clone() };
    let mut batch = tx.guard().batch();
    let refusals: Vec<String> =
        [own, foreign].into_iter().filter_map(|load| batch.push(load).err()).map(|e| e.to_string()).collect();
    let outcome = match batch.finish() {
        Ok(loads) => Outcome::Crossed(loads.len() as u64),
        Err(_) => Outcome::Refused(refusals.join("; ")),
    };
    tx.rollback().await?;
    Ok(Attempt {
        what: "save a batch that straddles both tenants",
        how: "batch.push(load of the other tenant)",
        outcome,
    })
}

fn reason(error: &sqlx::Error) -> String {
    let gate = Refusal::of(error).map(|refusal| refusal.to_string());
    gate.or_else(|| error.as_database_error().map(|error| error.message().to_owned()))
        .unwrap_or_else(|| error.to_string())
}
