//! Setting up a second factor.

use super::{Auth, Inner};
use crate::{
    error::{Error, Result},
    event::SecurityEvent,
    fresh::Fresh,
    id::{TenantId, UserId},
    recovery::RecoveryCodes,
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

    /// Makes a seed that takes the place of the active one with [`confirm_totp`](Self::confirm_totp); until then the old one counts.
    /// Recovery codes stay.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, `Conflict` if it has no active factor, `SeedCipher`, `Configuration`, `Random`, `Store`.
    pub async fn replace_totp(&self, fresh: &Fresh) -> Result<Enrolment> {
        let user = fresh.session().user;
        let account = self.0.store.account(Lookup::User(user)).await?.ok_or_else(Error::not_found)?;
        let seed = TotpSeed::generate()?;
        let sealed = self.0.seal(SeedOwner { tenant: account.tenant, user }, &seed)?;
        if !self.0.store.put_replacement_totp(user, &sealed).await? {
            return Err(Error::conflict("the account has no active second factor"));
        }
        Enrolment::new(&seed, &self.0.issuer, &account.identifier)
    }

    /// Removes the user's second factor and recovery codes, and ends every session of the user. If the policy demands a factor, the next
    /// session may only be used to enrol a new one.
    ///
    /// # Errors
    ///
    /// `Conflict` if there is no factor; `Store`.
    pub async fn remove_totp(&self, fresh: &Fresh) -> Result<()> {
        let session = fresh.session();
        self.0.remove_totp(session.user, session.tenant, session.user).await
    }

    /// Makes the enrolled factor or the replacement active if `code` is its code now. The code is then used up, and every session of the
    /// user has ended, because none of them was opened with the factor: send the user to the sign-in page.
    ///
    /// # Errors
    ///
    /// `NotFound` if there is no account, `SeedCipher`, `Configuration`, `Store`.
    pub async fn confirm_totp(&self, user: UserId, code: &str) -> Result<Activation> {
        let account = self.0.store.account(Lookup::User(user)).await?.ok_or_else(Error::not_found)?;
        let (owner, tenant) = (SeedOwner { tenant: account.tenant, user }, account.tenant);
        let Some(totp) = self.0.store.totp(user).await? else { return Ok(Activation::Rejected) };
        if totp.state == TotpState::Active {
            return self.confirm_replacement(owner, code).await;
        }
        let Some(step) = self.0.matching_step(owner, &totp.sealed_seed, code, self.0.now())? else {
            return Ok(Activation::Rejected);
        };
        if !self.0.store.activate_totp(user, &totp.sealed_seed, step).await? {
            return Ok(Activation::Rejected);
        }
        self.0.emit(&SecurityEvent::TotpActivated { user, tenant });
        Ok(Activation::Activated)
    }

    /// Ten new recovery codes for a user with an active second factor. Earlier ones are void.
    ///
    /// # Errors
    ///
    /// `Conflict` if the account has no active factor; `Random`; `Store`.
    pub async fn issue_recovery_codes(&self, fresh: &Fresh) -> Result<RecoveryCodes> {
        let (user, tenant) = (fresh.session().user, fresh.session().tenant);
        let codes = RecoveryCodes::generate()?;
        if !self.0.store.put_recovery_codes(user, &codes.digests(&self.0.keys, user)).await? {
            return Err(Error::conflict("the account has no active second factor"));
        }
        self.0.emit(&SecurityEvent::RecoveryCodesIssued { user, tenant });
        Ok(codes)
    }

    /// How many unused recovery codes a user has.
    ///
    /// # Errors
    ///
    /// `Store` if the store fails.
    pub async fn recovery_codes_left(&self, user: UserId) -> Result<u32> {
        self.0.store.recovery_codes_left(user).await
    }

    async fn confirm_replacement(&self, owner: SeedOwner, code: &str) -> Result<Activation> {
        let SeedOwner { user, tenant } = owner;
        let Some(sealed_seed) = self.0.store.replacement_totp(user).await? else { return Ok(Activation::Rejected) };
        let Some(step) = self.0.matching_step(owner, &sealed_seed, code, self.0.now())? else {
            return Ok(Activation::Rejected);
        };
        if !self.0.store.swap_totp(user, &sealed_seed, step).await? {
            return Ok(Activation::Rejected);
        }
        self.0.emit(&SecurityEvent::TotpReplaced { user, tenant });
        Ok(Activation::Activated)
    }
}

impl Inner {
    pub(super) async fn remove_totp(&self, user: UserId, tenant: TenantId, by: UserId) -> Result<()> {
        if !self.store.remove_totp(user).await? {
            return Err(Error::conflict("the account has no second factor"));
        }
        self.emit(&SecurityEvent::TotpRemoved { user, tenant, by });
        Ok(())
    }
}
