#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod limiter;

mod cost;
mod decision;
mod key;
mod lockout;
mod permit;
mod route;
mod rule;

mod clock;
mod event;
mod fingerprint;

mod error;

#[cfg(feature = "toml")]
mod policy;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;
#[cfg(feature = "redis")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis")))]
pub mod redis;
#[cfg(feature = "store")]
#[cfg_attr(docsrs, doc(cfg(feature = "store")))]
pub mod store;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;

mod episode;
mod state;
mod table;

pub use limiter::{Limiter, LimiterBuilder, RuleSnapshot, Snapshot};

pub use cost::Cost;
pub use decision::{Decision, Source};
pub use key::{Client, Ipv6Prefix, Key};
pub use lockout::Lockout;
pub use permit::{Permit, Reservation};
pub use route::{Asked, By, Disclosure, Route, RouteRule, Unit};
pub use rule::{Algorithm, Counts, Mode, Overflow, Rule, RuleId, RuleRef};

#[cfg(any(target_os = "android", target_os = "linux"))]
pub use clock::CoarseClock;
pub use clock::{Clock, ManualClock, MonotonicClock};
pub use event::{Cause, Event, EventKind, Observer};
pub use fingerprint::{Fingerprint, FingerprintKey};

pub use error::{Error, ErrorKind};

#[cfg(feature = "toml")]
#[cfg_attr(docsrs, doc(cfg(feature = "toml")))]
pub use policy::{Policy, PolicyError, Problem};
