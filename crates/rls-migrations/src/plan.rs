//! The plan: the statements between the catalogue and the declaration.

mod check;
mod context;
mod defaults;
mod definers;
mod files;
mod grants;
mod guards;
mod hardening;
mod keys;
mod lock;
mod periods;
mod policies;
mod roles;
mod shared;
mod skipped;
mod soft_delete;
mod steps;
mod tables;
mod unique;
mod work;

use sqlx::{Connection, PgConnection};

use crate::catalogue::Catalogue;
use crate::error::{Error, Repr};
use crate::model::Model;
use crate::sql::Sql;
use steps::Steps;

pub(crate) use check::undeclared;
pub(crate) use keys::has_key;
pub(crate) use policies::wanted as wanted_policies;
pub(crate) use soft_delete::has_view;
pub(crate) use tables::duties;

pub use files::MigrationFiles;
pub use lock::Lock;
pub use skipped::Skipped;
pub use work::Work;

/// Any constant does: it keeps two plans of one database from being applied at the same time.
const APPLY_LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock(7525339417043951186)";

/// What has to be done to a database so that it matches a declaration, and how to undo it.
///
/// Made by [`Schema::plan`](crate::Schema::plan). The statements are in the order in which they run; each one can be run
/// again without effect. A plan that is not empty begins with the roles, so that it also serves a cluster without them; a
/// hardening that the role that applies it may not do is a warning of PostgreSQL there, not an error. The ways back lead to the catalogue as it was when the plan was made, except that roles, which
/// belong to the whole cluster, stay.
#[derive(Debug, Clone)]
#[must_use]
pub struct Plan {
    up: Vec<Statement>,
    down: Vec<Statement>,
    skipped: Vec<Skipped>,
}

/// One statement of a [`Plan`].
#[derive(Debug, Clone)]
pub struct Statement {
    sql: Sql,
    lock: Lock,
    work: Work,
    note: &'static str,
}

impl Statement {
    fn new(lock: Lock, note: &'static str, sql: Sql) -> Self {
        Self { sql, lock, work: Work::Catalogue, note }
    }

    /// The SQL, without a semicolon at the end.
    #[must_use]
    pub fn sql(&self) -> &str {
        self.sql.as_str()
    }

    /// The strongest lock that it takes on a table. Every lock is held until the transaction ends.
    #[must_use]
    pub fn lock(&self) -> Lock {
        self.lock
    }

    /// What it does to the rows that are there while it holds the lock.
    #[must_use]
    pub fn work(&self) -> Work {
        self.work
    }

    /// What it does, and what to look out for; for a way back, what it undoes.
    #[must_use]
    pub fn note(&self) -> &'static str {
        self.note
    }
}

impl Plan {
    pub(crate) fn draw(model: &Model, catalogue: &Catalogue) -> Result<Self, Error> {
        check::refuse(model, catalogue)?;
        context::refuse(model, catalogue)?;
        let mut steps = Steps::default();
        let mut skipped = roles::plan(model, catalogue, &mut steps);
        shared::plan(model, catalogue, &mut steps);
        tables::plan(model, catalogue, &mut steps);
        soft_delete::plan(model, catalogue, &mut steps);
        guards::plan(model, catalogue, &mut steps);
        keys::plan(model, catalogue, &mut steps);
        unique::plan(model, catalogue, &mut steps);
        skipped.extend(definers::plan(model, catalogue, &mut steps));
        skipped.extend(defaults::plan(model, catalogue, &mut steps));
        skipped.extend(hardening::plan(model, catalogue, &mut steps));
        let (up, down) = if steps.is_empty() && !roles::are_missing(model, catalogue) {
            (Vec::new(), Vec::new())
        } else {
            let mut all = Steps::default();
            roles::create(model, &mut all);
            all.append(steps);
            all.into_statements()
        };
        Ok(Self { up, down, skipped })
    }

    /// Whether there is nothing to do. What was [`skipped`](Self::skipped) does not count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.up.is_empty()
    }

    /// The statements that lead to the declaration.
    #[must_use]
    pub fn up(&self) -> &[Statement] {
        &self.up
    }

    /// The statements that lead back.
    #[must_use]
    pub fn down(&self) -> &[Statement] {
        &self.down
    }

    /// What is declared and the connected role may not do.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The statements that lead to the declaration, as a script with a comment before each.
    #[must_use]
    pub fn up_sql(&self) -> String {
        script("", &self.up)
    }

    /// The statements that lead back, as a script with a comment before each.
    #[must_use]
    pub fn down_sql(&self) -> String {
        script("Undoes: ", &self.down)
    }

    /// Runs the statements in one transaction on `conn`; inside a transaction of sqlx, under a savepoint.
    ///
    /// # Errors
    ///
    /// The database's refusal, with the number of the statement. Nothing is changed then.
    pub async fn apply(&self, conn: &mut PgConnection) -> Result<(), Error> {
        run(&self.up, conn).await
    }

    /// Runs the statements that lead back, in one transaction on `conn`.
    ///
    /// # Errors
    ///
    /// As for [`apply`](Self::apply).
    pub async fn revert(&self, conn: &mut PgConnection) -> Result<(), Error> {
        run(&self.down, conn).await
    }
}

async fn run(statements: &[Statement], conn: &mut PgConnection) -> Result<(), Error> {
    if statements.is_empty() {
        return Ok(());
    }
    let mut tx = conn.begin().await.map_err(Repr::Transaction)?;
    sqlx::raw_sql(APPLY_LOCK).execute(&mut *tx).await.map_err(Repr::Transaction)?;
    for (position, statement) in statements.iter().enumerate() {
        let (number, total) = (position + 1, statements.len());
        let outcome = statement.sql.run(&mut tx).await;
        outcome.map_err(|source| Repr::Apply { number, total, source })?;
    }
    tx.commit().await.map_err(|source| Repr::Transaction(source).into())
}

fn script(prefix: &str, statements: &[Statement]) -> String {
    let mut text = String::new();
    for Statement { sql, lock, work, note } in statements {
        let work = match work {
            Work::Catalogue => String::new(),
            work => format!("-- work: {work}\n"),
        };
        text.push_str(&format!("-- {prefix}{note}\n-- lock: {lock}\n{work}{sql};\n\n"));
    }
    if text.is_empty() {
        text.push_str("-- Nothing to do.\n");
    }
    text
}
