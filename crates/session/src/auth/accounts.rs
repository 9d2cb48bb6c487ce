//! Creation and administration of accounts.

use std::fmt;

use secrecy::SecretString;

use super::Inner;
use crate::{
    error::{Error, Result},
    event::SecurityEvent,
    id::{TenantId, UserId},
    policy::{AccountStatus, MfaRule},
    store::{Lookup, NewAccountRecord, TotpState},
    totp::{SeedOwner, TotpSeed},
};

/// An account to be created.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NewAccount<'a> {
    /// Who signs in with it, unique.
    pub user: UserId,
    /// The tenant that the sessions belong to.
    pub tenant: TenantId,
    /// What is typed at sign-in, unique over all tenants without regard to case and outer spaces.
    pub identifier: &'a str,
}

/// An account, for pages of administration.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Who signs in with it.
    pub user: UserId,
    /// The tenant that the sessions belong to.
    pub tenant: TenantId,
    /// What is typed at sign-in.
    pub identifier: String,
    /// Whether it can be used.
    pub status: AccountStatus,
    /// The state of the second factor, if there is one.
    pub totp: Option<TotpState>,
}

/// Creation and administration of accounts; see [`Auth::accounts`](crate::Auth::accounts).
///
/// Nothing here asks who is calling: the application decides who may do it.
pub struct Accounts<'a>(&'a Inner);

impl<'a> Accounts<'a> {
    pub(super) fn new(inner: &'a Inner) -> Self {
        Self(inner)
    }

    /// Creates an account.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the identifier is empty, longer than 254 bytes or has control characters, or if the password breaks a
    /// [rule](crate::PasswordRules); `Conflict` if the user or the identifier has an account; `Unavailable` if the hash pool is full;
    /// `BreachList`; `Store`.
    pub async fn create(&self, account: NewAccount<'_>, password: SecretString) -> Result<()> {
        let identifier = checked(account.identifier)?;
        if let Some(problem) = self.0.problem(&password, &identifier).await? {
            return Err(Error::invalid(problem.rule()));
        }
        self.insert(account, identifier, self.0.pool.rehash(password).await?).await
    }

    /// Creates an account with a hash of another system: a PHC string of argon2id, or bcrypt (`$2a$`, `$2b$`, `$2y$`). The next sign-in
    /// replaces it by one of the pool's.
    ///
    /// # Errors
    ///
    /// `InvalidInput` as for [`create`](Self::create), or if the hash is none of these or asks for more work than the ceilings allow;
    /// `Conflict`; `Store`.
    pub async fn import(&self, account: NewAccount<'_>, password_hash: &str) -> Result<()> {
        if !self.0.pool.can_verify(password_hash) {
            return Err(Error::invalid("the hash is of no known kind, or asks for too much work"));
        }
        self.insert(account, checked(account.identifier)?, password_hash.to_owned()).await
    }

    async fn insert(&self, account: NewAccount<'_>, identifier: String, password_hash: String) -> Result<()> {
        let NewAccount { user, tenant, .. } = account;
        let record = NewAccountRecord { user, tenant, identifier, password_hash };
        match self.0.store.insert_account(&record).await? {
            true => Ok(()),
            false => Err(Error::conflict("the user or the identifier has an account")),
        }
    }

    /// Gives an account a second factor with a known seed, at once and without a code: for a migration from another system, or for
    /// demonstration data. It ends the user's sessions.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, `Conflict` if it has an active factor, `SeedCipher`, `Configuration`, `Store`.
    pub async fn import_totp(&self, user: UserId, seed: TotpSeed) -> Result<()> {
        let account = self.0.store.account(Lookup::User(user)).await?.ok_or_else(Error::not_found)?;
        let sealed = self.0.seal(SeedOwner { tenant: account.tenant, user }, &seed)?;
        let imported = self.0.store.put_pending_totp(user, &sealed).await?
            && self.0.store.activate_totp(user, &sealed, -1).await?;
        match imported {
            true => {
                self.0.emit(&SecurityEvent::TotpActivated { user, tenant: account.tenant });
                Ok(())
            }
            false => Err(Error::conflict("the account has an active second factor")),
        }
    }

