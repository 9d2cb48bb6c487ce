//! The control `rls.probe`: the attacks of one tenant on another.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_rls_migrations::{Probe, ProbeReport, ProbeRow, Schema, Scope, Verdict};

use super::unreadable;
use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
};

const NAME: &str = "rls_migrations.probe";

const CONTROLS: [ControlId; 1] = [ControlId::RLS_PROBE];

/// Measures `rls.probe` by attack: [`Schema::probe`] on the live schema, one subject for each object that was attacked.
///
/// This is the one collector that writes: two tenants that nobody has get a row in each table, in a transaction that is always
/// rolled back. See [`Schema::probe`] for the locks that it holds meanwhile and for the role that the connection needs. With a
/// [login](Probe::login) it also tries what the application's own connection could become.
pub fn probe<'a>(connection: &'a mut PgConnection, schema: &'a Schema, probe: &'a Probe) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at| {
        let report = schema.probe(connection, probe).await.map_err(unreadable)?;
        Ok(probed(&report, at))
    })
}

/// What a probe that ended at `collected_at` says of [`ControlId::RLS_PROBE`].
///
/// An object passes if an attempt on it held and none leaked. A table on which no attempt proves anything, because the application
/// did not reach its own rows either, is unknown; around the tables, at the database and at the login, what could not be tried
/// is counted and no more.
#[must_use]
pub fn probed(report: &ProbeReport, collected_at: DateTime<Utc>) -> Vec<Observation> {
    let mut objects: BTreeMap<&str, Vec<&ProbeRow>> = BTreeMap::new();
    for row in report.rows() {
        objects.entry(row.object()).or_default().push(row);
    }
    objects.into_iter().filter_map(|(object, rows)| judge(object, &rows, collected_at)).collect()
}

fn judge(object: &str, rows: &[&ProbeRow], at: DateTime<Utc>) -> Option<Observation> {
    let count = |is: fn(&Verdict) -> bool| rows.iter().filter(|row| is(row.verdict())).count();
    let held = count(|verdict| *verdict == Verdict::Held);
    let untested = count(|verdict| matches!(verdict, Verdict::Untested(_)));
    let is_table = rows.iter().any(|row| row.attempt().scope() == Scope::Table);
    let subject = Subject::new(object);
    let leaks: Vec<_> = rows.iter().filter(|row| *row.verdict() == Verdict::Leaked).collect();
    let reason = rows.iter().find_map(|row| match row.verdict() {
        Verdict::Untested(reason) => Some(reason.as_str()),
        _ => None,
    });
    let seen = match (leaks.first(), held, is_table) {
        (Some(leak), ..) => {
            let reason = format!("tenant A {}: {}", leak.attempt().sentence(), leak.seen());
            Observation::fail(ControlId::RLS_PROBE, subject, at, reason)
        }
        (None, 1.., _) => Observation::pass(ControlId::RLS_PROBE, subject, at),
        (None, 0, true) => {
            let reason = format!("no attempt on it proves anything: {}", reason.unwrap_or("none was made"));
            Observation::unknown(ControlId::RLS_PROBE, subject, at, reason)
        }
        (None, 0, false) => return None,
    };
    Some(seen.fact("held", held).fact("leaked", leaks.len()).fact("untested", untested).by(NAME))
}
