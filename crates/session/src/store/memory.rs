//! A store for tests and demonstrations.

mod api_token;
mod credential;
mod impersonation;
mod network;
mod policy;
mod recovery;
mod sweep;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};

use super::{
    AccountRecord, ApiTokenRecord, Digest, FlowRecord, IdentifierChangeRecord, ImpersonationRecord, Lookup,
    NewAccountRecord, Reservation, ResetRecord, SessionRecord, Store, TotpRecord, TotpState, Versions,
};
use crate::{
    error::{Error, Result},
    id::{ApiTokenId, SessionId, TenantId, UserId},
    lockout::LockoutPolicy,
    network::KnownNetwork,
    policy::{AccountStatus, MfaRule, TenantPolicy, earlier, tighter},
    session::{Scope, Stats},
};

/// Keeps everything in this process and forgets it with it. Clones share what they keep.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    accounts: HashMap<UserId, Account>,
    users: HashMap<String, UserId>,
    tenant_versions: HashMap<TenantId, i64>,
    global_version: i64,
    attempts: HashMap<Digest, Attempts>,
    flows: HashMap<Digest, FlowRecord>,
    sessions: HashMap<SessionId, StoredSession>,
    sids: HashMap<Digest, SessionId>,
    policies: HashMap<TenantId, TenantPolicy>,
    resets: HashMap<Digest, ResetRecord>,
    changes: HashMap<UserId, IdentifierChange>,
    api_tokens: HashMap<ApiTokenId, ApiTokenRecord>,
    impersonations: Vec<(Digest, ImpersonationRecord)>,
    closed_tenants: HashSet<TenantId>,
}

struct Account {
    account: NewAccountRecord,
    version: i64,
    totp: Option<TotpRecord>,
    replacement: Option<Vec<u8>>,
    recovery: Vec<Digest>,
    status: AccountStatus,
    mfa: MfaRule,
    networks: Vec<KnownNetwork>,
}

struct IdentifierChange {
    record: IdentifierChangeRecord,
    old_confirmed: bool,
    new_confirmed: bool,
}

struct Attempts {
    number: u32,
    last_at: DateTime<Utc>,
    locked_until: Option<DateTime<Utc>>,
}

struct StoredSession {
    record: SessionRecord,
    stepped_up_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

impl State {
    fn versions(&self, account: &Account) -> Versions {
        Versions {
            user: account.version,
            tenant: self.tenant_versions.get(&account.account.tenant).copied().unwrap_or(0),
            global: self.global_version,
        }
    }

    fn is_current(&self, user: UserId, tenant: TenantId, versions: Versions) -> bool {
        let account = self.accounts.get(&user).filter(|account| account.status == AccountStatus::Active);
        let now = Versions {
            user: account.map_or(-1, |account| account.version),
            tenant: self.tenant_versions.get(&tenant).copied().unwrap_or(0),
            global: self.global_version,
        };
        versions == now
    }

    fn mfa_required_from(&self, user: UserId, tenant: TenantId) -> Option<DateTime<Utc>> {
        let own = self.accounts.get(&user).and_then(|account| account.mfa.begins());
        earlier(own, self.policies.get(&tenant).and_then(|policy| policy.mfa.begins()))
    }

    /// The session under the policy of its tenant.
    fn seen(&self, session: &StoredSession) -> SessionRecord {
        let mut record = session.record.clone();
        let limits = self.policies.get(&record.tenant).and_then(|policy| policy.limits);
        record.idle = tighter(record.idle, limits.map(|limits| limits.idle()));
        let absolute = limits.map(|limits| record.authenticated_at + limits.absolute());
        record.expires_at = absolute.map_or(record.expires_at, |at| record.expires_at.min(at));
        record.authenticated_at = session.stepped_up_at.unwrap_or(record.authenticated_at);
        record.mfa_required_from = self.mfa_required_from(record.user, record.tenant);
        record
    }

    fn live_record(&self, session: &StoredSession, now: DateTime<Utc>) -> Option<SessionRecord> {
        let record = self.seen(session);
        let live = session.revoked_at.is_none()
            && record.expires_at > now
            && record.last_seen_at + record.idle > now
            && self.is_current(record.user, record.tenant, record.versions);
        live.then_some(record)
    }

