//! The control `backup.restore`: the report that a restore drill left.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use stockade_rls_migrations::DrillReport;

use crate::{
    control::ControlId,
    observation::{Observation, Subject},
    report::{Age, Report},
};

const NAME: &str = "rls_migrations.drill";

/// The longest report that is read, in bytes.
const MOST_BYTES: usize = 16 << 20;

/// How long a drill counts.
const LIMIT: TimeDelta = TimeDelta::days(90);

/// What the report of a restore drill says of [`ControlId::BACKUP_RESTORE`]: `report` is the file with
/// [`DrillReport::to_json`], as the drill left it.
///
/// It passes if the drill was green, somebody signed it off, and the restored database was read within 90 days before `at`. The
/// observation is as old as the drill, so that it runs out by itself. Text that is not such a report is unknown.
///
/// Its facts are the day of the drill, what was compared and how much of it, the checks that were made, and the discrepancies. A row that
/// differs is told by its table, without the tenant that it belongs to.
#[must_use]
pub fn restore_drill(report: &[u8], at: DateTime<Utc>) -> Observation {
    let parsed = Report::parse(report, MOST_BYTES);
    match parsed {
        Ok(report) => judge(&report, at),
        Err(reason) => unknown(at, reason),
    }
}

/// As [`restore_drill`], of a report that is at hand.
#[must_use]
pub fn restored(report: &DrillReport, at: DateTime<Utc>) -> Observation {
    judge(&Report::from(report.to_json()), at)
}

fn subject(report: &Report) -> Subject {
    match report.text("/report/source/database") {
        Some(database) => Subject::new(format!("restore of {database}")),
        None => Subject::new("restore drill"),
    }
}

fn unknown(at: DateTime<Utc>, reason: &str) -> Observation {
    Observation::unknown(ControlId::BACKUP_RESTORE, Subject::new("restore drill"), at, reason).by(NAME)
}

fn judge(report: &Report, at: DateTime<Utc>) -> Observation {
    let (Some(green), Some(taken)) = (report.flag("/green"), report.time("/report/restored/taken_at")) else {
        return unknown(at, "it is not the report of a restore drill");
    };
    let discrepancies = report.list("/report/discrepancies");
    let open: Vec<&Value> =
        discrepancies.iter().filter(|found| found.get("accepted").is_none_or(Value::is_null)).collect();
    let signed = report.text("/report/signed_off_by").is_some_and(|who| !who.trim().is_empty());
    let fail = |reason: String| Observation::fail(ControlId::BACKUP_RESTORE, subject(report), at, reason);
    let seen = match Age::of(taken, LIMIT, at) {
        Age::Future => return unknown(at, "the report is dated in the future"),
        Age::Old => fail("the last restore was rehearsed more than 90 days ago".to_owned()),
        Age::Fresh if !green => fail(difference(&open)),
        Age::Fresh if !signed => fail("nobody has signed the report off".to_owned()),
        Age::Fresh => Observation::pass(ControlId::BACKUP_RESTORE, subject(report), taken),
    };
    let (objects, compared) = compared(report);
    let checks: Vec<&str> = report.members("/report/checks").into_keys().collect();
    seen.fact("drilled_on", taken.date_naive().to_string())
        .fact("days_ago", at.signed_duration_since(taken).num_days())
        .fact("compared", compared)
        .fact("objects", objects)
        .fact("checks", checks.join(", "))
        .fact("discrepancies", open.len())
        .fact("accepted", discrepancies.len().saturating_sub(open.len()))
        .by(NAME)
}

/// How many objects were compared, and of which parts of the database.
fn compared(report: &Report) -> (u64, String) {
    let parts = report.members("/report/compared");
    let counted = parts.iter().filter_map(|(part, objects)| Some((*part, objects.as_u64()?)));
    let counted: Vec<(&str, u64)> = counted.filter(|(_, objects)| *objects > 0).collect();
    let names: Vec<&str> = counted.iter().map(|(part, _)| *part).collect();
    (counted.iter().fold(0, |sum, (_, objects)| objects.saturating_add(sum)), names.join(", "))
}

fn difference(open: &[&Value]) -> String {
    let part = |found: &Value, name: &str| found.get(name).and_then(Value::as_str).map(str::to_owned);
    // One tenant reads of the rows of another what is as true of its own: that the table differs.
    let table = |object: String| object.split(", tenant ").next().unwrap_or_default().to_owned();
    let first =
        open.first().and_then(|found| Some(format!("{} {}", part(found, "part")?, table(part(found, "object")?))));
    match first {
        Some(first) => format!("what was restored differs from its source: {first}"),
        None => "a check of the restored database failed, or nothing was compared".to_owned(),
    }
}
