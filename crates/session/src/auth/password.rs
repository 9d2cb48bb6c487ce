//! Setting passwords.

use secrecy::SecretString;

use super::{Auth, Inner, step_up::of_verdict};
use crate::{
    client::ClientInfo,
    error::{Error, Result},
    event::SecurityEvent,
    flow::Rejected,
    id::SessionId,
    lockout::proof_bucket,
    password::PasswordProblem,
    session::Issued,
    store::{Lookup, Reservation, SessionRecord},
    token::SessionToken,
};

/// The outcome of [`Auth::change_password`].
#[derive(Debug)]
#[must_use]
pub enum PasswordChange {
    /// The current password is wrong, or too many were: the same to the client.
    Rejected(Rejected),
    /// The current password is right, and the new one breaks a rule.
    Refused(PasswordProblem),
    /// The session has ended, or the password was changed by somebody else in the meantime.
    Ended,
    /// Every session of the user has ended, and this one takes the place of the one that asked.
    Changed(Issued),
}

impl Auth {
    /// Changes the password of the user of a session who knows the current one. It ends all sessions, pending sign-ins, resets and changes of
    /// identifier of the user.
    ///
    /// Wrong passwords count together with those of [`step_up`](Self::step_up).
    ///
    /// # Errors
    ///
    /// `Unavailable` if the hash pool is full; `BreachList`; `Random`; `Store`.
    pub async fn change_password(
        &self,
        token: &SessionToken,
        current: SecretString,
        new: SecretString,
        client: &ClientInfo,
    ) -> Result<PasswordChange> {
        let now = self.0.now();
        let Some(digest) = token.digest(&self.0.keys) else { return Ok(PasswordChange::Ended) };
        let Some(session) = self.0.store.resolve(&digest, now).await? else { return Ok(PasswordChange::Ended) };
        let account = self.0.store.account(Lookup::User(session.user)).await?.ok_or_else(Error::not_found)?;
        let slot = self.0.pool.admit()?;
        let (bucket, reservation) = self.0.count(proof_bucket(&self.0.keys, account.user)).await?;
        let stored = (reservation != Reservation::Locked).then(|| account.password_hash.clone());
        if let Err(reason) = of_verdict(reservation, slot.verify(current, stored).await?) {
            let whose = Some((account.user, account.tenant));
            return Ok(PasswordChange::Rejected(self.0.reject(now, whose, reason, reservation, client.clone()).await));
        }
        self.0.store.clear_attempts(&bucket).await?;
        if let Some(problem) = self.0.problem(&new, &account.identifier).await? {
            return Ok(PasswordChange::Refused(problem));
        }
        let hash = self.0.pool.rehash(new).await?;
        let versions = self.0.store.change_password(account.user, &account.password_hash, &hash).await?;
        let Some(versions) = versions else { return Ok(PasswordChange::Ended) };
        self.0.emit(&SecurityEvent::PasswordChanged { user: account.user, tenant: account.tenant });
        let token = SessionToken::generate(&self.0.keys)?;
        let digest = token.digest(&self.0.keys).ok_or_else(|| Error::configuration("the key ring is empty"))?;
        let record = SessionRecord {
            sid: SessionId::generate(now)?,
            versions,
            authenticated_at: now,
            last_seen_at: now,
            ip: client.ip,
            user_agent: client.short_user_agent(),
            ..session
        };
        self.0.store.insert_session(&digest, &record).await?;
        Ok(PasswordChange::Changed(Issued::new(token, record, now, None)))
    }
}

impl Inner {
    /// The first rule that a new password breaks.
    pub(super) async fn problem(&self, password: &SecretString, identifier: &str) -> Result<Option<PasswordProblem>> {
        let (problem, unasked) = self.rules.check(password, identifier, self.pool.max_bytes()).await?;
        if unasked.is_some() {
            self.emit(&SecurityEvent::BreachListFailed);
        }
        Ok(problem)
    }
}
