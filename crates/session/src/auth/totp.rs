//! Setting up a second factor.

use super::Auth;
use crate::{
    error::{Error, Result},
    event::SecurityEvent,
    id::UserId,
    store::{Lookup, TotpState},
    totp::{Activation, Enrolment, SeedOwner, TotpSeed},
};

impl Auth {
    /// Makes a seed for a user. It is not asked for at sign-in until [`confirm_totp`](Self::confirm_totp); enrolling again replaces it.
    ///
    /// The application lets only the user do this, and best only after a fresh sign-in.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, `Conflict` if it has an active factor, `SeedCipher`, `Configuration`, `Random`, `Store`.
    pub async fn enrol_totp(&self, user: UserId) -> Result<Enrolment> {
        let account = self.0.store.account(Lookup::User(user)).await?.ok_or_else(Error::not_found)?;
        let seed = TotpSeed::generate()?;
        let sealed = self.0.seal(SeedOwner { tenant: account.tenant, user }, &seed)?;
        if !self.0.store.put_pending_totp(user, &sealed).await? {
            return Err(Error::conflict("the account has an active second factor"));
        }
        Enrolment::new(&seed, &self.0.issuer, &account.identifier)
    }

    /// Makes the enrolled factor active if `code` is its code now. The code is then used up, and every session of the user has
    /// ended, because none of them was opened with the factor: send the user to the sign-in page.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, `SeedCipher`, `Configuration`, `Store`.
    pub async fn confirm_totp(&self, user: UserId, code: &str) -> Result<Activation> {
        let account = self.0.store.account(Lookup::User(user)).await?.ok_or_else(Error::not_found)?;
        let (owner, tenant) = (SeedOwner { tenant: account.tenant, user }, account.tenant);
        let pending = self.0.store.totp(user).await?.filter(|totp| totp.state == TotpState::Pending);
        let Some(totp) = pending else { return Ok(Activation::Rejected) };
        let Some(step) = self.0.matching_step(owner, &totp, code, self.0.now())? else {
            return Ok(Activation::Rejected);
        };
        if !self.0.store.activate_totp(user, &totp.sealed_seed, step).await? {
            return Ok(Activation::Rejected);
        }
        self.0.emit(&SecurityEvent::TotpActivated { user, tenant });
        Ok(Activation::Activated)
    }
}
