#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
mod client;
mod clock;
mod cookie;
mod error;
mod event;
mod flow;
mod id;
mod key;
mod lockout;
mod password;
mod session;
mod token;
mod totp;
mod touch;

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;
pub mod store;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;

pub use auth::{Accounts, Auth, AuthBuilder, NewAccount};
pub use client::ClientInfo;
pub use clock::{Clock, ManualClock, SystemClock};
pub use cookie::Cookies;
pub use error::{BoxError, Error, ErrorKind, Result};
pub use event::{FailureReason, Observer, SecurityEvent, Severity};
pub use flow::{Flow, FullyVerified, Identified, PasswordVerified, Rejected, State, Step, TotpStep};
pub use id::{SessionId, TenantId, UserId};
pub use key::KeyRing;
pub use lockout::LockoutPolicy;
pub use password::{Argon2Params, HashPool, HashPoolConfig, Verdict};
pub use session::{Assurance, Issued, Scope, Session, SessionLimits, Stats};
pub use store::{MemoryStore, Store};
pub use token::{PendingToken, SessionToken};
pub use totp::{Activation, DangerouslyPlainSeeds, Enrolment, SeedCipher, SeedOwner, TotpSeed};
pub use touch::Touch;
