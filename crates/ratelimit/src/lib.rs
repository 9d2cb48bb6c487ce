#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod limiter;

mod cost;
mod decision;
mod key;
mod permit;
mod rule;

mod clock;
mod event;
mod fingerprint;

mod error;

mod episode;
mod state;
mod table;

pub use limiter::{Limiter, LimiterBuilder, RuleSnapshot, Snapshot};

pub use cost::Cost;
pub use decision::{Decision, Source};
pub use key::Key;
pub use permit::{Permit, Reservation};
pub use rule::{Algorithm, Mode, Rule, RuleId, RuleRef};

pub use clock::{Clock, ManualClock, MonotonicClock};
pub use event::{Cause, Event, EventKind, Observer};
pub use fingerprint::{Fingerprint, FingerprintKey};

pub use error::{Error, ErrorKind};
