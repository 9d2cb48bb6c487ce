//! Sign-ins, lockouts and revocations as audit entries.

use std::net::IpAddr;

use serde_json::{Value, json};
use stockade_audit_chain::{Actor, Entry, Outcome, RequestContext, Severity, TenantId};
use stockade_session::{ClientInfo, MfaRule, Observer, Scope, SecurityEvent, TenantId as TenantOfSession, UserId};
use uuid::Uuid;

use super::{PLATFORM, Recorder};

impl<F: Fn(TenantId, Entry) + Send + Sync + 'static> Observer for Recorder<F> {
    fn observe(&self, event: &SecurityEvent) {
        let (tenant, entry) = session_entry(event);
        (self.0)(tenant, entry);
    }
}

/// What `event` looks like in the audit log, and in whose.
///
/// The severity is the event's own: a lockout and a replayed code are warnings.
#[must_use]
pub fn session_entry(event: &SecurityEvent) -> (TenantId, Entry) {
    let severity = match event.severity() {
        stockade_session::Severity::Warning => Severity::Warning,
        _ => Severity::Info,
    };
    let told = Told::from(event);
    let tenant = TenantId::from(told.tenant.unwrap_or(PLATFORM));
    let actor = told.user.map_or_else(|| Actor::system("session"), |user| Actor::user(Uuid::from(user)));
    let mut entry = Entry::new(tenant, actor, told.action).severity(severity).outcome(told.outcome);
    if !told.facts.is_null() {
        entry = entry.after(told.facts);
    }
    if let Some(user) = told.target.or(told.user) {
        entry = entry.entity("user", user.to_string());
    }
    if let Some(client) = told.client {
        entry = entry.request(request(client));
    }
    (tenant, entry)
}

/// The parts of an event that an entry has.
struct Told<'a> {
    action: &'static str,
    outcome: Outcome,
    tenant: Option<Uuid>,
    user: Option<UserId>,
    /// Whom it was done to, if not to the user.
    target: Option<UserId>,
    client: Option<&'a ClientInfo>,
    facts: Value,
}

impl Told<'_> {
    /// An action that succeeded, of nobody in particular.
    const fn of(action: &'static str) -> Self {
        Self {
            action,
            outcome: Outcome::Success,
            tenant: None,
            user: None,
            target: None,
            client: None,
            facts: Value::Null,
        }
    }

    fn by(self, user: UserId, tenant: TenantOfSession) -> Self {
        Self { user: Some(user), tenant: Some(tenant.into()), ..self }
    }

    fn within(self, scope: Scope) -> Self {
        match scope {
            Scope::User(user) => Self { user: Some(user), ..self },
            Scope::Tenant(tenant) => Self { tenant: Some(tenant.into()), ..self },
            _ => self,
        }
    }

    fn by_whom(self, account: Option<(UserId, TenantOfSession)>) -> Self {
        match account {
            Some((user, tenant)) => self.by(user, tenant),
            None => self,
        }
    }
}

