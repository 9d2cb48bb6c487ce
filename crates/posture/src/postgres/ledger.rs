//! The control `migrations.ledger`: what was applied to this database, beside what the program has.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{
    PgConnection,
    migrate::{AppliedMigration, Migrate, MigrateError, Migrator},
};

use super::read_only::{begin_in_place, close, unreadable};
use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
};

const NAME: &str = "postgres.migrations";

const CONTROLS: [ControlId; 1] = [ControlId::MIGRATIONS_LEDGER];

/// Measures `migrations.ledger`: that each ledger of migrations holds exactly the migrations that are compiled into the program,
/// with their checksums and without one that was left half-way.
///
/// One subject a ledger: `ledger stockade._audit_chain_migrations`. A ledger that is missing or cannot be read is unknown. A
/// migrator that was told to ignore missing migrations may have more in its ledger than in the program.
///
/// The name of a ledger comes from its migrator and becomes part of a statement, as sqlx makes it: use migrators that the program
/// was compiled with.
pub fn migrations<'a>(
    connection: &'a mut PgConnection,
    migrators: impl IntoIterator<Item = &'a Migrator>,
) -> impl Collector + 'a {
    let migrators: Vec<&Migrator> = migrators.into_iter().collect();
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut seen = Vec::with_capacity(migrators.len());
        for migrator in migrators {
            seen.push(ledger(connection, migrator, at).await);
        }
        Ok(seen)
    })
}

async fn ledger(connection: &mut PgConnection, migrator: &Migrator, at: DateTime<Utc>) -> Observation {
    let subject = Subject::new(format!("ledger {}", migrator.table_name));
    match read(connection, &migrator.table_name).await {
        Ok((applied, unfinished)) => judge(migrator, &applied, unfinished, subject, at),
        Err(error) => Observation::unknown(ControlId::MIGRATIONS_LEDGER, subject, at, error.to_string()).by(NAME),
    }
}

/// In a reading of its own, because a ledger that is missing ends the reading.
async fn read(connection: &mut PgConnection, table: &str) -> Result<(Vec<AppliedMigration>, Option<i64>), Error> {
    let mut reading = begin_in_place(connection).await.map_err(unreadable)?;
    let seen = async {
        let applied = reading.list_applied_migrations(table).await.map_err(unreadable_ledger)?;
        let unfinished = reading.dirty_version(table).await.map_err(unreadable_ledger)?;
        Ok((applied, unfinished))
    }
    .await;
    close(reading, seen).await
}

fn unreadable_ledger(error: MigrateError) -> Error {
    unreadable(error)
}

fn judge(
    migrator: &Migrator,
    applied: &[AppliedMigration],
    unfinished: Option<i64>,
    subject: Subject,
    at: DateTime<Utc>,
) -> Observation {
    let mut ledger: BTreeMap<i64, &[u8]> = applied.iter().map(|row| (row.version, &*row.checksum)).collect();
    let embedded = || migrator.migrations.iter().filter(|migration| !migration.migration_type.is_down_migration());
    let (mut missing, mut altered) = (vec![], vec![]);
    for migration in embedded() {
        match ledger.remove(&migration.version) {
            None => missing.push(migration.version),
            Some(checksum) if checksum != &*migration.checksum => altered.push(migration.version),
            Some(_) => {}
        }
    }
    let foreign = ledger.keys().next().filter(|_| !migrator.ignore_missing);
    let fail = |reason: String| Observation::fail(ControlId::MIGRATIONS_LEDGER, subject.clone(), at, reason);
    let seen = match (altered.first(), unfinished, foreign, missing.first()) {
        (Some(version), ..) => fail(format!("migration {version} was applied with another text than the program has")),
        (_, Some(version), ..) => fail(format!("migration {version} was begun and not finished")),
        (_, _, Some(version), _) => fail(format!("migration {version} was applied and is not in the program")),
        (.., Some(version)) => fail(format!("migration {version} is in the program and was not applied")),
        (None, None, None, None) => Observation::pass(ControlId::MIGRATIONS_LEDGER, subject, at),
    };
    seen.fact("applied", applied.len()).fact("in_program", embedded().count()).fact("altered", altered.len()).by(NAME)
}
