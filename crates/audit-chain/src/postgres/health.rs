//! Whether the rules around the log are the ones that the migrations made.

mod deviation;

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Acquire, Postgres};

pub use deviation::{Deviation, Part};

use crate::Error;

/// Everything that the migrations leave in the catalogue, one fact a line. A test makes it anew from a fresh database.
/// It is part of the program and not of the database, where whoever changes the rules could change it too.
const MANIFEST: &str = include_str!("health/manifest.tsv");

/// What the facts call a table of the application whose changes are captured. A database may have none.
const ATTACHED: &str = "attached table";

const FACTS: &str = include_str!("health/facts.sql");

type Fact = (String, String, String, String, String);

/// The result of [`health`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// What is not as the migrations made it, in the order of the objects.
    pub deviations: Vec<Deviation>,
}

impl Health {
    /// Whether everything is as the migrations made it.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.deviations.is_empty()
    }
}

/// Compares owners, grants, row-level security, policies, triggers, function bodies, constraints, rules, partitions, role
/// attributes, memberships and defaults of the log's objects with what the migrations made.
///
/// Tables whose changes are [captured](super::attach) are looked at as well: a trigger of theirs that is missing, disabled or another,
/// and a table that was dropped while it was attached.
///
/// Reads the catalogue and the list of captured tables, which every role group can; to any other role that list is a deviation. A superuser can change the rules and put them back between two calls: the
/// answer is about this moment, and verification about the entries.
///
/// # Errors
/// The errors of the connection. A database without the log is not an error but a long list.
pub async fn health<'c>(connection: impl Acquire<'c, Database = Postgres>) -> Result<Health, Error> {
    let mut reading = connection.begin().await?;
    // Compiling the many small expressions of this one query takes seconds, and running them milliseconds.
    sqlx::raw_sql("SET LOCAL jit = off").execute(&mut *reading).await?;
    let facts: Vec<Fact> = sqlx::query_as(FACTS).fetch_all(&mut *reading).await?;
    reading.rollback().await?;
    Ok(Health { deviations: compare(&facts) })
}

type Facts<'a> = BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>;

fn compare(facts: &[Fact]) -> Vec<Deviation> {
    let mut expected: BTreeMap<&str, Facts<'_>> = BTreeMap::new();
    for line in MANIFEST.lines() {
        let mut cells = line.splitn(4, '\t');
        if let (Some(label), Some(kind), Some(name), Some(value)) =
            (cells.next(), cells.next(), cells.next(), cells.next())
        {
            expected.entry(label).or_default().entry((kind, name)).or_default().insert(value);
        }
    }
    let mut found: BTreeMap<(&str, &str), Facts<'_>> = BTreeMap::new();
    for (subject, label, kind, name, value) in facts {
        found.entry((subject, label)).or_default().entry((kind, name)).or_default().insert(value);
    }
    let none = Facts::new();
    let labels: BTreeSet<&str> = found.keys().map(|(_, label)| *label).collect();
    let absent = expected.iter().filter(|(label, _)| **label != ATTACHED && !labels.contains(**label));
    let absent = absent.flat_map(|(label, facts)| differences(label, facts, &none));
    let present = found
        .iter()
        .flat_map(|((subject, label), facts)| differences(subject, expected.get(label).unwrap_or(&none), facts));
    let mut deviations: Vec<Deviation> = absent.chain(present).collect();
    deviations.sort();
    deviations
}

fn differences(subject: &str, expected: &Facts<'_>, found: &Facts<'_>) -> Vec<Deviation> {
    let parts: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let joined =
        |values: Option<&BTreeSet<&str>>| values.map(|values| values.iter().copied().collect::<Vec<_>>().join(" or "));
    // Versions of PostgreSQL show the same definition in different words. The manifest has all of them.
    let agrees = |key: &(&str, &str)| match (expected.get(key), found.get(key)) {
        (Some(expected), Some(found)) => found.is_subset(expected),
        _ => false,
    };
    let deviation = |key: &(&str, &str)| {
        let (expected, found) = (joined(expected.get(key)), joined(found.get(key)));
        let (kind, name) = *key;
        (!agrees(key)).then(|| Deviation {
            subject: subject.to_owned(),
            part: Part::from_name(kind),
            name: name.to_owned(),
            expected,
            found,
        })
    };
    parts.into_iter().filter_map(deviation).collect()
}
