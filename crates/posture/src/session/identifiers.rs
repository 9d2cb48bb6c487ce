//! The control `session.policy`: what the database keeps of a session's token.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use stockade_session::{SessionId, SessionToken};
use uuid::Uuid;

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "session.identifiers";

const CONTROLS: [ControlId; 1] = [ControlId::SESSION_POLICY];

const STORED: &str = "SELECT s::text FROM stockade.auth_session s WHERE s.sid = $1";

/// Measures whether the database keeps what a browser holds: looks the session `sid` up and seeks its `token` in the row, as text, and its
/// random bytes in hexadecimal and base64.
///
/// The request that asks for the measurement has both. The row is compared here, and the token does not travel to the database, where
/// it could be logged.
pub fn identifiers<'a>(
    connection: &'a mut PgConnection,
    sid: SessionId,
    token: &'a SessionToken,
) -> impl Collector + 'a {
    from_fn(NAME, &CONTROLS, async move |at: DateTime<Utc>| {
        let mut reading = open(connection).await?;
        let sid = Uuid::from(sid);
        let row = sqlx::query_scalar(STORED).bind(sid).fetch_optional(&mut *reading).await.map_err(unreadable);
        let row: Option<String> = close(reading, row).await?;
        let (control, subject) = (ControlId::SESSION_POLICY, Subject::new("session identifiers"));
        let seen = match row {
            None => Observation::unknown(control, subject, at, "the session is not among the stored ones"),
            Some(row) if keeps(&row, &token.expose()) => {
                Observation::fail(control, subject, at, "the token itself is stored, and not a hash of it")
            }
            Some(_) => Observation::pass(control, subject, at),
        };
        Ok(vec![seen.by(NAME)])
    })
}

/// Whether a row has the token in it. The first byte of a token is the number of a key, and the rest is random.
fn keeps(row: &str, token: &str) -> bool {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
    let random = bytes.get(1..).unwrap_or_default();
    row.contains(token)
        || (!random.is_empty() && (row.contains(&hex::encode(random)) || row.contains(&URL_SAFE_NO_PAD.encode(random))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_in_each_of_its_forms() {
        let bytes: Vec<u8> = (0..33).collect();
        let token = URL_SAFE_NO_PAD.encode(&bytes);
        for row in [token.clone(), format!("(x,\\x{})", hex::encode(&bytes)), URL_SAFE_NO_PAD.encode(&bytes[1..])] {
            assert!(keeps(&row, &token), "{row}");
        }
        assert!(!keeps("(x,\\x00ff)", &token));
        assert!(!keeps("", "A"), "a token without random bytes is nowhere");
    }
}
