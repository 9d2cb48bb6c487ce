//! The control `session.policy`: how long the sessions that are alive may live.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_session::SessionLimits;

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "session.limits";

const CONTROLS: [ControlId; 1] = [ControlId::SESSION_POLICY];

/// The view has the tighter of the session's own limits and those of its tenant. A session's time began when it was made, also if its
/// user proved himself again.
const LIVE: &str = "
    SELECT count(*), count(*) FILTER (WHERE c.idle_seconds > $2),
           count(*) FILTER (WHERE c.expires_at - s.authenticated_at > make_interval(secs => $3))
      FROM stockade.auth_current_session c
      JOIN stockade.auth_session s ON s.sid = c.sid
     WHERE c.expires_at > $1 AND c.last_seen_at + make_interval(secs => c.idle_seconds) > $1";

/// Measures the limits of the sessions that are alive: that each ends when idle, and after all, not later than `longest` says.
///
/// These are the limits that the sessions were issued with, whatever the program is set to now. Without a live session nothing is known.
pub fn limits(connection: &mut PgConnection, longest: SessionLimits) -> impl Collector {
    from_fn(NAME, &CONTROLS, async move |at: DateTime<Utc>| {
        let mut reading = open(connection).await?;
        let counts = sqlx::query_as(LIVE)
            .bind(at)
            .bind(longest.idle().num_seconds())
            .bind(seconds(longest))
            .fetch_one(&mut *reading)
            .await
            .map_err(unreadable);
        let (live, idle, absolute): (i64, i64, i64) = close(reading, counts).await?;
        let (control, subject) = (ControlId::SESSION_POLICY, Subject::new("live sessions"));
        let seen = match (live, idle, absolute) {
            (0, ..) => Observation::unknown(control, subject, at, "no session is alive"),
            (_, 0, 0) => Observation::pass(control, subject, at),
            (_, 1.., _) => Observation::fail(control, subject, at, "sessions may be idle for longer than the limit"),
            _ => Observation::fail(control, subject, at, "sessions live for longer than the limit"),
        };
        let seen = seen.fact("live", live).fact("idle_too_long", idle).fact("absolute_too_long", absolute);
        let seen = seen.fact("idle_minutes", longest.idle().num_minutes());
        Ok(vec![seen.fact("absolute_hours", longest.absolute().num_hours()).by(NAME)])
    })
}

/// As `make_interval` wants it.
fn seconds(longest: SessionLimits) -> f64 {
    longest.absolute().to_std().unwrap_or_default().as_secs_f64()
}
