//! Changing what is typed at sign-in.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Auth, accounts::normalise};
use crate::{
    error::{Error, Result},
    event::SecurityEvent,
    fresh::Fresh,
    store::{IdentifierChangeRecord, IdentifierConfirmation, Lookup},
    token::IdentifierToken,
};

/// Who has to confirm a change of identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConfirmBy {
    /// The old address and the new one.
    Both,
    /// The new address alone, for a user who lost the old one. Tell the old address nevertheless.
    New,
}

/// What belongs into the messages to the two addresses.
#[non_exhaustive]
pub struct IdentifierChange {
    /// The identifier until then.
    pub from: String,
    /// The identifier afterwards.
    pub to: String,
    /// What the old address confirms with, if it has to.
    pub old: Option<IdentifierToken>,
    /// What the new address confirms with.
    pub new: IdentifierToken,
    /// When the change ends unless it is complete.
    pub expires_at: DateTime<Utc>,
}

impl Auth {
    /// Begins to change the identifier of a user, in place of an earlier change that is not complete. It waits 24 hours for its
    /// confirmations. That another account has the new identifier is only told to whoever confirms it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if it cannot be an identifier or is the old one; `NotFound` if there is no active account; `Random`; `Store`.
    pub async fn request_identifier_change(
        &self,
        fresh: &Fresh,
        identifier: &str,
        confirm_by: ConfirmBy,
    ) -> Result<IdentifierChange> {
        let to = normalise(identifier)
            .ok_or_else(|| Error::invalid("an identifier has 1 to 254 bytes and no control characters"))?;
        let user = fresh.session().user;
        let account = self.0.store.account(Lookup::User(user)).await?.ok_or_else(Error::not_found)?;
        if account.identifier == to {
            return Err(Error::invalid("the account has this identifier"));
        }
        let token = || -> Result<_> {
            let token = IdentifierToken::generate(&self.0.keys)?;
            let digest = token.digest(&self.0.keys).ok_or_else(|| Error::configuration("the key ring is empty"))?;
            Ok((token, digest))
        };
        let (new, new_digest) = token()?;
        let (old, old_digest) = match confirm_by {
            ConfirmBy::Both => token().map(|(token, digest)| (Some(token), Some(digest)))?,
            ConfirmBy::New => (None, None),
        };
        let expires_at = self.0.now() + TimeDelta::hours(24);
        let record = IdentifierChangeRecord {
            user,
            user_version: account.versions.user,
            identifier: to.clone(),
            old: old_digest,
            new: new_digest,
            expires_at,
        };
        if !self.0.store.put_identifier_change(&record).await? {
            return Err(Error::not_found());
        }
        self.0.emit(&SecurityEvent::IdentifierChangeRequested { user, tenant: account.tenant });
        Ok(IdentifierChange { from: account.identifier, to, old, new, expires_at })
    }

    /// Confirms one side of a change. With the last one the account has its new identifier, and all sessions, pending sign-ins and resets of
    /// the user have ended. Confirming a side again changes nothing.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn confirm_identifier_change(&self, token: &IdentifierToken) -> Result<IdentifierConfirmation> {
        let Some(digest) = token.digest(&self.0.keys) else { return Ok(IdentifierConfirmation::Ended) };
        let outcome = self.0.store.confirm_identifier_change(&digest, self.0.now()).await?;
        if let IdentifierConfirmation::Changed(user) = outcome
            && let Some(account) = self.0.store.account(Lookup::User(user)).await?
        {
            self.0.emit(&SecurityEvent::IdentifierChanged { user, tenant: account.tenant });
        }
        Ok(outcome)
    }
}

impl fmt::Debug for IdentifierChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentifierChange(..)")
    }
}