    /// The account of a user.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn find(&self, user: UserId) -> Result<Option<Account>> {
        let record = self.0.store.account(Lookup::User(user)).await?;
        Ok(record.map(|record| Account {
            user: record.user,
            tenant: record.tenant,
            identifier: record.identifier,
            status: record.status,
            totp: record.totp,
        }))
    }

    /// Suspends an active account: its sessions and pending sign-ins end, and it answers every sign-in like an unknown one.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, `Conflict` if it is not active, `Store`.
    pub async fn suspend(&self, user: UserId) -> Result<()> {
        let changed = self.0.store.suspend_account(user).await?;
        self.status_changed(user, changed, AccountStatus::Suspended).await
    }

    /// Makes a suspended account active again. Its old sessions do not come back.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, `Conflict` if it is not suspended, `Store`.
    pub async fn reactivate(&self, user: UserId) -> Result<()> {
        let changed = self.0.store.reactivate_account(user).await?;
        self.status_changed(user, changed, AccountStatus::Active).await
    }

    /// Deletes an account for good: its sessions end, its identifier is free, its password, second factor, recovery codes, networks and
    /// the tokens of its connections are gone. The user's id stays taken, so that old sessions and events keep their meaning.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, `Conflict` if it is deleted, `Store`.
    pub async fn delete(&self, user: UserId) -> Result<()> {
        let changed = self.0.store.delete_account(user, self.0.now()).await?;
        self.status_changed(user, changed, AccountStatus::Deleted).await
    }

    /// Says whether one account needs a second factor, whatever its tenant says: for one person, or for everyone with a privileged role.
    /// It holds from the next request.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, or it is deleted; `Store`.
    pub async fn demand_mfa(&self, user: UserId, rule: MfaRule) -> Result<()> {
        if !self.0.store.put_mfa_rule(user, rule).await? {
            return Err(Error::not_found());
        }
        let tenant = self.tenant_of(user).await?;
        self.0.emit(&SecurityEvent::MfaRuleChanged { user, tenant, rule });
        Ok(())
    }

    /// Removes a user's second factor and recovery codes on behalf of the administrator `by`, and ends the user's sessions: for a person
    /// who lost all of them and was identified in another way. The event is a warning.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, `Conflict` if it has no factor, `Store`.
    pub async fn remove_totp(&self, user: UserId, by: UserId) -> Result<()> {
        let tenant = self.tenant_of(user).await?;
        self.0.remove_totp(user, tenant, by).await
    }

    async fn tenant_of(&self, user: UserId) -> Result<TenantId> {
        Ok(self.0.store.account(Lookup::User(user)).await?.ok_or_else(Error::not_found)?.tenant)
    }

    async fn status_changed(&self, user: UserId, changed: bool, status: AccountStatus) -> Result<()> {
        let tenant = self.tenant_of(user).await?;
        if !changed {
            return Err(Error::conflict("the status of the account does not allow this"));
        }
        self.0.emit(&SecurityEvent::AccountStatusChanged { user, tenant, status });
        Ok(())
    }
}

fn checked(identifier: &str) -> Result<String> {
    normalise(identifier).ok_or_else(|| Error::invalid("an identifier has 1 to 254 bytes and no control characters"))
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("user", &self.user).field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Debug for Accounts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Accounts")
    }
}

impl fmt::Debug for NewAccount<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAccount").field("user", &self.user).field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

/// The stored form of an identifier, or nothing if it cannot be one.
pub(super) fn normalise(identifier: &str) -> Option<String> {
    let identifier = identifier.trim().to_lowercase();
    let valid = (1..=254).contains(&identifier.len()) && !identifier.contains(char::is_control);
    valid.then_some(identifier)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identifiers() {
        assert_eq!(normalise(" Ana@Acme.Test\n").unwrap(), "ana@acme.test");
        for bad in ["", "  ", "a\0b", "a\nb", &"x".repeat(255)] {
            assert_eq!(normalise(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn ascii_identifiers_normalise_once(text in "[ -~]{0,300}") {
            if let Some(once) = normalise(&text) {
                prop_assert_eq!(normalise(&once), Some(once.clone()));
                prop_assert_eq!(normalise(&text.to_uppercase()), Some(once));
            }
        }
    }
}
