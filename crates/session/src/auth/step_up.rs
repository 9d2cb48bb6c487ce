//! Proving again who is there, within a session.

use std::time::Duration;

use super::{Auth, Inner};
use crate::{
    client::ClientInfo,
    error::{Error, Result},
    event::{FailureReason, SecurityEvent},
    fresh::{Fresh, Proof, StepUp},
    lockout::{proof_bucket, totp_bucket},
    password::Verdict,
    session::{Issued, Session},
    store::{AccountRecord, Digest, Lookup, Reservation, TotpState},
    token::SessionToken,
    totp::SeedOwner,
};

impl Auth {
    /// The session, if its user proved who they are within `limit` from now: at sign-in, or by [`step_up`](Self::step_up).
    #[must_use]
    pub fn fresh(&self, session: &Session, limit: Duration) -> Option<Fresh> {
        session.authenticated_within(limit, self.0.now()).then(|| Fresh::new(session.clone()))
    }

    /// Proves again who uses a session. The session gets a new token (ASVS 5.0, 7.2.4), the old one is dead at once, and the absolute limit
    /// stays.
    ///
    /// Wrong passwords count per user, apart from those at sign-in: nobody without a session of the user can lock this, and a stolen
    /// session does not lock the sign-in. Codes count with those at sign-in.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the hash pool is full, in which case nothing is counted; `SeedCipher`; `Configuration`; `Random`; `Store`.
    pub async fn step_up(&self, token: &SessionToken, proof: Proof<'_>, client: &ClientInfo) -> Result<StepUp> {
        let now = self.0.now();
        let Some(old) = token.digest(&self.0.keys) else { return Ok(StepUp::Ended) };
        let Some(session) = self.0.store.resolve(&old, now).await? else { return Ok(StepUp::Ended) };
        let account = self.0.store.account(Lookup::User(session.user)).await?.ok_or_else(Error::not_found)?;
        let (bucket, reservation, outcome) = match proof {
            Proof::Password(password) => {
                let slot = self.0.pool.admit()?;
                let (bucket, reservation) = self.0.count(proof_bucket(&self.0.keys, account.user)).await?;
                let stored = (reservation != Reservation::Locked).then(|| account.password_hash.clone());
                let verdict = slot.verify(password, stored).await?;
                (bucket, reservation, of_verdict(reservation, verdict))
            }
            Proof::Totp(code) => {
                let (bucket, reservation) = self.0.count(totp_bucket(&self.0.keys, account.user)).await?;
                (bucket, reservation, self.0.prove_by_code(reservation, &account, code).await?)
            }
        };
        if let Err(reason) = outcome {
            let whose = Some((account.user, account.tenant));
            return Ok(StepUp::Rejected(self.0.reject(now, whose, reason, reservation, client.clone()).await));
        }
        self.0.store.clear_attempts(&bucket).await?;
        let token = SessionToken::generate(&self.0.keys)?;
        let new = token.digest(&self.0.keys).ok_or_else(|| Error::configuration("the key ring is empty"))?;
        let Some(record) = self.0.store.step_up(&old, &new, now).await? else { return Ok(StepUp::Ended) };
        let (sid, user, tenant) = (record.sid, record.user, record.tenant);
        self.0.emit(&SecurityEvent::SteppedUp { sid, user, tenant });
        Ok(StepUp::Confirmed(Issued::new(token, record, now, None)))
    }
}

/// What a verdict means for an attempt that was counted.
pub(super) fn of_verdict(reservation: Reservation, verdict: Verdict) -> Result<(), FailureReason> {
    match verdict {
        _ if reservation == Reservation::Locked => Err(FailureReason::Locked),
        Verdict::Match | Verdict::MatchOutdated => Ok(()),
        Verdict::Mismatch | Verdict::Refused => Err(FailureReason::WrongPassword),
    }
}

impl Inner {
    pub(super) async fn count(&self, bucket: Digest) -> Result<(Digest, Reservation)> {
        let reservation = self.store.reserve_attempt(&bucket, &self.lockout, self.now()).await?;
        Ok((bucket, reservation))
    }

    async fn prove_by_code(
        &self,
        reservation: Reservation,
        account: &AccountRecord,
        code: &str,
    ) -> Result<Result<(), FailureReason>> {
        let owner = SeedOwner { tenant: account.tenant, user: account.user };
        let totp = self.store.totp(owner.user).await?.filter(|totp| totp.state == TotpState::Active);
        let Some(totp) = totp else { return Ok(Err(FailureReason::WrongCode)) };
        let step = self.matching_step(owner, &totp.sealed_seed, code, self.now())?;
        Ok(match step {
            _ if reservation == Reservation::Locked => Err(FailureReason::Locked),
            None => Err(FailureReason::WrongCode),
            Some(step) if self.store.consume_totp_step(owner.user, &totp.sealed_seed, step).await? => Ok(()),
            Some(_) => Err(FailureReason::ReplayedCode),
        })
    }
}
