//! What happened, for audit trails and alarms.

mod severity;

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::{
    client::ClientInfo,
    id::{ApiTokenId, ConnectionId, ImpersonationId, SessionId, TenantId, UserId},
    impersonation::{ImpersonationPolicy, ImpersonationRefusal},
    network::Network,
    policy::{AccountStatus, MfaRule, TenantPolicy},
    session::{Assurance, Scope},
};

pub use severity::Severity;

/// An event that an audit trail should have. It contains no identifier as typed, because people type passwords there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityEvent {
    /// A session was issued.
    #[non_exhaustive]
    SignedIn {
        /// Who signed in.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
        /// The new session.
        sid: SessionId,
        /// By what.
        assurance: Assurance,
        /// From where.
        client: ClientInfo,
    },
    /// A password or a code was refused.
    #[non_exhaustive]
    SignInFailed {
        /// The account, if the identifier has one.
        account: Option<(UserId, TenantId)>,
        /// Why. The client must not learn it.
        reason: FailureReason,
        /// From where.
        client: ClientInfo,
    },
    /// A refused attempt was the last one for a while.
    #[non_exhaustive]
    LockedOut {
        /// The account, if the identifier has one.
        account: Option<(UserId, TenantId)>,
        /// The end of the lock.
        until: DateTime<Utc>,
        /// From where the last attempt came.
        client: ClientInfo,
    },
    /// The text stored as a password hash is none, or asks for too much work to verify.
    #[non_exhaustive]
    StoredHashRefused {
        /// Whose hash it is.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
    },
    /// A second factor became active.
    #[non_exhaustive]
    TotpActivated {
        /// Whose factor it is.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
    },
    /// A second factor was replaced by another one.
    #[non_exhaustive]
    TotpReplaced {
        /// Whose factor it is.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
    },
    /// A second factor was removed, and the recovery codes with it.
    #[non_exhaustive]
    TotpRemoved {
        /// Whose factor it was.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
        /// Who removed it: the user, or an administrator.
        by: UserId,
    },
    /// A user got new recovery codes; earlier ones are void.
    #[non_exhaustive]
    RecoveryCodesIssued {
        /// Whose codes they are.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
    },
    /// A recovery code was used in place of the second factor.
    #[non_exhaustive]
    RecoveryUsed {
        /// Whose code it was.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
        /// How many are left.
        left: u32,
        /// From where.
        client: ClientInfo,
    },
    /// The user of a session proved again who they are.
    #[non_exhaustive]
    SteppedUp {
        /// The session.
        sid: SessionId,
        /// Whose session it is.
        user: UserId,
        /// The tenant of the session.
        tenant: TenantId,
    },
    /// A user signed in from a network that is none of the known ones.
    #[non_exhaustive]
    NewNetwork {
        /// Who signed in.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
        /// The network.
        network: Network,
        /// From where.
        client: ClientInfo,
    },
    /// A user changed the password, which ended all sessions.
    #[non_exhaustive]
    PasswordChanged {
        /// Whose password it is.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
    },
    /// Somebody asked for a reset of a password.
    #[non_exhaustive]
    ResetRequested {
        /// The account, if an active one has the identifier.
        account: Option<(UserId, TenantId)>,
        /// From where.
        client: ClientInfo,
    },
    /// A reset was used to choose a new password, which ended all sessions.
    #[non_exhaustive]
    PasswordReset {
        /// Whose password it is.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
        /// From where.
        client: ClientInfo,
    },
    /// The list of breached passwords could not be asked, and the password was accepted, as the settings say.
    BreachListFailed,
    /// A user asked to change what is typed at sign-in.
    #[non_exhaustive]
    IdentifierChangeRequested {
        /// Whose identifier.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
    },
    /// An account has a new identifier, and all sessions ended.
    #[non_exhaustive]
    IdentifierChanged {
        /// Whose identifier.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
    },
    /// An account was suspended, reactivated or deleted.
    #[non_exhaustive]
    AccountStatusChanged {
        /// Whose account.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
        /// The status now.
        status: AccountStatus,
    },
    /// It was changed whether an account needs a second factor.
    #[non_exhaustive]
    MfaRuleChanged {
        /// Whose account.
        user: UserId,
        /// The tenant of the account.
        tenant: TenantId,
        /// The rule now.
        rule: MfaRule,
    },
    /// The policy of a tenant was replaced.
    #[non_exhaustive]
    TenantPolicyChanged {
        /// Whose policy.
        tenant: TenantId,
        /// The policy now.
        policy: TenantPolicy,
    },
    /// The token of a session was replaced.
    #[non_exhaustive]
    SessionRotated {
        /// The session.
        sid: SessionId,
        /// Whose session it is.
        user: UserId,
        /// The tenant of the session.
        tenant: TenantId,
    },
    /// One session was revoked.
    #[non_exhaustive]
    SessionRevoked {
        /// The session.
        sid: SessionId,
        /// Whose session it was.
        user: UserId,
        /// The tenant of the session.
        tenant: TenantId,
    },
    /// All sessions and pending sign-ins of a scope were revoked.
    #[non_exhaustive]
    AllRevoked {
        /// Whose.
        scope: Scope,
    },
    /// An API token was made.
    #[non_exhaustive]
    ApiTokenCreated {
        /// The token.
        id: ApiTokenId,
        /// Its owner.
        user: UserId,
        /// The tenant of the owner.
        tenant: TenantId,
    },
    /// Another API token took the place of one.
    #[non_exhaustive]
    ApiTokenRotated {
        /// The token that ends.
        id: ApiTokenId,
        /// The token that takes its place.
        to: ApiTokenId,
        /// Their owner.
        user: UserId,
        /// The tenant of the owner.
        tenant: TenantId,
    },
    /// Scopes of an API token were taken away.
    #[non_exhaustive]
    ApiTokenNarrowed {
        /// The token.
        id: ApiTokenId,
        /// Its owner.
        user: UserId,
        /// The tenant of the owner.
        tenant: TenantId,
    },
    /// An API token was revoked.
    #[non_exhaustive]
    ApiTokenRevoked {
        /// The token.
        id: ApiTokenId,
        /// Its owner.
        user: UserId,
        /// The tenant of the owner.
        tenant: TenantId,
    },
    /// All API tokens of a scope were revoked.
    #[non_exhaustive]
    ApiTokensRevoked {
        /// Whose.
        scope: Scope,
        /// How many there were.
        number: u64,
    },
    /// An API token that was used before came from another network for the first time.
    #[non_exhaustive]
    ApiTokenNewNetwork {
        /// The token.
        id: ApiTokenId,
        /// Its owner.
        user: UserId,
        /// The tenant of the owner.
        tenant: TenantId,
        /// From where.
        client: ClientInfo,
    },
    /// A member of staff began to see what a user sees.
    #[non_exhaustive]
    ImpersonationStarted {
        /// The impersonation.
        id: ImpersonationId,
        /// Who is looking.
        actor: UserId,
        /// As whom.
        target: UserId,
        /// The target's tenant.
        tenant: TenantId,
        /// Why, in the words of the actor.
        reason: String,
        /// When it ends by itself.
        expires_at: DateTime<Utc>,
        /// From where.
        client: ClientInfo,
    },
    /// A JWT was made for an impersonation: with it, the actor's two cookies are not needed.
    #[non_exhaustive]
    ImpersonationTokenIssued {
        /// The impersonation.
        id: ImpersonationId,
        /// Who is looking.
        actor: UserId,
        /// As whom.
        target: UserId,
        /// The target's tenant.
        tenant: TenantId,
        /// When the token ends by itself.
        expires_at: DateTime<Utc>,
    },
    /// An impersonation ended. If nobody ended it, this comes when somebody notices.
    #[non_exhaustive]
    ImpersonationEnded {
        /// The impersonation.
        id: ImpersonationId,
        /// Who was looking.
        actor: UserId,
        /// As whom.
        target: UserId,
        /// The target's tenant.
        tenant: TenantId,
    },
    /// An impersonation did not begin.
    #[non_exhaustive]
    ImpersonationRefused {
        /// Who wanted to look.
        actor: UserId,
        /// As whom.
        target: UserId,
        /// The target's tenant, if that was looked at.
        tenant: Option<TenantId>,
        /// Why not.
        reason: ImpersonationRefusal,
        /// From where.
        client: ClientInfo,
    },
    /// A tenant allowed or refused impersonations of its users.
    #[non_exhaustive]
    ImpersonationPolicyChanged {
        /// The tenant.
        tenant: TenantId,
        /// What it said.
        policy: ImpersonationPolicy,
    },
    /// The application was given tokens to call another service.
    #[non_exhaustive]
    ConnectionMade {
        /// The connection.
        id: ConnectionId,
        /// In whose name.
        user: UserId,
        /// The tenant of the user.
        tenant: TenantId,
        /// The other service, in the application's words.
        provider: String,
    },
    /// A connection ended: it was revoked, or the other service refused to refresh it.
    #[non_exhaustive]
    ConnectionEnded {
        /// The connection.
        id: ConnectionId,
        /// In whose name.
        user: UserId,
        /// The tenant of the user.
        tenant: TenantId,
        /// Whose decision it was.
        by: ConnectionEnd,
    },
    /// A refresh token was used a second time, so it is in two hands; its session was revoked.
    #[non_exhaustive]
    RefreshReused {
        /// The session.
        sid: SessionId,
        /// Whose session it was.
        user: UserId,
        /// The tenant of the session.
        tenant: TenantId,
    },
    /// What looked like an API token was refused.
    #[non_exhaustive]
    ApiTokenRefused {
        /// The token, its owner and the owner's tenant, if there is one with this id.
        token: Option<(ApiTokenId, UserId, TenantId)>,
        /// Why. The client must not learn it.
        reason: ApiTokenRefusal,
        /// From where.
        client: ClientInfo,
    },
}

