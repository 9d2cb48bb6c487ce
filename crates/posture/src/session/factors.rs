//! The controls `mfa.privileged` and `mfa.all`: who has a second factor.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const PRIVILEGED: &str = "session.privileged";
const ADOPTION: &str = "session.adoption";

const OF_PRIVILEGED: [ControlId; 1] = [ControlId::MFA_PRIVILEGED];
const OF_ALL: [ControlId; 1] = [ControlId::MFA_ALL];

const BY_ROLE: &str = "
    SELECT p.role, count(*), count(*) FILTER (WHERE a.status = 'active'), count(*) FILTER (WHERE a.status = 'active' AND f.active)
      FROM (SELECT DISTINCT g.user_id, g.role FROM unnest($1::uuid[], $2::text[]) AS g (user_id, role)) AS p
      LEFT JOIN stockade.auth_account a ON a.user_id = p.user_id
      LEFT JOIN stockade.auth_totp f ON f.user_id = p.user_id
     GROUP BY p.role
     ORDER BY p.role";

const EVERYBODY: &str = "
    SELECT count(*), count(*) FILTER (WHERE f.active)
      FROM stockade.auth_account a LEFT JOIN stockade.auth_totp f ON f.user_id = a.user_id
     WHERE a.status = 'active'";

/// Measures `mfa.privileged`: that everyone of `people` whose account is active has an active second factor, one subject for each of the
/// roles that the people stand beside. The sign-in of an account with an active factor asks for it, always.
///
/// Who is privileged is for the caller to say; [`rbac::holders`](crate::rbac::holders) (feature `rbac`) reads it. A role of whose people none
/// has an active account is unknown: its identifiers may be those of something else.
pub fn privileged<'a, R: Into<String>>(
    connection: &'a mut PgConnection,
    people: impl IntoIterator<Item = (Uuid, R)>,
) -> impl Collector + 'a {
    let (users, roles): (Vec<Uuid>, Vec<String>) = people.into_iter().map(|(user, role)| (user, role.into())).unzip();
    from_fn(PRIVILEGED, &OF_PRIVILEGED, async move |at: DateTime<Utc>| {
        let mut reading = open(connection).await?;
        let query = sqlx::query_as(BY_ROLE).bind(users).bind(roles);
        let rows = query.fetch_all(&mut *reading).await.map_err(unreadable);
        let rows: Vec<(String, i64, i64, i64)> = close(reading, rows).await?;
        let judge = |(role, people, active, enrolled): (String, i64, i64, i64)| {
            let (control, subject) = (ControlId::MFA_PRIVILEGED, Subject::new(format!("role {role}")));
            let seen = if active == 0 {
                Observation::unknown(control, subject, at, "none of its people has an active account")
            } else if enrolled < active {
                Observation::fail(control, subject, at, "people have no second factor")
            } else {
                Observation::pass(control, subject, at)
            };
            seen.fact("people", people).fact("active", active).fact("enrolled", enrolled).by(PRIVILEGED)
        };
        Ok(rows.into_iter().map(judge).collect())
    })
}

/// Measures `mfa.all`: that of a hundred active accounts at least `target` have an active second factor.
pub fn adoption(connection: &mut PgConnection, target: u8) -> impl Collector {
    from_fn(ADOPTION, &OF_ALL, async move |at: DateTime<Utc>| {
        let mut reading = open(connection).await?;
        let counts = sqlx::query_as(EVERYBODY).fetch_one(&mut *reading).await.map_err(unreadable);
        let (active, enrolled): (i64, i64) = close(reading, counts).await?;
        let (control, subject) = (ControlId::MFA_ALL, Subject::new("accounts"));
        let seen = if active == 0 {
            Observation::unknown(control, subject, at, "no active account is visible to this connection")
        } else if enrolled.saturating_mul(100) < active.saturating_mul(target.into()) {
            Observation::fail(control, subject, at, "fewer accounts than the target have a second factor")
        } else {
            Observation::pass(control, subject, at)
        };
        Ok(vec![
            seen.fact("active", active)
                .fact("enrolled", enrolled)
                .fact("target_percent", u32::from(target))
                .by(ADOPTION),
        ])
    })
}
