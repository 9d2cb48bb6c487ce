//! Step-up, and the change of passwords and identifiers.

use chrono::{DateTime, Utc};

use super::{IdentifierChange, MemoryStore, State};
use crate::{
    error::Result,
    id::UserId,
    policy::AccountStatus,
    store::{
        CredentialStore, Digest, IdentifierChangeRecord, IdentifierConfirmation, ResetRecord, SessionRecord, Versions,
    },
};

impl CredentialStore for MemoryStore {
    async fn step_up(&self, old: &Digest, new: &Digest, now: DateTime<Utc>) -> Result<Option<SessionRecord>> {
        let mut state = self.state();
        let Some(session) = state.rotate(old, new, now) else { return Ok(None) };
        session.stepped_up_at = Some(now);
        Ok(state.live(new, now))
    }

    async fn change_password(&self, user: UserId, old: &str, new: &str) -> Result<Option<Versions>> {
        let mut state = self.state();
        let account = state.accounts.get_mut(&user).filter(|account| account.status == AccountStatus::Active);
        let Some(account) = account.filter(|account| account.account.password_hash == old) else { return Ok(None) };
        new.clone_into(&mut account.account.password_hash);
        account.version += 1;
        Ok(state.accounts.get(&user).map(|account| state.versions(account)))
    }

    async fn insert_reset(&self, digest: &Digest, reset: &ResetRecord) -> Result<()> {
        self.state().resets.insert(*digest, *reset);
        Ok(())
    }

    async fn reset(&self, digest: &Digest, now: DateTime<Utc>) -> Result<Option<UserId>> {
        Ok(self.state().current_reset(digest, now))
    }

    async fn redeem_reset(&self, digest: &Digest, new_hash: &str, now: DateTime<Utc>) -> Result<bool> {
        let mut state = self.state();
        let Some(user) = state.current_reset(digest, now) else { return Ok(false) };
        let account = state.accounts.get_mut(&user);
        Ok(account
            .map(|account| {
                new_hash.clone_into(&mut account.account.password_hash);
                account.version += 1;
            })
            .is_some())
    }

    async fn put_identifier_change(&self, change: &IdentifierChangeRecord) -> Result<bool> {
        let mut state = self.state();
        if state.active_version(change.user).is_none() {
            return Ok(false);
        }
        let stored =
            IdentifierChange { record: change.clone(), old_confirmed: change.old.is_none(), new_confirmed: false };
        state.changes.insert(change.user, stored);
        Ok(true)
    }

    async fn confirm_identifier_change(&self, digest: &Digest, now: DateTime<Utc>) -> Result<IdentifierConfirmation> {
        let mut state = self.state();
        let sides = |change: &IdentifierChange| (change.record.old == Some(*digest), change.record.new == *digest);
        let found =
            state.changes.values().find(|change| sides(change) != (false, false) && change.record.expires_at > now);
        let Some(found) = found else { return Ok(IdentifierConfirmation::Ended) };
        let record = found.record.clone();
        if state.active_version(record.user) != Some(record.user_version) {
            return Ok(IdentifierConfirmation::Ended);
        }
        let (old, new) = sides(found);
        let complete = (found.old_confirmed || old) && (found.new_confirmed || new);
        if complete && state.users.get(&record.identifier).is_some_and(|user| *user != record.user) {
            return Ok(IdentifierConfirmation::Taken);
        }
        if !complete {
            if let Some(change) = state.changes.get_mut(&record.user) {
                (change.old_confirmed, change.new_confirmed) =
                    (change.old_confirmed || old, change.new_confirmed || new);
            }
            return Ok(IdentifierConfirmation::Waiting);
        }
        state.changes.remove(&record.user);
        if let Some(account) = state.accounts.get_mut(&record.user) {
            account.version += 1;
            let old = std::mem::replace(&mut account.account.identifier, record.identifier.clone());
            state.users.remove(&old);
            state.users.insert(record.identifier, record.user);
        }
        Ok(IdentifierConfirmation::Changed(record.user))
    }
}

impl State {
    fn active_version(&self, user: UserId) -> Option<i64> {
        self.accounts
            .get(&user)
            .filter(|account| account.status == AccountStatus::Active)
            .map(|account| account.version)
    }

    fn current_reset(&self, digest: &Digest, now: DateTime<Utc>) -> Option<UserId> {
        let reset = self.resets.get(digest).filter(|reset| reset.expires_at > now)?;
        reset.user.filter(|user| self.active_version(*user) == Some(reset.user_version))
    }
}