/// Whose decision ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// Ours.
    Revoked,
    /// The other service's, which refused the refresh token: its owner took it back, or somebody else has used it.
    Refused,
}

/// Why an API token was refused. For the audit trail, never for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiTokenRefusal {
    /// No token has its id.
    Unknown,
    /// There is a token with its id, and the secret is another: somebody knows or guesses ids, or a key of the ring is gone.
    WrongSecret,
    /// It was revoked: somebody uses what somebody took away.
    Revoked,
    /// It has expired, or was rotated and its overlap is over.
    Expired,
    /// Its owner's account is gone or may not be used.
    OwnerInactive,
    /// It is right, and came from outside of its networks: it may be stolen.
    Network,
}

/// Why a sign-in was refused. For the audit trail, never for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureReason {
    /// No account has the identifier.
    UnknownIdentifier,
    /// The password is wrong.
    WrongPassword,
    /// The code is wrong.
    WrongCode,
    /// The code was right, and was used before: somebody may be looking over a shoulder.
    ReplayedCode,
    /// The recovery code is wrong, or was used before.
    WrongRecoveryCode,
    /// The password is right, and the account is suspended or deleted.
    NotActive,
    /// Too many attempts; this one was not evaluated.
    Locked,
    /// The pending sign-in ended while the code was checked.
    FlowEnded,
}

/// Receives every event after it happened.
///
/// It is called on the async runtime, once an event, in the order of one caller's events: hand the event to a queue and return.
pub trait Observer: Send + Sync + 'static {
    /// Takes note of an event.
    fn observe(&self, event: &SecurityEvent);
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, event: &SecurityEvent) {
        (**self).observe(event);
    }
}