impl<'a> From<&'a SecurityEvent> for Told<'a> {
    fn from(event: &'a SecurityEvent) -> Self {
        match event {
            SecurityEvent::SignedIn { user, tenant, sid, assurance, client, .. } => Told {
                client: Some(client),
                facts: json!({ "sid": sid.to_string(), "assurance": format!("{assurance:?}") }),
                ..Told::of("session.sign_in").by(*user, *tenant)
            },
            SecurityEvent::SignInFailed { account, reason, client, .. } => Told {
                outcome: Outcome::Failure,
                client: Some(client),
                facts: json!({ "reason": format!("{reason:?}") }),
                ..Told::of("session.sign_in").by_whom(*account)
            },
            SecurityEvent::LockedOut { account, until, client, .. } => Told {
                outcome: Outcome::Denied,
                client: Some(client),
                facts: json!({ "until": until.to_rfc3339() }),
                ..Told::of("session.lockout").by_whom(*account)
            },
            SecurityEvent::StoredHashRefused { user, tenant, .. } => {
                Told { outcome: Outcome::Denied, ..Told::of("session.hash_refused").by(*user, *tenant) }
            }
            SecurityEvent::TotpActivated { user, tenant, .. } => Told::of("session.totp_activate").by(*user, *tenant),
            SecurityEvent::SessionRotated { sid, user, tenant, .. } => {
                Told { facts: json!({ "sid": sid.to_string() }), ..Told::of("session.rotate").by(*user, *tenant) }
            }
            SecurityEvent::SessionRevoked { sid, user, tenant, .. } => {
                Told { facts: json!({ "sid": sid.to_string() }), ..Told::of("session.revoke").by(*user, *tenant) }
            }
            SecurityEvent::AllRevoked { scope, .. } => {
                Told { facts: json!({ "scope": reach(*scope) }), ..Told::of("session.revoke_all").within(*scope) }
            }
            SecurityEvent::TotpReplaced { user, tenant, .. } => Told::of("session.totp_replace").by(*user, *tenant),
            SecurityEvent::TotpRemoved { user, tenant, by, .. } => {
                Told { facts: json!({ "by": by.to_string() }), ..Told::of("session.totp_remove").by(*user, *tenant) }
            }
            SecurityEvent::RecoveryCodesIssued { user, tenant, .. } => {
                Told::of("session.recovery_issue").by(*user, *tenant)
            }
            SecurityEvent::RecoveryUsed { user, tenant, left, client, .. } => Told {
                client: Some(client),
                facts: json!({ "left": left }),
                ..Told::of("session.recovery_use").by(*user, *tenant)
            },
            SecurityEvent::SteppedUp { sid, user, tenant, .. } => {
                Told { facts: json!({ "sid": sid.to_string() }), ..Told::of("session.step_up").by(*user, *tenant) }
            }
            // The network is the client's address, which an erasure must reach: it stands there and not among the facts.
            SecurityEvent::NewNetwork { user, tenant, client, .. } => {
                Told { client: Some(client), ..Told::of("session.new_network").by(*user, *tenant) }
            }
            SecurityEvent::PasswordChanged { user, tenant, .. } => {
                Told::of("session.password_change").by(*user, *tenant)
            }
            SecurityEvent::ResetRequested { account, client, .. } => {
                Told { client: Some(client), ..Told::of("session.reset_request").by_whom(*account) }
            }
            SecurityEvent::PasswordReset { user, tenant, client, .. } => {
                Told { client: Some(client), ..Told::of("session.password_reset").by(*user, *tenant) }
            }
            SecurityEvent::BreachListFailed => Told { outcome: Outcome::Failure, ..Told::of("session.breach_list") },
            SecurityEvent::IdentifierChangeRequested { user, tenant, .. } => {
                Told::of("session.identifier_change_request").by(*user, *tenant)
            }
            SecurityEvent::IdentifierChanged { user, tenant, .. } => {
                Told::of("session.identifier_change").by(*user, *tenant)
            }
            SecurityEvent::AccountStatusChanged { user, tenant, status, .. } => Told {
                facts: json!({ "status": format!("{status:?}") }),
                ..Told::of("session.account_status").by(*user, *tenant)
            },
            SecurityEvent::MfaRuleChanged { user, tenant, rule, .. } => {
                Told { facts: json!({ "mfa": mfa(*rule) }), ..Told::of("session.mfa_rule").by(*user, *tenant) }
            }
            SecurityEvent::TenantPolicyChanged { tenant, policy, .. } => Told {
                tenant: Some((*tenant).into()),
                facts: json!({
                    "mfa": mfa(policy.mfa),
                    "idle_seconds": policy.limits.map(|limits| limits.idle().num_seconds()),
                    "absolute_seconds": policy.limits.map(|limits| limits.absolute().num_seconds()),
                }),
                ..Told::of("session.tenant_policy")
            },
            SecurityEvent::ApiTokenCreated { id, user, tenant, .. } => {
                Told { facts: json!({ "token": id.to_string() }), ..Told::of("api_token.create").by(*user, *tenant) }
            }
            SecurityEvent::ApiTokenRotated { id, to, user, tenant, .. } => Told {
                facts: json!({ "token": id.to_string(), "successor": to.to_string() }),
                ..Told::of("api_token.rotate").by(*user, *tenant)
            },
            SecurityEvent::ApiTokenNarrowed { id, user, tenant, .. } => {
                Told { facts: json!({ "token": id.to_string() }), ..Told::of("api_token.narrow").by(*user, *tenant) }
            }
            SecurityEvent::ApiTokenRevoked { id, user, tenant, .. } => {
                Told { facts: json!({ "token": id.to_string() }), ..Told::of("api_token.revoke").by(*user, *tenant) }
            }
            SecurityEvent::ApiTokensRevoked { scope, number, .. } => Told {
                facts: json!({ "scope": reach(*scope), "number": number }),
                ..Told::of("api_token.revoke_all").within(*scope)
            },
            SecurityEvent::ApiTokenNewNetwork { id, user, tenant, client, .. } => Told {
                client: Some(client),
                facts: json!({ "token": id.to_string() }),
                ..Told::of("api_token.new_network").by(*user, *tenant)
            },
            SecurityEvent::ApiTokenRefused { token, reason, client, .. } => Told {
                outcome: Outcome::Denied,
                client: Some(client),
                facts: json!({ "token": token.map(|(id, ..)| id.to_string()), "reason": format!("{reason:?}") }),
                ..Told::of("api_token.use").by_whom(token.map(|(_, user, tenant)| (user, tenant)))
            },
            SecurityEvent::ImpersonationStarted { id, actor, target, tenant, reason, expires_at, client, .. } => Told {
                target: Some(*target),
                client: Some(client),
                facts: json!({
                    "impersonation": id.to_string(), "reason": reason, "expires_at": expires_at.to_rfc3339(),
                }),
                ..Told::of("impersonation.start").by(*actor, *tenant)
            },
            SecurityEvent::ImpersonationTokenIssued { id, actor, target, tenant, expires_at, .. } => Told {
                target: Some(*target),
                facts: json!({ "impersonation": id.to_string(), "expires_at": expires_at.to_rfc3339() }),
                ..Told::of("impersonation.token").by(*actor, *tenant)
            },
            SecurityEvent::ImpersonationEnded { id, actor, target, tenant, .. } => Told {
                target: Some(*target),
                facts: json!({ "impersonation": id.to_string() }),
                ..Told::of("impersonation.end").by(*actor, *tenant)
            },
            SecurityEvent::ImpersonationRefused { actor, target, tenant, reason, client, .. } => Told {
                outcome: Outcome::Denied,
                tenant: tenant.map(Uuid::from),
                user: Some(*actor),
                target: Some(*target),
                client: Some(client),
                facts: json!({ "reason": format!("{reason:?}") }),
                ..Told::of("impersonation.start")
            },
            SecurityEvent::ImpersonationPolicyChanged { tenant, policy, .. } => Told {
                tenant: Some((*tenant).into()),
                facts: json!({ "policy": format!("{policy:?}") }),
                ..Told::of("impersonation.policy")
            },
            SecurityEvent::ConnectionMade { id, user, tenant, provider, .. } => Told {
                facts: json!({ "connection": id.to_string(), "provider": provider }),
                ..Told::of("connection.create").by(*user, *tenant)
            },
            SecurityEvent::ConnectionEnded { id, user, tenant, by, .. } => Told {
                facts: json!({ "connection": id.to_string(), "by": format!("{by:?}") }),
                ..Told::of("connection.end").by(*user, *tenant)
            },
            SecurityEvent::RefreshReused { sid, user, tenant, .. } => Told {
                outcome: Outcome::Denied,
                facts: json!({ "sid": sid.to_string() }),
                ..Told::of("session.refresh").by(*user, *tenant)
            },
            // A kind of event that is newer than this function is still recorded, without what it says: that may be personal.
            _ => Told::of("session.event"),
        }
    }
}

/// When a second factor is demanded.
fn mfa(rule: MfaRule) -> String {
    match rule {
        MfaRule::Optional => "optional".to_owned(),
        MfaRule::Required => "required".to_owned(),
        MfaRule::RequiredFrom(time) => time.to_rfc3339(),
    }
}

fn reach(scope: Scope) -> &'static str {
    match scope {
        Scope::User(_) => "user",
        Scope::Tenant(_) => "tenant",
        _ => "everybody",
    }
}

fn request(client: &ClientInfo) -> RequestContext {
    let ip: IpAddr = client.ip;
    let request = RequestContext::new().ip(ip);
    match &client.user_agent {
        Some(agent) => request.user_agent(agent),
        None => request,
    }
}
