#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod api_token;
mod auth;
mod client;
mod clock;
mod cookie;
mod error;
mod event;
mod flow;
mod id;
mod impersonation;
mod key;
mod lockout;
mod password;
mod session;
mod token;
mod totp;

#[cfg(feature = "postgres")]
#[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
pub mod postgres;
pub mod store;

pub use api_token::{ApiToken, ApiTokenPolicy, IssuedApiToken, NewApiToken, TokenLife};
pub use auth::{Accounts, ApiTokens, Auth, AuthBuilder, Impersonations, NewAccount};
pub use client::ClientInfo;
pub use clock::{Clock, ManualClock, SystemClock};
pub use cookie::Cookies;
pub use error::{BoxError, Error, ErrorKind, Result};
pub use event::{ApiTokenRefusal, FailureReason, Observer, SecurityEvent, Severity};
pub use flow::{Flow, FullyVerified, Identified, PasswordVerified, Rejected, State, Step, TotpStep};
pub use id::{ApiTokenId, ImpersonationId, SessionId, TenantId, UserId};
pub use impersonation::{
    Caller, Impersonation, ImpersonationPolicy, ImpersonationRefusal, ImpersonationStart, IssuedImpersonation,
};
pub use key::KeyRing;
pub use lockout::LockoutPolicy;
pub use password::{Argon2Params, HashPool, HashPoolConfig, Verdict};
pub use session::{Assurance, Issued, Scope, Session, SessionLimits, Stats};
pub use store::{MemoryStore, Store};
pub use token::{ImpersonationToken, PendingToken, SessionToken};
pub use totp::{Activation, DangerouslyPlainSeeds, Enrolment, SeedCipher, SeedOwner, TotpSeed};
