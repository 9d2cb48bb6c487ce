//! The control `password.hash`: how stored passwords were hashed.

use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{
    collector::{Collector, from_fn},
    control::ControlId,
    observation::{Observation, Subject},
    postgres::read_only::{close, open, unreadable},
};

const NAME: &str = "session.passwords";

const CONTROLS: [ControlId; 1] = [ControlId::PASSWORD_HASH];

/// What comes before the salt, so that no part of a salt or a hash is read.
const HASHES: &str = r"
    SELECT coalesce(substring(a.password_hash FROM '^\$argon2id\$v=19\$m=[0-9]{1,9},t=[0-9]{1,9},p=[0-9]{1,9}'),
                    substring(a.password_hash FROM '^\$2[aby]\$[0-9]{2}'), '') AS parameters, count(*)
      FROM stockade.auth_account a
     WHERE a.status <> 'deleted'
     GROUP BY 1";

/// How strongly a password is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strength {
    /// argon2id (RFC 9106).
    Argon2id {
        /// The memory, in KiB.
        memory_kib: u32,
        /// The passes.
        passes: u32,
    },
    /// bcrypt.
    Bcrypt {
        /// The cost.
        cost: u32,
    },
}

impl Strength {
    /// The weakest sets of argon2id that the OWASP Password Storage Cheat Sheet names, as KiB and passes.
    const FLOOR: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

    /// The least cost of bcrypt that it names.
    const LEAST_COST: u32 = 10;

    fn parse(parameters: &str) -> Option<Self> {
        if let Some(parameters) = parameters.strip_prefix("$argon2id$v=19$m=") {
            let (memory, rest) = parameters.split_once(",t=")?;
            let (passes, _) = rest.split_once(",p=")?;
            return Some(Self::Argon2id { memory_kib: memory.parse().ok()?, passes: passes.parse().ok()? });
        }
        let (_, cost) = parameters.strip_prefix('$')?.split_once('$')?;
        Some(Self::Bcrypt { cost: cost.parse().ok()? })
    }

    /// Whether it is within what the OWASP Password Storage Cheat Sheet accepts.
    fn is_acceptable(self) -> bool {
        match self {
            Self::Argon2id { memory_kib, passes } => {
                Self::FLOOR.iter().any(|(memory, times)| memory_kib >= *memory && passes >= *times)
            }
            Self::Bcrypt { cost } => cost >= Self::LEAST_COST,
        }
    }

    /// Whether it is of the same algorithm, and in no part weaker.
    fn reaches(self, current: Self) -> bool {
        match (self, current) {
            (Self::Argon2id { memory_kib, passes }, Self::Argon2id { memory_kib: memory, passes: times }) => {
                memory_kib >= memory && passes >= times
            }
            (Self::Bcrypt { cost }, Self::Bcrypt { cost: least }) => cost >= least,
            _ => false,
        }
    }
}

impl fmt::Display for Strength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2id { memory_kib, passes } => write!(f, "argon2id of {memory_kib} KiB and {passes} passes"),
            Self::Bcrypt { cost } => write!(f, "bcrypt of cost {cost}"),
        }
    }
}

/// Measures `password.hash`: one subject for each set of parameters that stored passwords have, which passes if it is not weaker than
/// `current` and within what OWASP accepts.
///
/// A set that is none of the two algorithms is one subject and fails. The hashes themselves are not read.
pub fn passwords(connection: &mut PgConnection, current: Strength) -> impl Collector {
    from_fn(NAME, &CONTROLS, async move |at: DateTime<Utc>| {
        let mut reading = open(connection).await?;
        let rows = sqlx::query_as(HASHES).fetch_all(&mut *reading).await.map_err(unreadable);
        let mut rows: Vec<(String, i64)> = close(reading, rows).await?;
        rows.sort();
        Ok(rows.iter().map(|(parameters, accounts)| judge(parameters, *accounts, current, at)).collect())
    })
}

fn judge(parameters: &str, accounts: i64, current: Strength, at: DateTime<Utc>) -> Observation {
    let control = ControlId::PASSWORD_HASH;
    let seen = match Strength::parse(parameters) {
        None => {
            let subject = Subject::new("passwords under another algorithm");
            Observation::fail(control, subject, at, "they are neither argon2id nor bcrypt")
        }
        Some(found) => {
            let subject = Subject::new(format!("passwords under {found}"));
            if !found.is_acceptable() {
                Observation::fail(control, subject, at, "they are below what OWASP accepts")
            } else if !found.reaches(current) {
                Observation::fail(control, subject, at, format!("they are weaker than {current}"))
            } else {
                Observation::pass(control, subject, at)
            }
        }
    };
    seen.fact("accounts", accounts).by(NAME)
}