    fn live(&self, digest: &Digest, now: DateTime<Utc>) -> Option<SessionRecord> {
        self.live_record(self.sessions.get(self.sids.get(digest)?)?, now)
    }

    fn rotate(&mut self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Option<&mut StoredSession> {
        let sid = self.live(old, now)?.sid;
        self.sids.remove(old);
        self.sids.insert(*new, sid);
        let session = self.sessions.get_mut(&sid)?;
        session.record.last_seen_at = now;
        Some(session)
    }

    fn live_flow(&self, digest: &Digest, now: DateTime<Utc>) -> Option<&FlowRecord> {
        let flow = self.flows.get(digest)?;
        (flow.expires_at > now && self.is_current(flow.user, flow.tenant, flow.versions)).then_some(flow)
    }

    fn totp_mut(&mut self, user: UserId, sealed_seed: &[u8], state: TotpState) -> Option<&mut TotpRecord> {
        let totp = self.accounts.get_mut(&user)?.totp.as_mut()?;
        (totp.state == state && totp.sealed_seed == sealed_seed).then_some(totp)
    }
}

impl Store for MemoryStore {
    async fn insert_account(&self, account: &NewAccountRecord) -> Result<bool> {
        let mut state = self.state();
        if state.accounts.contains_key(&account.user) || state.users.contains_key(&account.identifier) {
            return Ok(false);
        }
        state.users.insert(account.identifier.clone(), account.user);
        let stored = Account {
            account: account.clone(),
            version: 0,
            totp: None,
            replacement: None,
            recovery: Vec::new(),
            status: AccountStatus::Active,
            mfa: MfaRule::Optional,
            networks: Vec::new(),
        };
        state.accounts.insert(account.user, stored);
        Ok(true)
    }

    async fn account(&self, by: Lookup<'_>) -> Result<Option<AccountRecord>> {
        let state = self.state();
        let user = match by {
            Lookup::Identifier(identifier) => state.users.get(identifier).copied(),
            Lookup::User(user) => Some(user),
        };
        Ok(user.and_then(|user| state.accounts.get(&user)).map(|account| AccountRecord {
            user: account.account.user,
            tenant: account.account.tenant,
            identifier: account.account.identifier.clone(),
            password_hash: account.account.password_hash.clone(),
            totp: account.totp.as_ref().map(|totp| totp.state),
            versions: state.versions(account),
            status: account.status,
            mfa_required_from: state.mfa_required_from(account.account.user, account.account.tenant),
        }))
    }

    async fn replace_password_hash(&self, user: UserId, old: &str, new: &str) -> Result<bool> {
        let mut state = self.state();
        let account = state.accounts.get_mut(&user).filter(|account| account.account.password_hash == old);
        Ok(account.map(|account| new.clone_into(&mut account.account.password_hash)).is_some())
    }

    async fn put_pending_totp(&self, user: UserId, sealed_seed: &[u8]) -> Result<bool> {
        let mut state = self.state();
        let Some(account) = state.accounts.get_mut(&user) else { return Ok(false) };
        if account.totp.as_ref().is_some_and(|totp| totp.state == TotpState::Active) {
            return Ok(false);
        }
        let (sealed_seed, state) = (sealed_seed.to_vec(), TotpState::Pending);
        account.totp = Some(TotpRecord { sealed_seed, state, last_step: -1 });
        Ok(true)
    }

    async fn totp(&self, user: UserId) -> Result<Option<TotpRecord>> {
        Ok(self.state().accounts.get(&user).and_then(|account| account.totp.clone()))
    }

    async fn activate_totp(&self, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
        let mut state = self.state();
        let Some(totp) = state.totp_mut(user, sealed_seed, TotpState::Pending) else { return Ok(false) };
        (totp.state, totp.last_step) = (TotpState::Active, step);
        Ok(state.accounts.get_mut(&user).map(|account| account.version += 1).is_some())
    }

    async fn consume_totp_step(&self, user: UserId, sealed_seed: &[u8], step: i64) -> Result<bool> {
        let mut state = self.state();
        let totp = state.totp_mut(user, sealed_seed, TotpState::Active);
        Ok(totp.filter(|totp| totp.last_step < step).map(|totp| totp.last_step = step).is_some())
    }

