#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod api_token;
mod auth;
mod client;
mod clock;
mod cookie;
mod device;
mod error;
mod event;
mod flow;
mod fresh;
mod id;
mod impersonation;
mod key;
mod lockout;
mod network;
mod password;
mod policy;
mod recovery;
mod session;
mod sweep;
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

pub use access::{Access, MustEnrol};
pub use api_token::{ApiToken, ApiTokenPolicy, IssuedApiToken, NewApiToken, TokenLife};
pub use auth::{
    Account, Accounts, ApiTokens, Auth, AuthBuilder, ConfirmBy, IdentifierChange, Impersonations, NewAccount,
    PasswordChange, Redemption, ResetMail, ResetRequest,
};
pub use client::ClientInfo;
pub use clock::{Clock, ManualClock, SystemClock};
pub use cookie::Cookies;
pub use device::DeviceToken;
pub use error::{BoxError, Error, ErrorKind, Result};
pub use event::{ApiTokenRefusal, FailureReason, Observer, SecurityEvent, Severity};
pub use flow::{Flow, FullyVerified, Identified, PasswordVerified, Rejected, State, Step, TotpStep};
pub use fresh::{Fresh, Proof, StepUp};
pub use id::{ApiTokenId, ImpersonationId, SessionId, TenantId, UserId};
pub use impersonation::{
    Caller, Impersonation, ImpersonationPolicy, ImpersonationRefusal, ImpersonationStart, IssuedImpersonation,
};
pub use key::KeyRing;
pub use lockout::LockoutPolicy;
pub use network::{KnownNetwork, Network, NetworkStatus};
pub use password::{
    Argon2Params, BcryptCost, BreachList, HashPool, HashPoolConfig, Hashing, OnOutage, PasswordProblem, PasswordRules,
    Peppers, Verdict,
};
pub use policy::{AccountStatus, MfaRule, TenantPolicy};
pub use recovery::RecoveryCodes;
pub use session::{Assurance, Issued, Scope, Session, SessionLimits, Stats};
pub use store::{IdentifierConfirmation, MemoryStore, Store};
pub use sweep::Swept;
pub use token::{IdentifierToken, ImpersonationToken, PendingToken, ResetToken, SessionToken};
pub use totp::{Activation, DangerouslyPlainSeeds, Enrolment, SeedCipher, SeedOwner, TotpSeed};
pub use touch::Touch;
