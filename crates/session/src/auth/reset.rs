//! A new password for whoever has the account's mailbox.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;

use super::{Auth, accounts::normalise};
use crate::{
    client::ClientInfo,
    error::{Error, Result},
    event::SecurityEvent,
    id::{TenantId, UserId},
    lockout::{Origin, PasswordBuckets},
    network::Network,
    password::PasswordProblem,
    store::{Lookup, ResetRecord},
    token::ResetToken,
};

/// The answer to a request for a reset: the same to whoever asked, whatever it holds.
#[must_use]
pub struct ResetRequest(Option<ResetMail>);

/// What belongs into the message to the owner of the account, and nowhere else.
#[derive(Debug)]
#[non_exhaustive]
pub struct ResetMail {
    /// Whose password it can replace.
    pub user: UserId,
    /// The tenant of the account.
    pub tenant: TenantId,
    /// The secret of the link. Put it behind `#` or into a form, so that it is in no log and no `Referer`.
    pub token: ResetToken,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
}

/// The outcome of [`Auth::redeem_reset`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Redemption {
    /// The user has the new password, and every session has ended. The second factor still stands: the user signs in.
    Changed(UserId),
    /// The reset is good, and still is, but the password breaks a rule.
    Refused(PasswordProblem),
    /// The reset is unknown, expired or used, or something revoked it: another reset, a change of password, a sign-out everywhere.
    Ended,
}

impl Auth {
    /// Makes a reset for an identifier, good for 30 minutes. It tells its caller's client nothing: answer alike, and send the message from
    /// a queue, because sending takes time. The work is the same whether or not there is an account.
    ///
    /// Nothing here limits how often somebody asks: the application limits it per network and per identifier.
    ///
    /// # Errors
    ///
    /// `Random`; `Store`.
    pub async fn request_reset(&self, identifier: &str, client: &ClientInfo) -> Result<ResetRequest> {
        let now = self.0.now();
        let identifier = normalise(identifier).unwrap_or_default();
        let account = self.0.store.account(Lookup::Identifier(&identifier)).await?;
        let account = account.filter(|account| account.is_active());
        let token = ResetToken::generate(&self.0.keys)?;
        let digest = token.digest(&self.0.keys).ok_or_else(|| Error::configuration("the key ring is empty"))?;
        let expires_at = now + TimeDelta::minutes(30);
        let user_version = account.as_ref().map_or(0, |account| account.versions.user);
        let record = ResetRecord { user: account.as_ref().map(|account| account.user), user_version, expires_at };
        self.0.store.insert_reset(&digest, &record).await?;
        let whose = account.map(|account| (account.user, account.tenant));
        self.0.emit(&SecurityEvent::ResetRequested { account: whose, client: client.clone() });
        self.0.hold(now).await;
        Ok(ResetRequest(whose.map(|(user, tenant)| ResetMail { user, tenant, token, expires_at })))
    }

    /// Replaces the password by a reset. It ends all sessions, pending sign-ins, resets and changes of identifier of the user, and the lock
    /// that failures of strangers brought over the identifier.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the hash pool is full; `BreachList`; `Random`; `Store`.
    pub async fn redeem_reset(
        &self,
        token: &ResetToken,
        password: SecretString,
        client: &ClientInfo,
    ) -> Result<Redemption> {
        let now = self.0.now();
        let Some(digest) = token.digest(&self.0.keys) else { return Ok(Redemption::Ended) };
        let Some(user) = self.0.store.reset(&digest, now).await? else { return Ok(Redemption::Ended) };
        let Some(account) = self.0.store.account(Lookup::User(user)).await? else { return Ok(Redemption::Ended) };
        if let Some(problem) = self.0.problem(&password, &account.identifier).await? {
            return Ok(Redemption::Refused(problem));
        }
        let hash = self.0.pool.rehash(password).await?;
        if !self.0.store.redeem_reset(&digest, &hash, now).await? {
            return Ok(Redemption::Ended);
        }
        let policies = [&self.0.lockout, &self.0.identifier_lockout];
        let origin = Origin::Untrusted(Network::from(client.ip));
        let buckets = PasswordBuckets::new(&self.0.keys, &account.identifier, origin, policies);
        self.0.store.clear_attempts(&buckets.own.0).await?;
        self.0.store.clear_attempts(&buckets.shared.0).await?;
        self.0.emit(&SecurityEvent::PasswordReset { user, tenant: account.tenant, client: client.clone() });
        Ok(Redemption::Changed(user))
    }
}

impl ResetRequest {
    /// The message to send, if there is somebody to send it to. The client must not learn which.
    #[must_use]
    pub fn into_mail(self) -> Option<ResetMail> {
        self.0
    }
}

impl fmt::Debug for ResetRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResetRequest(..)")
    }
}
