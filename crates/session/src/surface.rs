//! What the crate is, outside of its stores: the names of its public surface.

pub use crate::access::{Access, MustEnrol};
pub use crate::api_token::{ApiToken, ApiTokenPolicy, IssuedApiToken, LegacyApiToken, NewApiToken, TokenLife};
pub use crate::auth::{
    Account, Accounts, ApiTokens, Auth, AuthBuilder, ConfirmBy, Connections, IdentifierChange, Impersonations, Jwts,
    NewAccount, PasswordChange, Redemption, ResetMail, ResetRequest,
};
pub use crate::cipher::SecretCipher;
pub use crate::client::ClientInfo;
pub use crate::clock::{Clock, ManualClock, SystemClock};
pub use crate::connection::{Connection, ConnectionAccess, ConnectionOwner, NewConnection, ProviderTokens, Refreshed};
pub use crate::cookie::Cookies;
pub use crate::device::DeviceToken;
pub use crate::error::{BoxError, Error, ErrorKind, Result};
pub use crate::event::{ApiTokenRefusal, ConnectionEnd, FailureReason, Observer, SecurityEvent, Severity};
pub use crate::flow::{Flow, FullyVerified, Identified, PasswordVerified, Rejected, State, Step, TotpStep};
pub use crate::fresh::{Fresh, Proof, StepUp};
pub use crate::id::{ApiTokenId, ConnectionId, ImpersonationId, SessionId, TenantId, UserId};
pub use crate::impersonation::{
    Caller, Impersonation, ImpersonationPolicy, ImpersonationRefusal, ImpersonationStart, IssuedImpersonation,
};
pub use crate::jwt::{Claims, JwtCaller, JwtCheck, JwtPair, JwtPolicy, JwtRefresh};
pub use crate::key::{KeyRing, KeyState};
pub use crate::lockout::LockoutPolicy;
pub use crate::network::{KnownNetwork, Network, NetworkStatus};
pub use crate::password::{
    Argon2Params, BcryptCost, BreachList, HashPool, HashPoolConfig, Hashing, OnOutage, PasswordProblem, PasswordRules,
    Peppers, Verdict,
};
pub use crate::policy::{AccountStatus, MfaRule, TenantPolicy};
pub use crate::recovery::RecoveryCodes;
pub use crate::session::{Assurance, Issued, Scope, Session, SessionLimits, Stats};
pub use crate::store::{IdentifierConfirmation, MemoryStore, Store};
pub use crate::sweep::Swept;
pub use crate::token::{IdentifierToken, ImpersonationToken, PendingToken, RefreshToken, ResetToken, SessionToken};
pub use crate::totp::{Activation, DangerouslyPlainSeeds, Enrolment, SeedOwner, TotpSeed};
pub use crate::touch::Touch;
