//! The control `transport.tls`, as far as one connection to the database shows it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::read_only::{close, open, unreadable};
use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
};

const NAME: &str = "postgres.transport";

const CONTROLS: [ControlId; 1] = [ControlId::TRANSPORT_TLS];

const READ: &str = "
    SELECT s.ssl, s.version, s.bits, inet_client_addr() IS NOT NULL AS over_network
      FROM (VALUES (pg_backend_pid())) AS me (pid)
      LEFT JOIN pg_stat_ssl s USING (pid)";

/// The last hop into the database, as the server sees it.
#[derive(Debug, sqlx::FromRow)]
struct Hop {
    ssl: Option<bool>,
    version: Option<String>,
    bits: Option<i32>,
    over_network: bool,
}

/// Measures the database's half of `transport.tls`: whether this very connection uses TLS 1.3, after `pg_stat_ssl`.
///
/// A connection without TLS fails, on the loopback address too. A Unix socket carries no TLS and crosses no network: it says
/// nothing about how the application connects in production, and is unknown.
pub fn transport(connection: &mut PgConnection) -> impl Collector {
    from_fn(NAME, &CONTROLS, async move |at| {
        let mut reading = open(connection).await?;
        let hop: Result<Hop, _> = sqlx::query_as(READ).fetch_one(&mut *reading).await.map_err(unreadable);
        let hop = close(reading, hop).await?;
        Ok(vec![hop.judge(Subject::new("connection to the database"), at)])
    })
}

impl Hop {
    fn judge(self, subject: Subject, at: DateTime<Utc>) -> Observation {
        let tls = ControlId::TRANSPORT_TLS;
        let seen = match (self.ssl, self.version.as_deref()) {
            (Some(true), Some("TLSv1.3")) => Observation::pass(tls, subject, at),
            (Some(true), _) => Observation::fail(tls, subject, at, "the connection uses TLS older than 1.3"),
            (Some(false), _) if self.over_network => {
                Observation::fail(tls, subject, at, "the connection is not encrypted")
            }
            (Some(false), _) => Observation::unknown(
                tls,
                subject,
                at,
                "a Unix socket: measure over the network that the application uses",
            ),
            (None, _) => Observation::unknown(tls, subject, at, "the server does not report on its connections"),
        };
        let seen = seen.fact("tls", self.ssl.unwrap_or(false)).by(NAME);
        let seen = if let Some(version) = self.version { seen.fact("version", version) } else { seen };
        if let Some(bits) = self.bits { seen.fact("bits", bits) } else { seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(ssl: Option<bool>, version: Option<&str>, over_network: bool) -> &'static str {
        let hop = Hop { ssl, version: version.map(str::to_owned), bits: Some(256), over_network };
        hop.judge(Subject::new("connection"), Utc::now()).outcome().word()
    }

    #[test]
    fn only_tls_1_3_passes() {
        assert_eq!(outcome(Some(true), Some("TLSv1.3"), true), "pass");
        assert_eq!(outcome(Some(true), Some("TLSv1.2"), true), "fail");
        assert_eq!(outcome(Some(true), None, true), "fail");
        assert_eq!(outcome(Some(false), None, true), "fail");
    }

    #[test]
    fn what_cannot_be_seen_is_unknown() {
        assert_eq!(outcome(Some(false), None, false), "unknown");
        assert_eq!(outcome(None, None, true), "unknown");
    }
}
