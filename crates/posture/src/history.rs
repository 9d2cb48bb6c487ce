//! Earlier assessments: what has changed since, how the score moved, and on how many days of a period each control was in place.
//!
//! An assessment leaves a [`Snapshot`] behind. Whoever keeps the snapshots decides what a history is worth: with the feature
//! `audit-chain` they are entries of an append-only, tamper-evident log, where a history that was written anew is found by the
//! verification of the chain. A snapshot that is kept elsewhere is as good as that place.
//!
//! ```
//! use std::time::Duration;
//! use chrono::{NaiveDate, TimeDelta, TimeZone, Utc};
//! use stockade_posture::{Assessment, ControlId, Observation, Subject, history};
//!
//! # fn example() -> Option<()> {
//! let first = Utc.with_ymd_and_hms(2026, 3, 1, 6, 0, 0).single()?;
//! let snapshots = [0, 1, 3].map(|day| {
//!     let now = first + TimeDelta::days(day);
//!     let forced = Observation::pass(ControlId::RLS_FORCED, Subject::new("freight.loads"), now);
//!     Assessment::builder(now).observe([forced]).build().snapshot()
//! });
//! let (from, to) = (NaiveDate::from_ymd_opt(2026, 3, 1)?, NaiveDate::from_ymd_opt(2026, 3, 4)?);
//! let period = history::period(snapshots, from, to, Duration::ZERO).ok()?;
//! let forced = period.control(ControlId::RLS_FORCED)?;
//! assert_eq!(forced.to_string(), "in place 3 of 4 days, one gap: 2026-03-03 (not assessed)");
//! # Some(())
//! # }
//! # example().expect("every step of the example has a value");
//! ```

#[cfg(feature = "audit-chain")]
mod chain;
mod drift;
mod period;
mod snapshot;
mod trend;

#[cfg(feature = "audit-chain")]
pub use chain::{ACTION, Recorded, Refused, entry, read};
pub use drift::{Change, Direction, Drift};
pub use period::{ControlPeriod, Gap, Period, period};
pub use snapshot::Snapshot;
pub use trend::{DayScore, Trend};
