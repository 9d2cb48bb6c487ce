//! Creation of accounts.

use std::fmt;

use secrecy::SecretString;

use super::Inner;
use crate::{
    error::{Error, Result},
    event::SecurityEvent,
    id::{TenantId, UserId},
    store::{Lookup, NewAccountRecord},
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

/// Creation of accounts; see [`Auth::accounts`](crate::Auth::accounts).
///
/// Nothing here asks who is calling: the application decides who may create accounts.
pub struct Accounts<'a>(&'a Inner);

impl<'a> Accounts<'a> {
    pub(super) fn new(inner: &'a Inner) -> Self {
        Self(inner)
    }

    /// Creates an account.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the identifier is empty, longer than 254 bytes or has control characters, or if the password has fewer than 8
    /// characters or more than 1024 bytes; `Conflict` if the user or the identifier has an account; `Unavailable` if the hash pool is
    /// full; `Store`.
    pub async fn create(&self, account: NewAccount<'_>, password: SecretString) -> Result<()> {
        let identifier = normalise(account.identifier)
            .ok_or_else(|| Error::invalid("an identifier has 1 to 254 bytes and no control characters"))?;
        let record = NewAccountRecord {
            user: account.user,
            tenant: account.tenant,
            identifier,
            password_hash: self.0.pool.hash(password).await?,
        };
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
