//! The control `rls.probe`: the attacks of one tenant on another.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_rls_migrations::{Attempt, Probe, ProbeReport, ProbeRow, Schema, Verdict};

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

/// The attempts without which a table is not proved: the ones that the control names.
const NEEDED: [Attempt; 6] =
    [Attempt::Select, Attempt::SelectOthers, Attempt::Insert, Attempt::Update, Attempt::Move, Attempt::Delete];

/// What a probe that ended at `collected_at` says of [`ControlId::RLS_PROBE`].
///
/// An object passes if an attempt on it held and none leaked. A table is unknown while reading, inserting, changing, moving or removing its rows could
/// not be tested, because the application did not reach its own rows in that way either. What else could not be tested is
/// counted and no more.
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
    let subject = Subject::new(object);
    let leaks: Vec<_> = rows.iter().filter(|row| *row.verdict() == Verdict::Leaked).collect();
    let unproved = rows.iter().find_map(|row| match row.verdict() {
        Verdict::Untested(reason) if NEEDED.contains(&row.attempt()) => Some((row.attempt().id(), reason)),
        _ => None,
    });
    let seen = match (leaks.first(), unproved, held) {
        (Some(leak), ..) => {
            let reason = format!("tenant A {}: {}", leak.attempt().sentence(), leak.seen());
            Observation::fail(ControlId::RLS_PROBE, subject, at, reason)
        }
        (None, Some((attempt, reason)), _) => {
            Observation::unknown(ControlId::RLS_PROBE, subject, at, format!("{attempt} proves nothing: {reason}"))
        }
        (None, None, 1..) => Observation::pass(ControlId::RLS_PROBE, subject, at),
        (None, None, 0) => return None,
    };
    Some(seen.fact("held", held).fact("leaked", leaks.len()).fact("untested", untested).by(NAME))
}
