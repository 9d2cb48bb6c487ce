//! The control `audit.coverage`: what should have left entries, beside what did.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    error::Error,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "audit_chain.coverage";

const CONTROLS: [ControlId; 1] = [ControlId::AUDIT_COVERAGE];

/// One pass over the entries of the window, which are found by their identifiers: those begin with the time.
const SEEN: &str = "
    WITH seen AS (
        SELECT e.action, e.method, e.endpoint, count(*) AS entries
          FROM stockade.audit_entry e
         WHERE e.entry_id >= $1
         GROUP BY 1, 2, 3)
    SELECT coalesce(sum(s.entries), 0)::bigint
      FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS w (action, method, endpoint, place)
      LEFT JOIN seen s ON s.action = w.action OR (s.method = w.method AND s.endpoint = w.endpoint)
     GROUP BY w.place
     ORDER BY w.place";

const LAST: &str = "
    SELECT e.tenant_id, max(e.recorded_at) FROM stockade.audit_entry e
     WHERE e.action = $1 AND e.outcome = 'success' GROUP BY e.tenant_id";

/// What writes, and so has to leave entries in the audit log: actions and routes, and the time within which each is expected.
///
/// ```
/// use chrono::TimeDelta;
/// use stockade_posture::audit_chain::Writes;
///
/// let daily = Writes::within(TimeDelta::days(7)).action("session.sign_in").route("POST", "/loads/{id}");
/// let rare = Writes::within(TimeDelta::days(90)).action("member.assign");
/// # drop((daily, rare));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writes {
    within: TimeDelta,
    expected: Vec<Expected>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    Action(String),
    Route { method: String, endpoint: String },
}

impl Writes {
    /// Nothing yet; what is added has to have been seen within this time.
    #[must_use]
    pub const fn within(time: TimeDelta) -> Self {
        Self { within: time, expected: Vec::new() }
    }

    /// An action, such as `load.update`.
    #[must_use]
    pub fn action(mut self, action: impl Into<String>) -> Self {
        self.expected.push(Expected::Action(action.into()));
        self
    }

    /// A route, as [`RequestContext::endpoint`](stockade_audit_chain::RequestContext::endpoint) was given it.
    #[must_use]
    pub fn route(mut self, method: impl Into<String>, endpoint: impl Into<String>) -> Self {
        self.expected.push(Expected::Route { method: method.into(), endpoint: endpoint.into() });
        self
    }

    fn column<'a>(&'a self, part: impl Fn(&'a Expected) -> Option<&'a str>) -> Vec<Option<&'a str>> {
        self.expected.iter().map(part).collect()
    }
}

/// Measures `audit.coverage`: that each action and route that writes has left an entry within its time, one subject each.
///
/// It counts what the connection sees: as `stockade_sealer` the entries of all tenants, as the application those of its tenant. A
/// route that nobody has used is not told from one that records nothing; choose a time in which each is used.
pub fn coverage(connection: &mut PgConnection, writes: Writes) -> impl Collector {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let seen = compare(&mut reading, &writes, at).await;
        close(reading, seen).await
    })
}

async fn compare(reading: &mut PgConnection, writes: &Writes, at: DateTime<Utc>) -> Result<Vec<Observation>, Error> {
    let since = at.checked_sub_signed(writes.within).unwrap_or(DateTime::UNIX_EPOCH);
    let counts: Vec<i64> = sqlx::query_scalar(SEEN)
        .bind(first_id(since))
        .bind(writes.column(Expected::action))
        .bind(writes.column(|expected| expected.route().map(|(method, _)| method)))
        .bind(writes.column(|expected| expected.route().map(|(_, endpoint)| endpoint)))
        .fetch_all(reading)
        .await
        .map_err(unreadable)?;
    let days = writes.within.num_days();
    let judge = |(expected, entries): (&Expected, i64)| {
        let (control, subject) = (ControlId::AUDIT_COVERAGE, expected.subject());
        let seen = if entries > 0 {
            Observation::pass(control, subject, at)
        } else {
            Observation::fail(control, subject, at, "it has left no entry in the audit log in its time")
        };
        seen.fact("entries", entries).fact("days", days).by(NAME)
    };
    Ok(writes.expected.iter().zip(counts).map(judge).collect())
}

impl Expected {
    fn action(&self) -> Option<&str> {
        match self {
            Self::Action(action) => Some(action),
            Self::Route { .. } => None,
        }
    }

    fn route(&self) -> Option<(&str, &str)> {
        match self {
            Self::Action(_) => None,
            Self::Route { method, endpoint } => Some((method, endpoint)),
        }
    }

    fn subject(&self) -> Subject {
        match self {
            Self::Action(action) => Subject::new(format!("action {action}")),
            Self::Route { method, endpoint } => Subject::new(format!("route {method} {endpoint}")),
        }
    }
}

/// When an action was last recorded with success, for each tenant that the connection sees: of `access.review`, for
/// [`rbac::review`](crate::rbac::review).
///
/// # Errors
///
/// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) if the log cannot be read.
pub async fn last_recorded(
    connection: &mut PgConnection,
    action: &str,
) -> Result<BTreeMap<Uuid, DateTime<Utc>>, Error> {
    let mut reading = open(connection).await?;
    let rows = sqlx::query_as(LAST).bind(action).fetch_all(&mut *reading).await.map_err(unreadable);
    let rows: Vec<(Uuid, DateTime<Utc>)> = close(reading, rows).await?;
    Ok(rows.into_iter().collect())
}

/// The smallest identifier (UUIDv7) of an entry that was recorded then.
fn first_id(time: DateTime<Utc>) -> Uuid {
    let milliseconds = u128::try_from(time.timestamp_millis()).unwrap_or(0);
    Uuid::from_u128(milliseconds << 80)
}