    async fn reserve_attempt(
        &self,
        bucket: &Digest,
        policy: &LockoutPolicy,
        now: DateTime<Utc>,
    ) -> Result<Reservation> {
        let mut state = self.state();
        let known = state.attempts.get(bucket);
        if known.and_then(|known| known.locked_until).is_some_and(|until| until > now) {
            return Ok(Reservation::Locked);
        }
        let remembered = known.filter(|known| known.last_at > now - policy.memory());
        let number = remembered.map_or(1, |known| known.number.saturating_add(1));
        let locked_until = policy.lock_after(number).map(|lock| now + lock);
        state.attempts.insert(*bucket, Attempts { number, last_at: now, locked_until });
        Ok(Reservation::Granted { locked_until })
    }

    async fn clear_attempts(&self, bucket: &Digest) -> Result<()> {
        self.state().attempts.remove(bucket);
        Ok(())
    }

    async fn insert_flow(&self, digest: &Digest, flow: &FlowRecord) -> Result<()> {
        self.state().flows.insert(*digest, flow.clone());
        Ok(())
    }

    async fn flow(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<FlowRecord>> {
        Ok(self.state().live_flow(digest, now).cloned())
    }

    async fn finish_flow(&self, digest: &Digest, now: DateTime<Utc>) -> Result<bool> {
        let mut state = self.state();
        Ok(state.live_flow(digest, now).is_some() && state.flows.remove(digest).is_some())
    }

    async fn insert_session(&self, digest: &Digest, session: &SessionRecord) -> Result<()> {
        let mut state = self.state();
        if state.sids.contains_key(digest) || state.sessions.contains_key(&session.sid) {
            return Err(Error::store("the session exists"));
        }
        state.sids.insert(*digest, session.sid);
        state
            .sessions
            .insert(session.sid, StoredSession { record: session.clone(), stepped_up_at: None, revoked_at: None });
        Ok(())
    }

    async fn resolve(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        Ok(self.state().live(digest, now))
    }

    async fn touch(&self, sid: SessionId, now: DateTime<Utc>, unless_after: DateTime<Utc>) -> Result<bool> {
        let mut state = self.state();
        let session = state.sessions.get_mut(&sid);
        let stale =
            session.filter(|session| session.revoked_at.is_none() && session.record.last_seen_at <= unless_after);
        Ok(stale.map(|session| session.record.last_seen_at = now).is_some())
    }

    async fn rotate(&self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        let mut state = self.state();
        let rotated = state.rotate(old, new, now).is_some();
        Ok(rotated.then(|| state.live(new, now)).flatten())
    }

    async fn revoke(&self, sid: SessionId, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        let mut state = self.state();
        let session = state.sessions.get_mut(&sid).filter(|session| session.revoked_at.is_none());
        let revoked = session.map(|session| session.revoked_at = Some(now)).is_some();
        Ok(state.sessions.get(&sid).filter(|_| revoked).map(|session| state.seen(session)))
    }

    async fn bump_version(&self, scope: Scope) -> Result<bool> {
        let mut state = self.state();
        let version = match scope {
            Scope::User(user) => {
                let account = state.accounts.get_mut(&user).filter(|account| account.status != AccountStatus::Deleted);
                account.map(|account| &mut account.version)
            }
            Scope::Tenant(tenant) => Some(state.tenant_versions.entry(tenant).or_default()),
            Scope::Global => Some(&mut state.global_version),
        };
        Ok(version.map(|version| *version += 1).is_some())
    }

    async fn sessions(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionRecord>> {
        let state = self.state();
        let all = state.sessions.values().filter(|session| session.record.user == user);
        let mut live: Vec<_> = all.filter_map(|session| state.live_record(session, now)).collect();
        live.sort_unstable_by_key(|record| std::cmp::Reverse((record.authenticated_at, record.sid)));
        Ok(live)
    }

    async fn stats(&self, prefix: &str) -> Result<Stats> {
        let state = self.state();
        let count = |which: &dyn Fn(&Account) -> bool| {
            let number = state.accounts.values().filter(|account| which(account)).count();
            u64::try_from(number).unwrap_or(u64::MAX)
        };
        Ok(Stats {
            accounts: count(&|_| true),
            with_totp: count(&|a| a.totp.as_ref().is_some_and(|totp| totp.state == TotpState::Active)),
            current_hashes: count(&|a| a.account.password_hash.starts_with(prefix)),
        })
    }
}
