//! The entry point.

mod accounts;
mod api_tokens;
mod builder;
mod housekeeping;
mod identifier;
mod impersonations;
mod inner;
mod networks;
mod password;
mod policy;
mod reset;
mod sessions;
mod sign_in;
mod step_up;
mod totp;

use std::{fmt, sync::Arc};

use crate::{error::Result, key::KeyRing, session::Stats, store::Store};

pub use accounts::{Account, Accounts, NewAccount};
pub use api_tokens::ApiTokens;
pub use builder::AuthBuilder;
pub use identifier::{ConfirmBy, IdentifierChange};
pub use impersonations::Impersonations;
pub(crate) use inner::Inner;
pub use password::PasswordChange;
pub use reset::{Redemption, ResetMail, ResetRequest};

/// Accounts, sign-ins and sessions over one store. Clones share everything.
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

impl Auth {
    /// Starts to configure an `Auth`.
    #[must_use]
    pub fn builder(store: impl Store, keys: KeyRing) -> AuthBuilder {
        AuthBuilder::new(store, keys)
    }

    /// Creation and administration of accounts.
    #[must_use]
    pub fn accounts(&self) -> Accounts<'_> {
        Accounts::new(&self.0)
    }

    /// Tokens for programs.
    #[must_use]
    pub fn api_tokens(&self) -> ApiTokens<'_> {
        ApiTokens::new(&self.0)
    }

    /// Staff who look at the product as a customer sees it.
    #[must_use]
    pub fn impersonations(&self) -> Impersonations<'_> {
        Impersonations::new(&self.0)
    }

    /// Counts of accounts, second factors and up-to-date password hashes.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn stats(&self) -> Result<Stats> {
        self.0.store.stats(&self.0.pool.prefix()).await
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth")
            .field("keys", &self.0.keys)
            .field("pool", &self.0.pool)
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}
